"""Regions of interest: how they are sampled and pooled. References that several checks share."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch

from .harness import Trial
from .reference import sample_edge

SHAPE = (2, 3, 14, 17)


class How(NamedTuple):
    """The parameters of a pooling."""

    scale: float
    ratio: int
    aligned: bool
    mode: str = "avg"
    clockwise: bool = False
    out: tuple[int, int] = (3, 4)

    @property
    def label(self) -> str:
        return " ".join(f"{name} {value}" for name, value in self._asdict().items() if name != "out")

    def bounded(self, width: Any, height: Any) -> tuple[Any, Any]:
        """Sizes as they are, or at least 1 in the old way of pooling."""
        return (width, height) if self.aligned else (width.clamp(min=1), height.clamp(min=1))


def upright(t: Trial, count: int, scale: float) -> Any:
    """Boxes in the units of the image, some of them partly outside of it."""
    start = t.uniform(-2, 10, count, 2)
    ends = start + t.uniform(0.3, 9, count, 2)
    batch = t.rng.randint(0, SHAPE[0], (count, 1)).astype("float64")
    return torch.cat([torch.as_tensor(part) for part in (batch, start / scale, ends / scale)], 1)


def offsets(bins: int, size: Any, ratio: int) -> Any:
    """Where the samples of each bin lie, from the start of the region: (bins, samples)."""
    count = ratio if ratio > 0 else max(0, math.ceil(float(size) / bins))
    step = size / bins
    inner = (torch.arange(count, dtype=torch.float64) + 0.5) / max(count, 1)
    return (torch.arange(bins, dtype=torch.float64)[:, None] + inner[None, :]) * step


def pooled(image: Any, y: Any, x: Any, mode: str) -> Any:
    """Samples (bins_y, bins_x, sy, sx) of one image, pooled: (C, bins_y, bins_x)."""
    values = sample_edge(image, y, x).flatten(-2)
    if values.shape[-1] == 0:
        return values.sum(-1)
    return values.mean(-1) if mode == "avg" else values.max(-1)[0]


def grid(ys: Any, xs: Any) -> tuple[Any, Any]:
    """All pairs of the samples of rows (bins, samples) and columns."""
    shape = (ys.shape[0], xs.shape[0], ys.shape[1], xs.shape[1])
    return ys[:, None, :, None].expand(shape), xs[None, :, None, :].expand(shape)


def roi_aligned(data: Any, rois: Any, how: How) -> Any:
    """Upright regions (image, x1, y1, x2, y2), pooled."""
    rows = []
    for roi in rois:
        x1, y1, x2, y2 = roi[1:] * how.scale - (0.5 if how.aligned else 0.0)
        width, height = how.bounded(x2 - x1, y2 - y1)
        y, x = grid(y1 + offsets(how.out[0], height, how.ratio), x1 + offsets(how.out[1], width, how.ratio))
        rows.append(pooled(data[int(roi[0])], y, x, how.mode))
    return torch.stack(rows)


ALIGNS = (
    How(1.0, 2, aligned=True),
    How(0.5, 0, aligned=True),
    How(0.5, 2, aligned=False),
    How(0.25, 0, aligned=False),
    How(1.0, 2, aligned=True, mode="max"),
)
