"""mmcv: overlaps that have slopes, and hulls of points. They have kernels for GPUs only."""

from __future__ import annotations

from typing import Any

import torch

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .reference import area, clip, corners, draw

SUITE = Suite("mmcv", load, plain)
GPU = ("cuda",)


# ---------------------------------------------------------------- hulls


def hull_of(points: Any) -> list[Any]:
    """The corners of the convex hull of points, counterclockwise (the monotone chain)."""
    ordered = sorted({(float(x), float(y)) for x, y in points})

    def half(way: Any) -> list[Any]:
        chain: list[Any] = []
        for point in way:
            while len(chain) > 1 and _left(chain[-2], chain[-1], point) <= 0:
                chain.pop()
            chain.append(point)
        return chain[:-1]

    return half(ordered) + half(reversed(ordered))


def _left(start: Any, stop: Any, point: Any) -> float:
    """Positive where `point` is left of the way from `start` to `stop`."""
    (ax, ay), (bx, by), (x, y) = start, stop, point
    return float((bx - ax) * (y - ay) - (by - ay) * (x - ax))


def _ways(points: Any, quad: Any) -> tuple[float, float, float]:
    """What a hull and a quadrangle share, have together, and are both inside of."""
    hull, other = hull_of(points.tolist()), [tuple(one) for one in quad.tolist()]
    shared = abs(area(clip(hull, other)))
    return (
        shared,
        abs(area(hull)) + abs(area(other)) - shared,
        abs(area(hull_of([*points.tolist(), *quad.tolist()]))),
    )


def _giou(points: Any, quad: Any) -> float:
    shared, union, around = _ways(points, quad)
    return shared / union - (around - union) / around


def _slope(points: Any, quad: Any, step: float = 1e-6) -> Any:
    """Of the generalised overlap by each coordinate, from differences."""
    flat = points.reshape(-1)
    rows = []
    for at in range(len(flat)):
        move = torch.zeros_like(flat)
        move[at] = step
        more, less = (_giou((flat + way * move).reshape(-1, 2), quad) for way in (1, -1))
        rows.append((more - less) / (2 * step))
    return torch.tensor(rows, dtype=torch.float64)


def _sets(t: Trial, count: int) -> Any:
    """Nine points each around a middle, and quadrangles over them."""
    middle = t.uniform(5, 15, count, 1, 2)
    points = t.tensor(middle + t.normal(count, 9, 2, scale=3))
    parts = [middle[:, 0] + t.normal(count, 2), t.uniform(3, 8, count, 2), t.uniform(-3, 3, count, 1)]
    boxes = torch.cat([torch.as_tensor(part) for part in parts], 1)
    return points, t.tensor(corners(boxes))


@SUITE.check("convex_iou", "convex_giou", devices=GPU)
def convex_iou(t: Trial) -> None:
    points, quads = _sets(t, 8)
    exact, shapes = points.cpu().double(), quads.cpu().double()
    want = torch.zeros(8, 8, dtype=torch.float64)
    for i in range(8):
        for j in range(8):
            shared, union, _ = _ways(exact[i], shapes[j])
            want[i, j] = shared / union
    t.close("overlaps", t.ops.convex_iou(points.reshape(8, 18), quads.reshape(8, 8)), want)
    got, slopes = t.ops.convex_giou(points.reshape(8, 18), quads.reshape(8, 8))
    t.close("generalised", got, [_giou(one, other) for one, other in zip(exact, shapes)])
    t.close("slopes", slopes, torch.stack([_slope(one, other) for one, other in zip(exact, shapes)]))


def _rectangles(points: Any) -> list[tuple[float, Any]]:
    """For every side of the hull, the rectangle along it: area and corners."""
    hull = torch.tensor(hull_of(points.tolist()), dtype=torch.float64)
    found = []
    for start, stop in zip(hull, hull.roll(-1, 0)):
        along = (stop - start) / (stop - start).norm()
        across = torch.stack([-along[1], along[0]])
        u, v = hull @ along, hull @ across
        ends = [(u.max(), v.min()), (u.min(), v.min()), (u.min(), v.max()), (u.max(), v.max())]
        size = float((u.max() - u.min()) * (v.max() - v.min()))
        found.append((size, torch.stack([a * along + b * across for a, b in ends])))
    return sorted(found, key=lambda one: one[0])


def _clear(points: Any) -> bool:
    """Whether the smallest rectangle is smaller than any other by more than rounding."""
    for one in points.cpu().double():
        found = _rectangles(one)
        if found[1][0] < found[0][0] * 1.001:
            return False
    return True


def _aligned(got: Any, want: Any) -> Any:
    """The corners in the order in which they are nearest to those expected."""
    orders = [way.roll(turn, 0) for way in (got, got.flip(0)) for turn in range(4)]
    return min(orders, key=lambda one: float((one - want).abs().max()))


@SUITE.check("min_area_polygons", devices=GPU)
def min_area_polygons(t: Trial) -> None:
    points = draw(lambda: _sets(t, 7)[0], _clear)
    want = torch.stack([_rectangles(one)[0][1] for one in points.cpu().double()])
    got = t.ops.min_area_polygons(points.reshape(7, 18))
    t.settle()
    shapes = got.cpu().double().reshape(7, 4, 2)
    t.close("corners", torch.stack([_aligned(one, other) for one, other in zip(shapes, want)]), want)


# ---------------------------------------------------------------- overlaps with slopes


def _shared(first: Any, second: Any) -> Any:
    """The area that two boxes share, differentiable."""
    one, other = ([tuple(point) for point in corners(box)] for box in (first, second))
    cut = clip(one, other)
    return abs(area(cut)) if cut else first.sum() * 0


def flat_iou(first: Any, second: Any) -> Any:
    rows = []
    for one, other in zip(first[0], second[0]):
        shared = _shared(one, other)
        rows.append(shared / (one[2] * one[3] + other[2] * other[3] - shared))
    return torch.stack(rows)[None]


def solid_iou(first: Any, second: Any) -> Any:
    rows = []
    for one, other in zip(first[0], second[0]):
        flat = [0, 1, 3, 4, 6]
        high = torch.min(one[2] + one[5] / 2, other[2] + other[5] / 2)
        low = torch.max(one[2] - one[5] / 2, other[2] - other[5] / 2)
        shared = _shared(one[flat], other[flat]) * (high - low).clamp(min=0)
        rows.append(shared / (one[3:6].prod() + other[3:6].prod() - shared))
    return torch.stack(rows)[None]


def _pairs(t: Trial, dims: int, count: int) -> Any:
    """Boxes (x, y, [z,] sizes, angle) of which most meet."""
    parts = [t.uniform(-1, 1, 1, count, dims), t.uniform(2, 5, 1, count, dims), t.uniform(-3, 3, 1, count, 1)]
    return torch.cat([torch.as_tensor(part) for part in parts], 2)


@SUITE.check("diff_iou_rotated_2d", "diff_iou_rotated_3d", devices=GPU)
def diff_iou_rotated(t: Trial) -> None:
    flat = [_pairs(t, 2, 12), _pairs(t, 2, 12)]
    t.versus("2d", t.ops.diff_iou_rotated_2d, flat_iou, flat, grads=[0, 1], factor=10)
    solid = [_pairs(t, 3, 12), _pairs(t, 3, 12)]
    t.versus("3d", t.ops.diff_iou_rotated_3d, solid_iou, solid, grads=[0, 1], factor=10)
    far = t.tensor(flat[0]) + t.tensor([50.0, 0.0, 0.0, 0.0, 0.0])
    t.close("apart", t.ops.diff_iou_rotated_2d(far, t.tensor(flat[1])), torch.zeros(1, 12))
