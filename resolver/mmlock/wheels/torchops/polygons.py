"""Areas that convex polygons share, their hulls, and boxes around them, all pairs at once.

The boundary of what two convex polygons share is made of the parts of either's edges that lie in the other;
its area is the sum of their cross products. Everything is computed in float64: what is nearly parallel in
float32 is told apart there, and what is parallel is so exactly.
"""

from __future__ import annotations

import math
from typing import Any

import torch

_NEAR = 1e-9
"""Distances below this, in units of the size of a polygon, are none."""


def cross(first: Any, second: Any) -> Any:
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]


def corners(boxes: Any) -> Any:
    """The corners of boxes (x, y, w, h, angle), in order: (..., 4, 2)."""
    x, y, w, h, angle = boxes.double().unbind(-1)
    along = torch.stack([angle.cos() * w / 2, angle.sin() * w / 2], -1)
    across = torch.stack([-angle.sin() * h / 2, angle.cos() * h / 2], -1)
    middle = torch.stack([x, y], -1)
    return torch.stack(
        [middle - along - across, middle + along - across, middle + along + across, middle - along + across],
        -2,
    )


def area(polygon: Any) -> Any:
    """Signed area of polygons (..., points, 2)."""
    return cross(polygon, polygon.roll(-1, -2)).sum(-1) / 2


def counterclockwise(polygon: Any) -> Any:
    """Polygons with their points in mathematical order."""
    return torch.where((area(polygon) < 0)[..., None, None], polygon.flip(-2), polygon)


def _inside(start: Any, stop: Any, wall: Any, way: Any, real: Any, closed: bool) -> Any:
    """Cross products of the parts of segments that lie left of all walls, summed.

    Segments are (..., S, 2), walls (..., W, 2) with their directions `way`; `real` (..., W) tells which walls
    count. On a wall itself a segment counts only if `closed`, and if it runs the way the wall does.
    """
    along = stop - start
    reach = start[..., :, None, :] - wall[..., None, :, :]
    side = cross(way[..., None, :, :], reach)
    slope = cross(way[..., None, :, :], along[..., :, None, :])
    # Two lengths make a side: a segment is on a wall if both its ends are.
    small = _NEAR * (way.abs().sum(-1)[..., None, :] * (1 + reach.abs().sum(-1)) + 1e-30)
    level = (side.abs() <= small) & ((side + slope).abs() <= small)
    same = (way[..., None, :, :] * along[..., :, None, :]).sum(-1) > 0
    flat = slope == 0
    meet = -side / torch.where(flat, torch.ones_like(slope), slope)
    enter = torch.where(
        slope > 0, meet, torch.where(flat & (side < 0), torch.full_like(meet, 2.0), -meet * 0 - 1)
    )
    leave = torch.where(slope < 0, meet, torch.full_like(meet, 2.0))
    out = level & ~same if closed else level
    enter = torch.where(
        level, torch.where(out, torch.full_like(enter, 2.0), torch.full_like(enter, -1.0)), enter
    )
    leave = torch.where(level, torch.full_like(leave, 2.0), leave)
    unreal = ~real[..., None, :]
    enter = enter.masked_fill(unreal, -1.0).max(-1)[0].clamp(min=0)
    leave = leave.masked_fill(unreal, 2.0).min(-1)[0].clamp(max=1)
    first, last = start + enter[..., None] * along, start + leave[..., None] * along
    return torch.where(leave > enter, cross(first, last), torch.zeros_like(enter))


def shared_area(first: Any, second: Any) -> Any:
    """Areas that counterclockwise convex polygons (..., P, 2) and (..., Q, 2) share."""
    middle = first.detach().mean(-2, keepdim=True)
    first, second = first - middle, second - middle
    return shared_edges((first, first.roll(-1, -2), None), (second, second.roll(-1, -2), None))


def shared_edges(first: Any, second: Any) -> Any:
    """The same for polygons given as edges: starts, stops, and which are real (None: all)."""
    parts = []
    for own, other, closed in ((first, second, True), (second, first, False)):
        start, stop, real = own
        wall, end, walls = other
        if walls is None:
            walls = torch.ones_like(wall[..., 0], dtype=torch.bool)
        found = _inside(start, stop, wall, end - wall, walls, closed)
        parts.append((found if real is None else found * real).sum(-1))
    return (parts[0] + parts[1]).clamp(min=0) / 2


def hull(points: Any) -> Any:
    """The edges of the hulls of points (..., P, 2): starts, stops, and which of all pairs are edges."""
    count = points.shape[-2]
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    at = torch.tensor(pairs, device=points.device)
    start, stop = points[..., at[:, 0], :], points[..., at[:, 1], :]
    way = stop - start
    reach = points[..., None, :, :] - start[..., :, None, :]
    side = cross(way[..., :, None, :], reach)
    length = (way * way).sum(-1)
    small = _NEAR * (length[..., None] + (reach * reach).sum(-1))
    share = (way[..., :, None, :] * reach).sum(-1)
    level = side.abs() <= small
    beyond = level & ((share < -small) | (share > length[..., None] + small))
    real = ((side >= -small) & ~beyond).all(-1) & (length > 0)
    # Of equal points the first stands for all.
    near = (points[..., :, None, :] - points[..., None, :, :]).abs().sum(-1) == 0
    earlier = torch.ones(count, count, dtype=torch.bool, device=points.device).tril(-1)
    twin = (near & earlier).any(-1)
    return start, stop, real & ~twin[..., at[:, 0]] & ~twin[..., at[:, 1]]


def hull_area(edges: Any) -> Any:
    """The area inside of edges that go around counterclockwise."""
    start, stop, real = edges
    return (cross(start, stop) * real).sum(-1) / 2


def _ratio(shared: Any, own: Any, other: Any, iof: bool) -> Any:
    whole = own if iof else own + other - shared
    found = shared / torch.where(whole > 0, whole, torch.ones_like(whole))
    return torch.where((own < 1e-14) | (other < 1e-14), torch.zeros_like(found), found)


def overlaps(first: Any, second: Any, *, iof: bool = False, aligned: bool = False) -> Any:
    """Overlap of convex quadrangles (N, 4, 2) with others (M, 4, 2): (N, M), or (N,) of pairs."""
    ours, theirs = counterclockwise(first.double()), counterclockwise(second.double())
    own, other = area(ours), area(theirs)
    if aligned:
        return _ratio(shared_area(ours, theirs), own, other, iof)
    rows = []
    for part, one in zip(_split(ours, len(theirs)), _split(own, len(theirs))):
        shape = (len(part), len(theirs), 4, 2)
        shared = shared_area(part[:, None].expand(shape), theirs[None].expand(shape))
        rows.append(_ratio(shared, one[:, None], other[None], iof))
    return torch.cat(rows) if rows else own.new_zeros(0, len(theirs))


def _split(tensor: Any, partners: int) -> Any:
    """Parts whose pairs with `partners` others fit into memory; none of nothing."""
    return tensor.split(max(1, (1 << 19) // max(1, partners))) if len(tensor) else ()


# ---------------------------------------------------------------- point sets


def hull_overlaps(pointsets: Any, polygons: Any) -> Any:
    """Overlap of the hulls of point sets (N, P, 2) with quadrangles (K, 4, 2): (N, K)."""
    quads = counterclockwise(polygons.double())
    rows = []
    for part in _split(pointsets.double(), 8 * len(quads)):
        middle = part.mean(1, keepdim=True)
        edges = hull(part - middle)
        own = hull_area(edges)
        moved = quads[None] - middle[:, None]
        wide = [one[:, None].expand(-1, len(quads), *one.shape[1:]) for one in edges]
        shared = shared_edges(tuple(wide), (moved, moved.roll(-1, -2), None))
        rows.append(shared / (own[:, None] + area(quads)[None] - shared))
    return torch.cat(rows) if rows else quads.new_zeros(len(pointsets), len(quads))


def hull_giou(pointsets: Any, polygons: Any) -> Any:
    """Generalised overlap of each hull (N, P, 2) with its quadrangle (N, 4, 2), differentiable."""
    middle = pointsets.detach().mean(1, keepdim=True)
    points, quads = pointsets - middle, counterclockwise(polygons) - middle
    edges = hull(points)
    shared = shared_edges(edges, (quads, quads.roll(-1, -2), None))
    union = hull_area(edges) + area(quads) - shared
    around = hull_area(hull(torch.cat([points, quads], 1)))
    return shared / union - (around - union) / around


def smallest_boxes(pointsets: Any) -> Any:
    """The smallest rectangles of any orientation around point sets (N, P, 2): (N, 4, 2)."""
    points = pointsets.double()
    start, stop, real = hull(points)
    way = stop - start
    angle = torch.remainder(torch.atan2(way[..., 1], way[..., 0]), math.pi / 2)
    cos, sin = angle.cos(), angle.sin()
    x = points[:, None, :, 0] * cos[..., None] + points[:, None, :, 1] * sin[..., None]
    y = points[:, None, :, 1] * cos[..., None] - points[:, None, :, 0] * sin[..., None]
    ends = torch.stack([x.min(-1)[0], y.min(-1)[0], x.max(-1)[0], y.max(-1)[0]], -1)
    size = (ends[..., 2] - ends[..., 0]) * (ends[..., 3] - ends[..., 1])
    best = size.masked_fill(~real, float("inf")).min(-1)[1]
    row = torch.arange(len(points), device=points.device)
    ends, cos, sin = ends[row, best], cos[row, best], sin[row, best]
    picked = [(2, 1), (0, 1), (0, 3), (2, 3)]
    return torch.stack(
        [
            torch.stack([ends[:, a] * cos - ends[:, b] * sin, ends[:, a] * sin + ends[:, b] * cos], -1)
            for a, b in picked
        ],
        1,
    )
