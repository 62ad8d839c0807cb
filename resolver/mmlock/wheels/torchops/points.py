"""Neighbours in point clouds, and features that are gathered by index."""

from __future__ import annotations

from typing import Any, Iterator

import torch

from .sampling import add, fill


def _squares(first: Any, second: Any) -> Any:
    """Squared distances of all pairs of (..., N, D) and (..., M, D), by differences: no digits are lost."""
    parts = (first[..., :, None, at] - second[..., None, :, at] for at in range(first.shape[-1]))
    total = None
    for part in parts:
        total = part * part if total is None else total + part * part
    return total


def _chunks(count: int, partners: int) -> Iterator[slice]:
    """Slices whose pairs with `partners` others fit into memory."""
    step = max(1, (1 << 24) // max(1, partners))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


# ---------------------------------------------------------------- neighbours


def knn_forward(
    xyz_tensor: Any, new_xyz_tensor: Any, idx_tensor: Any, dist2_tensor: Any, b: int, n: int, m: int,
    nsample: int,
) -> None:  # fmt: skip
    for part in _chunks(m, n * b):
        near, at = _squares(new_xyz_tensor[:, part], xyz_tensor).topk(min(nsample, n), dim=-1, largest=False)
        idx_tensor[:, part, : near.shape[-1]] = at.to(idx_tensor.dtype)
        dist2_tensor[:, part, : near.shape[-1]] = near.to(dist2_tensor.dtype)


def _first_inside(inside: Any, count: int) -> tuple[Any, Any]:
    """The first `count` true columns of each row, the very first repeated; and which rows have any."""
    number = inside.cumsum(-1)
    have = number[..., -1:] > 0
    place = torch.arange(inside.shape[-1], device=inside.device).expand_as(inside)
    # Column k of the result is the place where the running number becomes k + 1.
    rank = torch.where(inside & (number <= count), number - 1, torch.full_like(number, count))
    found = torch.zeros(*inside.shape[:-1], count + 1, dtype=torch.long, device=inside.device)
    found.scatter_(-1, rank, place)
    found = found[..., :count]
    order = torch.arange(count, device=inside.device).expand_as(found)
    return torch.where(order < number[..., -1:], found, found[..., :1].expand_as(found)), have[..., 0]


def ball_query_forward(
    new_xyz_tensor: Any, xyz_tensor: Any, idx_tensor: Any, b: int, n: int, m: int, min_radius: float,
    max_radius: float, nsample: int,
) -> None:  # fmt: skip
    for part in _chunks(m, n * b):
        squared = _squares(new_xyz_tensor[:, part], xyz_tensor)
        inside = (squared == 0) | ((squared >= min_radius**2) & (squared < max_radius**2))
        found, have = _first_inside(inside, nsample)
        idx_tensor[:, part] = torch.where(have[..., None], found.to(idx_tensor.dtype), idx_tensor[:, part])


def stack_ball_query_forward(
    new_xyz_tensor: Any, new_xyz_batch_cnt: Any, xyz_tensor: Any, xyz_batch_cnt: Any, idx_tensor: Any,
    max_radius: float, nsample: int,
) -> None:  # fmt: skip
    centres, points = 0, 0
    for many, others in zip(new_xyz_batch_cnt.tolist(), xyz_batch_cnt.tolist()):
        cloud = xyz_tensor[points : points + others]
        for part in _chunks(many, others):
            rows = slice(centres + part.start, centres + part.stop)
            found, have = _first_inside(_squares(new_xyz_tensor[rows], cloud) < max_radius**2, nsample)
            kept = idx_tensor[rows].clone()
            kept[:, 0] = -1
            idx_tensor[rows] = torch.where(have[:, None], found.to(kept.dtype), kept)
        centres, points = centres + many, points + others


def _furthest(temp: Any, idx: Any, m: int, reach: Any) -> None:
    """Fill `idx` with points of which each is the furthest from those before it; the first is point 0."""
    row = torch.arange(temp.shape[0], device=temp.device)
    last = torch.zeros_like(row)
    for at in range(m):
        idx[:, at] = last.to(idx.dtype)
        temp.copy_(torch.min(temp, reach(row, last)))
        last = temp.argmax(1)


def furthest_point_sampling_forward(
    points_tensor: Any, temp_tensor: Any, idx_tensor: Any, b: int, n: int, m: int
) -> None:
    def reach(row: Any, last: Any) -> Any:
        return ((points_tensor - points_tensor[row, last][:, None]) ** 2).sum(-1)

    _furthest(temp_tensor, idx_tensor, m, reach)


def furthest_point_sampling_with_dist_forward(
    points_tensor: Any, temp_tensor: Any, idx_tensor: Any, b: int, n: int, m: int
) -> None:
    _furthest(temp_tensor, idx_tensor, m, lambda row, last: points_tensor[row, last])


def three_nn_forward(
    unknown_tensor: Any, known_tensor: Any, dist2_tensor: Any, idx_tensor: Any, b: int, n: int, m: int
) -> None:
    for part in _chunks(n, m * b):
        near, at = _squares(unknown_tensor[:, part], known_tensor).topk(min(3, m), dim=-1, largest=False)
        dist2_tensor[:, part, : near.shape[-1]] = near.to(dist2_tensor.dtype)
        idx_tensor[:, part, : near.shape[-1]] = at.to(idx_tensor.dtype)


def chamfer_distance_forward(xyz1: Any, xyz2: Any, dist1: Any, dist2: Any, idx1: Any, idx2: Any) -> None:
    for own, other, distance, index in ((xyz1, xyz2, dist1, idx1), (xyz2, xyz1, dist2, idx2)):
        for part in _chunks(own.shape[1], other.shape[1] * own.shape[0]):
            near, at = _squares(own[:, part], other).min(-1)
            distance[:, part], index[:, part] = near.to(distance.dtype), at.to(index.dtype)


def chamfer_distance_backward(
    xyz1: Any, xyz2: Any, idx1: Any, idx2: Any, graddist1: Any, graddist2: Any, gradxyz1: Any, gradxyz2: Any
) -> None:
    sides = (
        (xyz1, xyz2, idx1, graddist1, gradxyz1, gradxyz2),
        (xyz2, xyz1, idx2, graddist2, gradxyz2, gradxyz1),
    )
    for own, other, index, slope, grad_own, grad_other in sides:
        at = index.long()[..., None].expand_as(own)
        pull = 2 * slope[..., None] * (own - other.gather(1, at))
        grad_own.add_(pull)
        grad_other.scatter_add_(1, at, -pull)


def chamfer_distance_backward_v1(
    xyz1: Any, xyz2: Any, gradxyz1: Any, gradxyz2: Any, graddist1: Any, graddist2: Any, idx1: Any, idx2: Any
) -> None:
    chamfer_distance_backward(xyz1, xyz2, idx1, idx2, graddist1, graddist2, gradxyz1, gradxyz2)


# ---------------------------------------------------------------- gathered features


def _gathered(features: Any, index: Any) -> Any:
    """Columns of (B, C, N) by (B, K): (B, C, K)."""
    return features.gather(2, index.long()[:, None].expand(-1, features.shape[1], -1))


def _scattered(target: Any, index: Any, slope: Any) -> None:
    target.scatter_add_(2, index.long()[:, None].expand(-1, target.shape[1], -1), slope.to(target.dtype))


def gather_points_forward(
    points_tensor: Any, idx_tensor: Any, out_tensor: Any, b: int, c: int, n: int, npoints: int
) -> None:
    fill(out_tensor, _gathered(points_tensor, idx_tensor))


def gather_points_backward(
    grad_out_tensor: Any, idx_tensor: Any, grad_points_tensor: Any, b: int, c: int, n: int, npoints: int
) -> None:
    _scattered(grad_points_tensor, idx_tensor, grad_out_tensor)


def group_points_forward(
    points_tensor: Any, idx_tensor: Any, out_tensor: Any, b: int, c: int, n: int, npoints: int, nsample: int
) -> None:
    fill(out_tensor, _gathered(points_tensor, idx_tensor.flatten(1)))


def group_points_backward(
    grad_out_tensor: Any, idx_tensor: Any, grad_points_tensor: Any, b: int, c: int, n: int, npoints: int,
    nsample: int,
) -> None:  # fmt: skip
    _scattered(grad_points_tensor, idx_tensor.flatten(1), grad_out_tensor.flatten(2))


def _stacked(index: Any, index_counts: Any, counts: Any) -> tuple[Any, Any]:
    """Indices into a stack of clouds from those into each cloud, and which are in their own cloud."""
    own, many = counts.long(), index_counts.long()
    start = own.cumsum(0) - own
    first = start.repeat_interleave(many)[:, None]
    size = own.repeat_interleave(many)[:, None]
    index = index.long()
    inside = (index >= 0) & (index < size)
    return torch.where(inside, index + first, torch.zeros_like(index)), inside


def stack_group_points_forward(
    features_tensor: Any, features_batch_cnt_tensor: Any, idx_tensor: Any, idx_batch_cnt_tensor: Any,
    out_tensor: Any, b: int, c: int, m: int, nsample: int,
) -> None:  # fmt: skip
    at, inside = _stacked(idx_tensor, idx_batch_cnt_tensor, features_batch_cnt_tensor)
    found = features_tensor[at] * inside[..., None].to(features_tensor.dtype)
    fill(out_tensor, found.permute(0, 2, 1))


def stack_group_points_backward(
    grad_out_tensor: Any, idx_tensor: Any, idx_batch_cnt_tensor: Any, features_batch_cnt_tensor: Any,
    grad_features_tensor: Any, b: int, c: int, m: int, n: int, nsample: int,
) -> None:  # fmt: skip
    at, inside = _stacked(idx_tensor, idx_batch_cnt_tensor, features_batch_cnt_tensor)
    slope = grad_out_tensor.permute(0, 2, 1) * inside[..., None].to(grad_out_tensor.dtype)
    grad_features_tensor.index_add_(0, at.reshape(-1), slope.reshape(-1, c))


def three_interpolate_forward(
    points_tensor: Any, idx_tensor: Any, weight_tensor: Any, out_tensor: Any, b: int, c: int, m: int, n: int
) -> None:
    near = _gathered(points_tensor, idx_tensor.flatten(1)).reshape(b, c, n, 3)
    fill(out_tensor, (near * weight_tensor[:, None]).sum(-1))


def three_interpolate_backward(
    grad_out_tensor: Any, idx_tensor: Any, weight_tensor: Any, grad_points_tensor: Any, b: int, c: int,
    n: int, m: int,
) -> None:  # fmt: skip
    slope = grad_out_tensor[..., None] * weight_tensor[:, None]
    _scattered(grad_points_tensor, idx_tensor.flatten(1), slope.flatten(2))


# ---------------------------------------------------------------- weighted neighbours (PAConv)


def _neighbours(knn_idx: Any, count: int) -> tuple[Any, Any, Any]:
    """Index of each neighbour and of the centre it belongs to, and which neighbours there are."""
    inside = (knn_idx >= 0) & (knn_idx < count)
    own = torch.where(inside, knn_idx, torch.zeros_like(knn_idx)).flatten(1)
    centre = knn_idx[..., :1].clamp(0, max(0, count - 1)).expand_as(knn_idx).flatten(1)
    return own, centre, inside


def _picked(features: Any, index: Any) -> Any:
    """Rows of (B, N, M, O) by (B, K): (B, K, M, O)."""
    return features.gather(1, index[..., None, None].expand(-1, -1, *features.shape[2:]))


def assign_score_withk_forward(
    points: Any, centers: Any, scores: Any, knn_idx: Any, output: Any, B: int, N0: int, N1: int, M: int,
    K: int, O: int, aggregate: int,
) -> None:  # fmt: skip
    own, centre, inside = _neighbours(knn_idx, N0)
    edge = (_picked(points, own) - _picked(centers, centre)).reshape(B, N1, K, M, O)
    found = torch.einsum("bnkmo,bnkm->bonk", edge, scores * inside[..., None].to(scores.dtype))
    add(output, found)


def assign_score_withk_backward(
    grad_out: Any, points: Any, centers: Any, scores: Any, knn_idx: Any, grad_points: Any, grad_centers: Any,
    grad_scores: Any, B: int, N0: int, N1: int, M: int, K: int, O: int, aggregate: int,
) -> None:  # fmt: skip
    own, centre, inside = _neighbours(knn_idx, N0)
    slope = grad_out * inside[:, None].to(grad_out.dtype)
    edge = (_picked(points, own) - _picked(centers, centre)).reshape(B, N1, K, M, O)
    add(grad_scores, torch.einsum("bnkmo,bonk->bnkm", edge, slope))
    pull = torch.einsum("bnkm,bonk->bnkmo", scores, slope).reshape(B, N1 * K, M, O)
    grad_points.scatter_add_(1, own[..., None, None].expand_as(pull), pull)
    grad_centers.scatter_add_(1, centre[..., None, None].expand_as(pull), -pull)
