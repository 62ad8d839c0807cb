"""Overlaps of boxes, and what is suppressed because of them."""

from __future__ import annotations

import math
from typing import Any, Callable

import torch

from . import polygons as geometry
from .sampling import fill

# ---------------------------------------------------------------- overlaps


def _straight(first: Any, second: Any, offset: float) -> tuple[Any, Any, Any]:
    """Shared and own areas of boxes (..., 4) that broadcast."""
    low = torch.max(first[..., :2], second[..., :2])
    size = (torch.min(first[..., 2:], second[..., 2:]) - low + offset).clamp(min=0)
    own = (first[..., 2] - first[..., 0] + offset) * (first[..., 3] - first[..., 1] + offset)
    other = (second[..., 2] - second[..., 0] + offset) * (second[..., 3] - second[..., 1] + offset)
    return size[..., 0] * size[..., 1], own, other


def bbox_overlaps(bboxes1: Any, bboxes2: Any, ious: Any, mode: int, aligned: bool, offset: int) -> None:
    first, second = (bboxes1, bboxes2) if aligned else (bboxes1[:, None], bboxes2[None])
    shared, own, other = _straight(first, second, offset)
    whole = (own + other - shared) if mode == 0 else own.expand_as(shared)
    fill(ious, shared / whole.clamp(min=float(offset)) if offset else shared / whole)


def _quadrangles(boxes: Any) -> Any:
    return boxes.double().reshape(-1, 4, 2)


def box_iou_rotated(boxes1: Any, boxes2: Any, ious: Any, mode_flag: int, aligned: bool) -> None:
    found = geometry.overlaps(
        geometry.corners(boxes1), geometry.corners(boxes2), iof=mode_flag == 1, aligned=aligned
    )
    fill(ious, found)


def box_iou_quadri(boxes1: Any, boxes2: Any, ious: Any, mode_flag: int, aligned: bool) -> None:
    found = geometry.overlaps(_quadrangles(boxes1), _quadrangles(boxes2), iof=mode_flag == 1, aligned=aligned)
    fill(ious, found)


def convex_iou(pointsets: Any, polygons: Any, ious: Any) -> None:
    fill(ious, geometry.hull_overlaps(pointsets.reshape(-1, 9, 2), _quadrangles(polygons)))


def convex_giou(pointsets: Any, polygons: Any, output: Any) -> None:
    points = pointsets.double().reshape(-1, 9, 2).detach().requires_grad_()
    with torch.enable_grad():
        found = geometry.hull_giou(points, _quadrangles(polygons))
    (slope,) = torch.autograd.grad(found.sum(), [points])
    fill(output, torch.cat([slope.reshape(-1, 18), found.detach()[:, None]], 1))


def min_area_polygons(pointsets: Any, polygons: Any) -> None:
    fill(polygons, geometry.smallest_boxes(pointsets.reshape(-1, 9, 2)))


def points_in_polygons_forward(points: Any, polygons: Any, output: Any) -> None:
    """Whether each point is in each quadrangle: an odd number of edges lies to its right."""
    corner = polygons.reshape(1, -1, 4, 2)
    before = corner.roll(1, 2)
    x, y = points[:, None, None, 0], points[:, None, None, 1]
    crosses = (corner[..., 1] < y) != (before[..., 1] < y)
    high = torch.where(crosses, before[..., 1] - corner[..., 1], torch.ones_like(y * before[..., 1]))
    at = corner[..., 0] + (y - corner[..., 1]) * (before[..., 0] - corner[..., 0]) / high
    fill(output, (crosses & (at > x)).sum(-1) % 2)


def diff_iou_rotated_sort_vertices_forward(vertices: Any, mask: Any, num_valid: Any) -> Any:
    """Indices of the valid vertices around the origin from the x axis on, closed, and padded.

    There are nine; what pads is the first intersection (place 8 and on) that is not valid.
    """
    angle = torch.remainder(torch.atan2(vertices[..., 1], vertices[..., 0]), 2 * math.pi)
    order = angle.masked_fill(~mask, float("inf")).argsort(-1)[..., :9]
    empty = (~mask[..., 8:]).to(torch.uint8).max(-1)[1] + 8
    count = num_valid.long().clamp(max=8)[..., None]
    place = torch.arange(9, device=vertices.device).expand_as(order)
    closed = torch.where(place == count, order[..., :1].expand_as(order), order)
    kept = (place <= count) & (count >= 3)
    return torch.where(kept, closed, empty[..., None].expand_as(order)).int()


# ---------------------------------------------------------------- suppression


def _greedy(order: Any, over: Callable[[Any], Any]) -> Any:
    """Places of `order` that remain when each suppresses later ones; `over(rows)` is a (rows, all) mask."""
    count = len(order)
    gone = torch.zeros(count, dtype=torch.bool)
    kept = []
    step = max(1, (1 << 24) // max(1, count))
    for start in range(0, count, step):
        block = over(slice(start, min(start + step, count))).cpu()
        for row in range(len(block)):
            if not gone[start + row]:
                kept.append(start + row)
                gone |= block[row]
    return order[torch.tensor(kept, dtype=torch.long, device=order.device)]


def nms(boxes: Any, scores: Any, iou_threshold: float, offset: int) -> Any:
    order = scores.sort(0, descending=True)[1]
    placed = boxes[order].float() if boxes.dtype == torch.float16 else boxes[order]

    def over(rows: Any) -> Any:
        shared, own, other = _straight(placed[rows, None], placed[None], offset)
        return shared / (own + other - shared) > iou_threshold

    return _greedy(order, over)


def _polygon_nms(quads: Any, order: Any, labels: Any, threshold: float) -> Any:
    def over(rows: Any) -> Any:
        found = geometry.overlaps(quads[rows], quads) > threshold
        return found if labels is None else found & (labels[rows, None] == labels[None])

    return _greedy(order, over)


def nms_rotated(
    dets: Any, scores: Any, order: Any, dets_sorted: Any, labels: Any, iou_threshold: float, multi_label: int
) -> Any:
    classes = dets_sorted[:, 5] if multi_label else None
    return _polygon_nms(geometry.corners(dets_sorted[:, :5]), order, classes, iou_threshold)


def nms_rotated_v1(
    dets: Any, scores: Any, order: Any, dets_sorted: Any, iou_threshold: float, multi_label: int
) -> Any:
    return nms_rotated(dets, scores, order, dets_sorted, None, iou_threshold, multi_label)


def nms_quadri(
    dets: Any, scores: Any, order: Any, dets_sorted: Any, iou_threshold: float, multi_label: int
) -> Any:
    classes = dets_sorted[:, 8] if multi_label else None
    return _polygon_nms(_quadrangles(dets_sorted[:, :8]), order, classes, iou_threshold)


def softnms(
    boxes: Any, scores: Any, dets: Any, iou_threshold: float, sigma: float, min_score: float, method: int,
    offset: int,
) -> Any:  # fmt: skip
    left = torch.arange(len(boxes), device=boxes.device)
    places, marks = boxes, scores.clone()
    chosen: list[int] = []
    while len(left):
        best = int(marks.argmax())
        mark = marks[best].clone()
        row = len(chosen)
        dets[row, :4], dets[row, 4] = places[best], mark
        chosen.append(int(left[best]))
        others = torch.arange(len(left), device=left.device) != best
        box = places[best]
        left, places, marks = left[others], places[others], marks[others]
        shared, own, other = _straight(box[None], places, offset)
        part = shared / (own + other - shared)
        if method == 0:
            weight = (part < iou_threshold).to(marks.dtype)
        elif method == 1:
            weight = torch.where(part >= iou_threshold, 1 - part, torch.ones_like(part))
        else:
            weight = torch.exp(-(part * part) / sigma)
        marks = marks * weight
        kept = marks >= min_score
        left, places, marks = left[kept], places[kept], marks[kept]
    return torch.tensor(chosen, dtype=torch.long)


def nms_match(dets: Any, iou_threshold: float) -> list[list[int]]:
    """Groups of boxes: one that stays, and those that it suppresses."""
    left = dets[:, 4].sort(0, descending=True)[1]
    groups = []
    while len(left):
        box = dets[left[:1], :4]
        shared, own, other = _straight(box, dets[left, :4], 0)
        near = shared / (own + other - shared) >= iou_threshold
        near[0] = True
        groups.append(left[near].tolist())
        left = left[~near]
    return groups


# ---------------------------------------------------------------- boxes in space, from above


def _seen(boxes: Any) -> Any:
    return geometry.corners(boxes[:, [0, 1, 3, 4, 6]])


def iou3d_boxes_overlap_bev_forward(boxes_a: Any, boxes_b: Any, ans_iou: Any) -> None:
    first, second = _seen(boxes_a), _seen(boxes_b)
    if not len(first) or not len(second):
        return
    shape = (len(first), len(second), 4, 2)
    shared = geometry.shared_area(
        geometry.counterclockwise(first)[:, None].expand(shape),
        geometry.counterclockwise(second)[None].expand(shape),
    )
    fill(ans_iou, shared)


def _told(kept: Any, keep: Any, num_out: Any) -> None:
    keep[: len(kept)] = kept.to(keep.device)
    num_out.fill_(len(kept))


def iou3d_nms3d_forward(boxes: Any, keep: Any, num_out: Any, nms_overlap_thresh: float) -> None:
    order = torch.arange(len(boxes), device=boxes.device)
    _told(_polygon_nms(_seen(boxes), order, None, nms_overlap_thresh), keep, num_out)


def iou3d_nms3d_normal_forward(boxes: Any, keep: Any, num_out: Any, nms_overlap_thresh: float) -> None:
    plain = torch.cat([boxes[:, :2] - boxes[:, 3:5] / 2, boxes[:, :2] + boxes[:, 3:5] / 2], 1)
    order = torch.arange(len(boxes), device=boxes.device)

    def over(rows: Any) -> Any:
        shared, own, other = _straight(plain[rows, None], plain[None], 0)
        return shared / (own + other - shared) > nms_overlap_thresh

    _told(_greedy(order, over), keep, num_out)
