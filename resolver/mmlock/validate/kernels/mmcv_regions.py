"""mmcv: pooling of regions that has kernels for GPUs only."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .mmcv_rois import turned, turned_rois
from .reference import sample_edge, sample_zero
from .regions import SHAPE, How, grid, offsets, pooled, upright

SUITE = Suite("mmcv", load, plain)
GPU = ("cuda",)
OUT = (3, 4)


# ---------------------------------------------------------------- moved bins


def moved_pool(data: Any, rois: Any, moves: Any, how: How, gamma: float) -> Any:
    """Averages over bins, each of which is moved by a share of its region's size; `moves` may be None."""
    rows = []
    for at, roi in enumerate(rois):
        x1, y1, x2, y2 = roi[1:] * how.scale - 0.5
        wide, high = x2 - x1, y2 - y1
        y, x = grid(y1 + offsets(OUT[0], high, how.ratio), x1 + offsets(OUT[1], wide, how.ratio))
        if moves is not None:
            x = x + (gamma * wide * moves[at, 0])[..., None, None]
            y = y + (gamma * high * moves[at, 1])[..., None, None]
        rows.append(pooled(data[int(roi[0])], y, x, "avg"))
    return torch.stack(rows)


def inner_rois(t: Trial, count: int, scale: float) -> Any:
    """Boxes well inside of the image: past its edge kernels differ in the slope of a place."""
    start = t.uniform(3, 6, count, 2)
    ends = start + t.uniform(1.5, 5, count, 2)
    batch = t.rng.randint(0, SHAPE[0], (count, 1)).astype("float64")
    return torch.cat([torch.as_tensor(part) for part in (batch, start / scale, ends / scale)], 1)


@SUITE.check("deform_roi_pool", devices=GPU)
def deform_roi_pool(t: Trial) -> None:
    for how in (How(1.0, 2, aligned=True), How(0.5, 0, aligned=True)):
        data, rois = t.normal(*SHAPE), inner_rois(t, 6, how.scale)
        t.versus(
            f"scale {how.scale} samples {how.ratio}",
            lambda d, r, h=how: t.ops.deform_roi_pool(d, r, None, OUT, h.scale, h.ratio, 0.1),
            lambda d, r, h=how: moved_pool(d, r, None, h, 0.1),
            [data, rois],
            grads=[0],
        )
        t.versus(
            f"scale {how.scale} samples {how.ratio}, moved",
            lambda d, r, m, h=how: t.ops.deform_roi_pool(d, r, m, OUT, h.scale, h.ratio, 0.1),
            lambda d, r, m, h=how: moved_pool(d, r, m, h, 0.1),
            [data, rois, t.uniform(-1, 1, 6, 2, *OUT)],
            grads=[0, 2],
        )


# ---------------------------------------------------------------- integrals


def _cuts(low: Any, high: Any) -> list[tuple[Any, Any]]:
    """The parts of an interval between whole numbers."""
    first, last = math.floor(float(low)), math.ceil(float(high))
    return [(low.clamp(min=at), high.clamp(max=at + 1)) for at in range(first, last)]


def integrated(data: Any, rois: Any, scale: float) -> Any:
    """Exact means of the bilinear image over bins: on each part it is its area times its middle value."""
    rows = []
    for roi in rois:
        image = data[int(roi[0])]
        x1, y1, x2, y2 = roi[1:] * scale
        wide, high = (x2 - x1) / OUT[1], (y2 - y1) / OUT[0]
        bins = []
        for ph in range(OUT[0]):
            for pw in range(OUT[1]):
                total = image.new_zeros(image.shape[0])
                for top, low in _cuts(y1 + high * ph, y1 + high * (ph + 1)):
                    for left, right in _cuts(x1 + wide * pw, x1 + wide * (pw + 1)):
                        middle = sample_zero(image, ((top + low) / 2)[None], ((left + right) / 2)[None])
                        total = total + middle[:, 0] * (low - top) * (right - left)
                bins.append(total / (wide * high))
        rows.append(torch.stack(bins, 1).reshape(-1, *OUT))
    return torch.stack(rows)


@SUITE.check("prroi_pool", devices=GPU)
def prroi_pool(t: Trial) -> None:
    for scale in (1.0, 0.5):
        t.versus(
            f"scale {scale}",
            lambda d, r, s=scale: t.ops.prroi_pool(d, r, OUT, s),
            partial(integrated, scale=scale),
            [t.normal(*SHAPE), upright(t, 5, scale)],
            grads=[0],
        )
    data, rois = t.tensor(t.normal(*SHAPE)), t.tensor(inner_rois(t, 5, 1.0)).requires_grad_()
    exact = rois.detach().cpu().double().requires_grad_()
    weights = torch.as_tensor(t.normal(5, SHAPE[1], *OUT))
    t.ops.prroi_pool(data, rois, OUT, 1.0).backward(weights.float().to(t.device))
    integrated(data.cpu().double(), exact, 1.0).backward(weights)
    t.close("slopes of the regions", rois.grad[:, 1:], exact.grad[:, 1:])
    t.same("no regions", list(t.ops.prroi_pool(data, rois[:0].detach(), OUT, 1.0).shape), [0, 3, *OUT])


# ---------------------------------------------------------------- turned channels


def turned_channels(data: Any, rois: Any, how: How, turns: int) -> Any:
    """Rotated regions; the channels of an orientation come from the two that it is turned to."""
    rows = []
    for roi in rois:
        found = pooled(data[int(roi[0])], *turned(roi, how), "avg").reshape(-1, turns, *OUT)
        share = float(roi[5]) * turns / (2 * math.pi)
        whole = math.floor(share)
        part = share - whole
        own = [(at - whole) % turns for at in range(turns)]
        rows.append(
            torch.stack(
                [(1 - part) * found[:, at] + part * found[:, (at + 1) % turns] for at in own], 1
            ).flatten(0, 1)
        )
    return torch.stack(rows)


@SUITE.check("riroi_align_rotated", devices=GPU)
def riroi_align_rotated(t: Trial) -> None:
    turns = 4
    shape = (SHAPE[0], 2 * turns, *SHAPE[2:])
    for how in (How(1.0, 2, aligned=False), How(0.5, 0, aligned=False, clockwise=True)):
        t.versus(
            how.label,
            lambda d, r, h=how: t.ops.riroi_align_rotated(d, r, OUT, h.scale, h.ratio, turns, h.clockwise),
            partial(turned_channels, how=how, turns=turns),
            [t.normal(*shape), turned_rois(t, 6, how.scale)],
            grads=[0],
        )


# ---------------------------------------------------------------- borders


def bordered(data: Any, boxes: Any, size: int) -> Any:
    """The largest of the samples along each border of each box; every border has channels of its own."""
    count, channels = data.shape[0], data.shape[1] // 4
    images = []
    for n in range(count):
        rows = []
        for x1, y1, x2, y2 in boxes[n]:
            step_x, step_y = (x2 - x1) / size, (y2 - y1) / size
            walk = torch.arange(size + 1, dtype=data.dtype)
            ways = (
                (y1 + 0 * walk, x1 + step_x * walk),
                (y1 + step_y * walk, x1 + 0 * walk),
                (y2 + 0 * walk, x2 - step_x * walk),
                (y2 - step_y * walk, x2 + 0 * walk),
            )
            sides = [
                sample_edge(data[n, side * channels : (side + 1) * channels], y, x).max(-1)[0]
                for side, (y, x) in enumerate(ways)
            ]
            rows.append(torch.stack(sides, 1))
        images.append(torch.stack(rows, 1))
    return torch.stack(images)


@SUITE.check("border_align", devices=GPU)
def border_align(t: Trial) -> None:
    start = torch.as_tensor(t.uniform(-2, 9, 2, 7, 2))
    boxes = torch.cat([start, start + torch.as_tensor(t.uniform(0.5, 8, 2, 7, 2))], 2)
    for size in (1, 5):
        t.versus(
            f"{size + 1} samples",
            lambda d, b, s=size: t.ops.border_align(d, b, s),
            partial(bordered, size=size),
            [t.normal(2, 12, 14, 17), boxes],
            grads=[0],
        )
