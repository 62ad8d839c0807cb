"""References that several checks share: plain PyTorch in double precision, written for clearness."""

from __future__ import annotations

import math
from typing import Any, Callable

import torch

# ---------------------------------------------------------------- sampling


def _corner(image: Any, y: Any, x: Any) -> Any:
    """Values at whole coordinates; zero outside."""
    height, width = image.shape[-2:]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    return image.flatten(-2)[..., flat] * inside.to(image.dtype)


def sample_zero(image: Any, y: Any, x: Any) -> Any:
    """Bilinear values of `image` (C, H, W) at real coordinates; everything outside counts as zero.

    The result is (C, *y.shape), differentiable in the image and in the coordinates.
    """
    y0, x0 = y.detach().floor(), x.detach().floor()
    top, left = y0.long(), x0.long()
    dy, dx = y - y0, x - x0
    return (
        _corner(image, top, left) * (1 - dy) * (1 - dx)
        + _corner(image, top, left + 1) * (1 - dy) * dx
        + _corner(image, top + 1, left) * dy * (1 - dx)
        + _corner(image, top + 1, left + 1) * dy * dx
    )


def sample_edge(image: Any, y: Any, x: Any) -> Any:
    """Bilinear values as RoI pooling takes them: up to one pixel outside the edge's value, beyond it zero."""
    height, width = image.shape[-2:]
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    near = sample_zero(image, y.clamp(0, height - 1), x.clamp(0, width - 1))
    return near * inside.to(image.dtype)


# ---------------------------------------------------------------- boxes


def overlaps(first: Any, second: Any, offset: float = 0.0, mode: str = "iou") -> Any:
    """Overlap of every box (x1, y1, x2, y2) of one set with every box of the other."""
    a, b = first[:, None, :], second[None, :, :]
    size = (torch.min(a[..., 2:], b[..., 2:]) - torch.max(a[..., :2], b[..., :2]) + offset).clamp(min=0)
    shared = size[..., 0] * size[..., 1]
    area_a = (a[..., 2] - a[..., 0] + offset) * (a[..., 3] - a[..., 1] + offset)
    area_b = (b[..., 2] - b[..., 0] + offset) * (b[..., 3] - b[..., 1] + offset)
    return shared / (area_a + area_b - shared) if mode == "iou" else shared / area_a.expand_as(shared)


def corners(boxes: Any) -> Any:
    """The four corners of boxes (x, y, w, h, angle); positive angles turn clockwise on the screen."""
    x, y, w, h, angle = boxes.unbind(-1)
    cos, sin = torch.cos(angle), torch.sin(angle)
    points = []
    for sx, sy in ((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)):
        dx, dy = sx * w, sy * h
        points.append(torch.stack([x + dx * cos - dy * sin, y + dx * sin + dy * cos], -1))
    return torch.stack(points, -2)


def area(polygon: list[tuple[float, float]]) -> float:
    """Signed area of a polygon."""
    following = polygon[1:] + polygon[:1]
    return 0.5 * sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(polygon, following))


def clip(subject: list[tuple[float, float]], window: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The part of a polygon inside a convex one (Sutherland and Hodgman's way)."""
    turn = math.copysign(1.0, area(window))
    kept = subject
    for (ax, ay), (bx, by) in zip(window, window[1:] + window[:1]):
        given, kept = kept, []
        sides = [turn * ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) for x, y in given]
        for at, (here, side) in enumerate(zip(given, sides)):
            before, other = given[at - 1], sides[at - 1]
            if (side >= 0) != (other >= 0):
                part = other / (other - side)
                kept.append(
                    (before[0] + part * (here[0] - before[0]), before[1] + part * (here[1] - before[1]))
                )
            if side >= 0:
                kept.append(here)
        if not kept:
            return []
    return kept


def polygon_overlaps(first: Any, second: Any, mode: str = "iou") -> Any:
    """Overlap of convex polygons (N, P, 2) with others (M, P, 2), as a matrix."""
    ours = [[tuple(point) for point in polygon] for polygon in first.tolist()]
    theirs = [[tuple(point) for point in polygon] for polygon in second.tolist()]
    rows = torch.zeros(len(ours), len(theirs), dtype=torch.float64)
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            shared = abs(area(clip(one, other)))
            whole = abs(area(one)) + (abs(area(other)) - shared if mode == "iou" else 0.0)
            rows[i, j] = shared / whole
    return rows


# ---------------------------------------------------------------- suppression


def greedy(matrix: Any, scores: Any, threshold: float) -> list[int]:
    """Indices that remain, best first, when each suppresses what overlaps it by more than `threshold`."""
    order = sorted(range(len(scores)), key=lambda at: -float(scores[at]))
    kept: list[int] = []
    for at in order:
        if all(float(matrix[best, at]) <= threshold for best in kept):
            kept.append(at)
    return kept


def clear_of(matrix: Any, threshold: float, margin: float = 1e-5) -> bool:
    """Whether no overlap lies so near the threshold that rounding decides."""
    return bool(((matrix - threshold).abs() > margin).all())


def draw(make: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """Inputs that no rounding decides about: drawn again until they are good."""
    for _ in range(50):
        made = make()
        if good(made):
            return made
    raise AssertionError("no input could be drawn whose answer is beyond rounding")
