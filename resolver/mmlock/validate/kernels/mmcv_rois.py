"""mmcv: pooling of regions of interest."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .reference import sample_edge
from .regions import ALIGNS, SHAPE, How, grid, offsets, pooled, roi_aligned, upright

SUITE = Suite("mmcv", load, plain)


@SUITE.check("roi_align")
def roi_align(t: Trial) -> None:
    def kernel(data: Any, rois: Any, how: How) -> Any:
        return t.ops.roi_align(data, rois, how.out, how.scale, how.ratio, how.mode, how.aligned)

    for how in ALIGNS:
        # In halves the number of samples, and which of them is the largest, are matters of rounding.
        for dtype in t.halves if how.mode == "avg" and how.ratio else ("float32",):
            t.versus(
                how.label,
                partial(kernel, how=how),
                partial(roi_aligned, how=how),
                [t.normal(*SHAPE), upright(t, 6, how.scale)],
                grads=[0],
                dtype=dtype,
            )
    got = kernel(t.tensor(t.normal(*SHAPE)), t.tensor(torch.zeros(0, 5)), ALIGNS[0])
    t.same("no regions", list(got.shape), [0, 3, 3, 4])


def turned(roi: Any, how: How) -> tuple[Any, Any]:
    """Sample coordinates of one rotated region."""
    shift = 0.5 if how.aligned else 0.0
    cx, cy = roi[1] * how.scale - shift, roi[2] * how.scale - shift
    width, height = how.bounded(roi[3] * how.scale, roi[4] * how.scale)
    angle = -roi[5] if how.clockwise else roi[5]
    y, x = grid(
        offsets(how.out[0], height, how.ratio) - height / 2,
        offsets(how.out[1], width, how.ratio) - width / 2,
    )
    cos, sin = torch.cos(angle), torch.sin(angle)
    return y * cos - x * sin + cy, y * sin + x * cos + cx


def turned_rois(t: Trial, count: int, scale: float) -> Any:
    parts = [
        t.rng.randint(0, SHAPE[0], (count, 1)).astype("float64"),
        t.uniform(1, 12, count, 2) / scale,
        t.uniform(1, 9, count, 2) / scale,
        t.uniform(-3.1, 3.1, count, 1),
    ]
    return torch.cat([torch.as_tensor(part) for part in parts], 1)


def _roi_align_rotated(data: Any, rois: Any, how: How) -> Any:
    return torch.stack([pooled(data[int(roi[0])], *turned(roi, how), "avg") for roi in rois])


@SUITE.check("roi_align_rotated")
def roi_align_rotated(t: Trial) -> None:
    def kernel(data: Any, rois: Any, how: How) -> Any:
        return t.ops.roi_align_rotated(data, rois, how.out, how.scale, how.ratio, how.aligned, how.clockwise)

    hows = (
        How(1.0, 2, aligned=True),
        How(0.5, 0, aligned=True, clockwise=True),
        How(0.5, 3, aligned=False),
    )
    for how in hows:
        for dtype in t.halves if how.ratio else ("float32",):
            t.versus(
                how.label,
                partial(kernel, how=how),
                partial(_roi_align_rotated, how=how),
                [t.normal(*SHAPE), turned_rois(t, 6, how.scale)],
                grads=[0],
                dtype=dtype,
            )
    got = kernel(t.tensor(t.normal(*SHAPE)), t.tensor(torch.zeros(0, 6)), hows[0])
    t.same("no regions", list(got.shape), [0, 3, 3, 4])


def _curve(points: Any, u: Any) -> Any:
    """A cubic Bézier curve through four points (4, 2), at `u`: (len(u), 2)."""
    u = u[:, None]
    return (
        (1 - u) ** 3 * points[0] + 3 * u * (1 - u) ** 2 * points[1]
        + 3 * u**2 * (1 - u) * points[2] + u**3 * points[3]
    )  # fmt: skip


def _along(curve: Any, how: How) -> tuple[Any, Any]:
    """Sample coordinates of one region between two curves."""
    points = curve[1:].reshape(8, 2) * how.scale
    # The lower edge is stored from right to left.
    top, bottom = points[:4], points[4:].flip(0)
    size = torch.max((top[0] - top[3]).abs(), (bottom[0] - bottom[3]).abs())
    width, height = how.bounded(size[0], size[1])
    u = torch.arange(how.out[1], dtype=torch.float64) / how.out[1]
    v = torch.arange(how.out[0], dtype=torch.float64)[:, None, None] / how.out[0]
    middle = _curve(bottom, u)[None] * v + _curve(top, u)[None] * (1 - v) - (0.5 if how.aligned else 0.0)
    bin_y, bin_x = height / how.out[0], width / how.out[1]
    ys = offsets(1, bin_y, how.ratio)[0] - bin_y / 2
    xs = offsets(1, bin_x, how.ratio)[0] - bin_x / 2
    shape = (*how.out, len(ys), len(xs))
    y = (middle[..., 1][..., None, None] + ys[:, None]).expand(shape)
    return y, (middle[..., 0][..., None, None] + xs[None, :]).expand(shape)


def _bezier(data: Any, curves: Any, how: How) -> Any:
    return torch.stack([pooled(data[int(curve[0])], *_along(curve, how), "avg") for curve in curves])


@SUITE.check("bezier_align")
def bezier_align(t: Trial) -> None:
    def kernel(data: Any, curves: Any, how: How) -> Any:
        return t.ops.bezier_align(data, curves, how.out, how.scale, how.ratio, how.aligned)

    batch = torch.as_tensor(t.rng.randint(0, SHAPE[0], (5, 1)).astype("float64"))
    curves = torch.cat([batch, torch.as_tensor(t.uniform(0, 24, 5, 16))], 1)
    for how in (How(0.5, 2, aligned=True), How(0.5, 0, aligned=True), How(0.5, 3, aligned=False)):
        inputs = [t.normal(*SHAPE), curves]
        t.versus(how.label, partial(kernel, how=how), partial(_bezier, how=how), inputs, grads=[0])


def _feature_align(data: Any, boxes: Any, scale: float, points: int) -> Any:
    """Each pixel plus the image at its box's centre (and corners); a box is (y, x, w, h, angle)."""
    y, x, width, height, angle = boxes.unbind(-1)
    places = [(y * scale, x * scale)]
    if points > 1:
        cos, sin = torch.cos(angle), torch.sin(angle)
        for sw, sh in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
            w, h = sw * width * scale / 2, sh * height * scale / 2
            places.append((y * scale + sin * w + cos * h, x * scale + cos * w - sin * h))
    images = [
        image + sum(sample_edge(image, py[at], px[at]) for py, px in places) for at, image in enumerate(data)
    ]
    return torch.stack(images)


@SUITE.check("rotated_feature_align")
def rotated_feature_align(t: Trial) -> None:
    shape = (SHAPE[0], SHAPE[2], SHAPE[3])
    parts = [t.uniform(0, 30, *shape, 2), t.uniform(2, 12, *shape, 2), t.uniform(-3, 3, *shape, 1)]
    boxes = torch.cat([torch.as_tensor(part) for part in parts], -1)
    for points in (1, 5):
        t.versus(
            f"{points} points",
            lambda d, b, p=points: t.ops.rotated_feature_align(d, b, 0.5, p),
            lambda d, b, p=points: _feature_align(d, b, 0.5, p),
            [t.normal(*SHAPE), boxes],
            grads=[0],
        )
