"""mmcv: ops on images that have kernels for GPUs only."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .regions import SHAPE, upright

SUITE = Suite("mmcv", load, plain)
GPU = ("cuda",)


# ---------------------------------------------------------------- focal losses


def sigmoid_focal(scores: Any, target: Any, gamma: float, alpha: float) -> Any:
    """Focal loss of every class of every row; a target beyond the classes is background."""
    hit = F.one_hot(target, scores.shape[1] + 1)[:, :-1].to(scores.dtype)
    chance = scores.sigmoid()
    right = -alpha * (1 - chance) ** gamma * F.logsigmoid(scores)
    wrong = -(1 - alpha) * chance**gamma * F.logsigmoid(-scores)
    return hit * right + (1 - hit) * wrong


def softmax_focal(scores: Any, target: Any, gamma: float, alpha: float) -> Any:
    """Focal loss of every row's own class."""
    log = scores.log_softmax(1).gather(1, target[:, None])[:, 0]
    return -alpha * (1 - log.exp()) ** gamma * log


@SUITE.check("sigmoid_focal_loss", devices=GPU)
def sigmoid_focal_loss(t: Trial) -> None:
    for rows, classes in ((1, 1), (37, 5)):
        target = torch.as_tensor(t.rng.randint(0, classes + 1, rows))
        for reduction in ("none", "sum"):
            t.versus(
                f"{rows} rows {classes} classes {reduction}",
                lambda s, y, r=reduction: t.ops.sigmoid_focal_loss(s, y, 2.0, 0.25, None, r),
                lambda s, y, r=reduction: _reduced(sigmoid_focal(s, y, 2.0, 0.25), r),
                [t.normal(rows, classes, scale=2), target],
                grads=[0],
            )


@SUITE.check("softmax_focal_loss", devices=GPU)
def softmax_focal_loss(t: Trial) -> None:
    target = torch.as_tensor(t.rng.randint(0, 5, 37))
    # Without a reduction mmcv multiplies gradients and slopes of different shapes, and stops.
    for reduction, grads in (("none", []), ("sum", [0]), ("mean", [0])):
        t.versus(
            f"37 rows 5 classes {reduction}",
            lambda s, y, r=reduction: t.ops.softmax_focal_loss(s, y, 2.0, 0.25, None, r),
            lambda s, y, r=reduction: _reduced(softmax_focal(s, y, 2.0, 0.25), r),
            [t.normal(37, 5, scale=2), target],
            grads=grads,
        )


def _reduced(loss: Any, how: str) -> Any:
    """A loss as the ops reduce it; `mean` is by rows."""
    return {"none": loss, "sum": loss.sum(), "mean": loss.sum() / len(loss)}[how]


# ---------------------------------------------------------------- pooling, upsampling, masked convolution


def roi_pooled(data: Any, rois: Any, out: tuple[int, int], scale: float) -> Any:
    """The largest value of every bin; bins reach from the floor to the ceiling of their ends."""
    rows = []
    for roi in rois:
        image = data[int(roi[0])]
        x1, y1, x2, y2 = (roi[1:] + torch.tensor([0.0, 0.0, 1.0, 1.0])).mul(scale).tolist()
        ends = [
            [
                (
                    min(max(math.floor(start + at * (stop - start) / count), 0), size),
                    min(max(math.ceil(start + (at + 1) * (stop - start) / count), 0), size),
                )
                for at in range(count)
            ]
            for start, stop, count, size in (
                (y1, y2, out[0], image.shape[1]),
                (x1, x2, out[1], image.shape[2]),
            )
        ]
        bins = [_largest(image[:, top:low, left:right]) for top, low in ends[0] for left, right in ends[1]]
        rows.append(torch.stack(bins, -1).reshape(-1, *out))
    return torch.stack(rows)


def _largest(part: Any) -> Any:
    flat = part.flatten(1)
    return flat.max(1)[0] if flat.shape[1] else flat.sum(1)


@SUITE.check("roi_pool", devices=GPU)
def roi_pool(t: Trial) -> None:
    for scale in (1.0, 0.5):
        t.versus(
            f"scale {scale}",
            lambda d, r, s=scale: t.ops.roi_pool(d, r, (3, 4), s),
            partial(roi_pooled, out=(3, 4), scale=scale),
            [t.normal(*SHAPE), upright(t, 6, scale)],
            grads=[0],
        )


def reassembled(data: Any, masks: Any, size: int, groups: int, scale: int) -> Any:
    """Every pixel of the larger image is a weighted sum of a neighbourhood of the smaller one (CARAFE)."""
    count, channels, height, width = data.shape
    patches = F.unfold(data, size, padding=size // 2).reshape(count, channels, size * size, height, width)
    patches = patches.repeat_interleave(scale, 3).repeat_interleave(scale, 4)
    weights = masks.reshape(count, groups, size * size, height * scale, width * scale)
    weights = weights.repeat_interleave(channels // groups, 1)
    return (patches * weights).sum(2)


@SUITE.check("carafe", "carafe_naive", devices=GPU)
def carafe(t: Trial) -> None:
    for name in ("carafe", "carafe_naive"):
        for size, groups, scale in ((5, 4, 2), (3, 1, 2)):
            t.versus(
                f"{name} size {size} groups {groups}",
                lambda d, m, n=name, k=size, g=groups, s=scale: getattr(t.ops, n)(d, m, k, g, s),
                partial(reassembled, size=size, groups=groups, scale=scale),
                [t.normal(2, 64, 3, 4), t.uniform(0, 1, 2, size * size * groups, 6, 8)],
                grads=[0, 1],
            )


@SUITE.check("masked_conv2d", devices=GPU)
def masked_conv2d(t: Trial) -> None:
    mask = torch.as_tensor(t.rng.uniform(size=(1, 9, 11)) < 0.4).double()
    t.versus(
        "40 % of the pixels",
        lambda d, m, w, b: t.ops.masked_conv2d(d, m, w, b, 1),
        lambda d, m, w, b: F.conv2d(d, w, b, padding=1) * (m > 0)[:, None],
        [t.normal(1, 3, 9, 11), mask, t.normal(4, 3, 3, 3), t.normal(4)],
    )
