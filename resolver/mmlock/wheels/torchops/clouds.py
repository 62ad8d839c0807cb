"""Boxes in space around points, voxels, and points that share one."""

from __future__ import annotations

from typing import Any

import torch

from .sampling import fill

# ---------------------------------------------------------------- points in boxes


def _local(points: Any, boxes: Any) -> tuple[Any, Any]:
    """Points (..., N, 3) seen from boxes (..., M, 7) that are on their z, and which are inside."""
    moved = points[..., :, None, :] - boxes[..., None, :, :3]
    angle = boxes[..., None, :, 6]
    cos, sin = angle.cos(), angle.sin()
    x = moved[..., 0] * cos + moved[..., 1] * sin
    y = moved[..., 1] * cos - moved[..., 0] * sin
    half = boxes[..., None, :, 3:6] / 2
    inside = (x.abs() < half[..., 0]) & (y.abs() < half[..., 1])
    inside = inside & ((moved[..., 2] - half[..., 2]).abs() <= half[..., 2])
    return torch.stack([x, y, moved[..., 2]], -1), inside


def points_in_boxes_cpu_forward(boxes_tensor: Any, pts_tensor: Any, pts_indices_tensor: Any) -> None:
    fill(pts_indices_tensor, _local(pts_tensor, boxes_tensor)[1].t())


def points_in_boxes_all_forward(boxes_tensor: Any, pts_tensor: Any, box_idx_of_points_tensor: Any) -> None:
    fill(box_idx_of_points_tensor, _local(pts_tensor, boxes_tensor)[1])


def points_in_boxes_part_forward(boxes_tensor: Any, pts_tensor: Any, box_idx_of_points_tensor: Any) -> None:
    if not box_idx_of_points_tensor.numel() or not boxes_tensor.shape[1]:
        return
    found, first = _local(pts_tensor, boxes_tensor)[1].to(torch.uint8).max(-1)
    fill(box_idx_of_points_tensor, torch.where(found > 0, first, torch.full_like(first, -1)))


def _running(inside: Any) -> Any:
    """The place of each true entry among those of its row, counted from 0."""
    return inside.long().cumsum(-1) - 1


def roipoint_pool3d_forward(
    xyz: Any, boxes3d: Any, pts_feature: Any, pooled_features: Any, pooled_empty_flag: Any
) -> None:
    """The first points in each box and their features, repeated in turn where there are too few."""
    sampled = pooled_features.shape[2]
    whole = torch.cat([xyz, pts_feature], 2)
    for n in range(len(xyz)):
        inside = _local(xyz[n], boxes3d[n])[1].t()
        for box, row in enumerate(inside):
            found = row.nonzero()[:sampled, 0]
            pooled_empty_flag[n, box] = int(not len(found))
            if len(found):
                place = torch.arange(sampled, device=xyz.device) % len(found)
                pooled_features[n, box] = whole[n, found[place]].to(pooled_features.dtype)


def _cells(rois: Any, pts: Any, size: tuple[int, int, int]) -> tuple[Any, Any]:
    """The cell of each point in each box, flattened, and which points are inside: (boxes, points)."""
    local, inside = _local(pts, rois)
    lengths = rois[:, 3:6]
    counts = torch.tensor(size, device=rois.device)
    start = torch.cat([lengths[:, :2] / 2, torch.zeros_like(lengths[:, :1])], 1)
    cell = ((local + start[None]) / (lengths / counts)[None]).long()
    cell = torch.min(cell.clamp(min=0), counts - 1)
    flat = (cell[..., 0] * size[1] + cell[..., 1]) * size[2] + cell[..., 2]
    return flat.t(), inside.t()


def roiaware_pool3d_forward(
    rois: Any, pts: Any, pts_feature: Any, argmax: Any, pts_idx_of_voxels: Any, pooled_features: Any,
    pool_method: int,
) -> None:  # fmt: skip
    """The largest (0) or mean (1) features of the points in every cell of every box."""
    size, channels = tuple(pooled_features.shape[1:4]), pooled_features.shape[4]
    room = pts_idx_of_voxels.shape[-1] - 1
    cells, inside = _cells(rois, pts, size)
    many = size[0] * size[1] * size[2]
    held = pts_idx_of_voxels.view(len(rois), many, room + 1)
    pooled, best = pooled_features.view(len(rois), many, channels), argmax.view(len(rois), many, channels)
    best.fill_(-1)
    for box in range(len(rois)):
        points = inside[box].nonzero()[:, 0]
        own = cells[box, points]
        for cell in own.unique().tolist():
            here = points[own == cell][:room]
            held[box, cell, 0] = len(here)
            held[box, cell, 1 : len(here) + 1] = here.to(held.dtype)
            if pool_method == 0:
                value, at = pts_feature[here].max(0)
                pooled[box, cell], best[box, cell] = value, here[at].to(best.dtype)
            else:
                pooled[box, cell] = pts_feature[here].mean(0)


def roiaware_pool3d_backward(
    pts_idx_of_voxels: Any, argmax: Any, grad_out: Any, grad_in: Any, pool_method: int
) -> None:
    channels = grad_out.shape[-1]
    slope = grad_out.reshape(-1, channels)
    if pool_method == 0:
        at = argmax.reshape(-1, channels).long()
        grad_in.scatter_add_(0, at.clamp(min=0), slope * (at >= 0).to(slope.dtype))
        return
    held = pts_idx_of_voxels.reshape(slope.shape[0], -1).long()
    count, index = held[:, :1], held[:, 1:]
    real = torch.arange(index.shape[1], device=index.device)[None] < count
    cell, column = real.nonzero().unbind(1)
    share = slope / count.clamp(min=1).to(slope.dtype)
    grad_in.index_add_(0, index[cell, column], share[cell])


# ---------------------------------------------------------------- voxels


def _voxels(points: Any, voxel_size: Any, coors_range: Any, dims: int) -> tuple[Any, Any]:
    """The voxel of each point, last dimension first, and which points are in the range."""
    sizes, bounds = [float(one) for one in voxel_size], [float(one) for one in coors_range]
    size = torch.tensor(sizes, device=points.device, dtype=points.dtype)
    low = torch.tensor(bounds[:dims], device=points.device, dtype=points.dtype)
    counts = [round((bounds[dims + at] - bounds[at]) / sizes[at]) for at in range(dims)]
    grid = torch.tensor(counts, device=points.device)
    cell = ((points[:, :dims] - low) / size).floor().long()
    return cell.flip(1), ((cell >= 0) & (cell < grid)).all(1)


def dynamic_voxelize_forward(points: Any, voxel_size: Any, coors_range: Any, coors: Any, NDim: int) -> None:
    cell, inside = _voxels(points, voxel_size, coors_range, NDim)
    fill(coors, torch.where(inside[:, None], cell, torch.full_like(cell, -1)))


def _groups(cell: Any) -> tuple[Any, Any, Any]:
    """For rows: the number of their group by first appearance, their place in it, the first of each group."""
    _, group, count = cell.unique(dim=0, return_inverse=True, return_counts=True)
    row = torch.arange(len(cell), device=cell.device)
    # Sorted by group and, within one, by row.
    order = (group * len(cell) + row).argsort()
    start = count.cumsum(0) - count
    place = torch.empty_like(row)
    place[order] = row - start[group[order]]
    first = order[start]
    rank = torch.empty_like(first)
    rank[first.argsort()] = torch.arange(len(first), device=cell.device)
    return rank[group], place, first.sort()[0]


def hard_voxelize_forward(
    points: Any, voxel_size: Any, coors_range: Any, voxels: Any, coors: Any, num_points_per_voxel: Any,
    voxel_num: Any, max_points: int, max_voxels: int, NDim: int, deterministic: bool,
) -> None:  # fmt: skip
    cell, inside = _voxels(points, voxel_size, coors_range, NDim)
    cell, kept = cell[inside], points[inside]
    if not len(cell):
        voxel_num.fill_(0)
        return
    group, place, first = _groups(cell)
    room = (group < max_voxels) if max_voxels != -1 else torch.ones_like(group, dtype=torch.bool)
    number = min(len(first), max_voxels) if max_voxels != -1 else len(first)
    coors[:number] = cell[first[:number]].to(coors.dtype)
    if max_points != -1:
        room = room & (place < max_points)
    voxels[group[room], place[room]] = kept[room].to(voxels.dtype)
    num_points_per_voxel[:number] = torch.bincount(group[room], minlength=number)[:number].to(
        num_points_per_voxel.dtype
    )
    voxel_num.fill_(number)


# ---------------------------------------------------------------- points reduced to voxels


def dynamic_point_to_voxel_forward(feats: Any, coors: Any, reduce_type: str) -> tuple[Any, Any, Any, Any]:
    if not len(feats):
        none = coors.new_empty(0, dtype=torch.int32)
        return feats.clone(), coors.clone(), none, none.clone()
    clean = coors.masked_fill((coors < 0).any(1, keepdim=True), -1)
    voxels, which, count = clean.unique(dim=0, return_inverse=True, return_counts=True)
    if int(voxels[0, 0]) < 0:
        voxels, which, count = voxels[1:], which - 1, count[1:]
    inside = which >= 0
    kept, at = feats[inside], which[inside]
    if reduce_type == "max":
        reduced = _largest(kept, at, len(voxels))
    else:
        reduced = feats.new_zeros(len(voxels), feats.shape[1]).index_add(0, at, kept)
        if reduce_type == "mean":
            reduced = reduced / count[:, None].to(feats.dtype)
    return reduced, voxels, which.int(), count.int()


def _largest(rows: Any, group: Any, count: int) -> Any:
    """The largest entry of each column within each group. Sorted twice: old releases reduce no other way."""
    value, order = rows.sort(0)
    own = group[order]
    # A stable order by group keeps each group's largest entry last.
    again = (own * len(rows) + torch.arange(len(rows), device=rows.device)[:, None]).argsort(0)
    ends = torch.bincount(group, minlength=count).cumsum(0) - 1
    return value.gather(0, again)[ends]


def dynamic_point_to_voxel_backward(
    grad_feats: Any, grad_reduced_feats: Any, feats: Any, reduced_feats: Any, coors_idx: Any,
    reduce_count: Any, reduce_type: str,
) -> None:  # fmt: skip
    grad_feats.zero_()
    if not len(feats) or not len(reduced_feats):
        return
    at = coors_idx.long()
    inside = (at >= 0)[:, None]
    at = at.clamp(min=0)
    if reduce_type != "max":
        slope = grad_reduced_feats
        if reduce_type == "mean":
            slope = slope / reduce_count[:, None].to(slope.dtype)
        grad_feats.copy_(slope[at] * inside.to(slope.dtype))
        return
    # Of several points with the largest value the first takes the slope.
    best = (feats == reduced_feats[at]) & inside
    row = torch.arange(len(feats), device=feats.device)[:, None].expand_as(feats)
    late = torch.where(best, row, torch.full_like(row, len(feats)))
    order = (at[:, None] * (len(feats) + 1) + late).argsort(0)
    start = torch.bincount(at, minlength=len(reduced_feats)).cumsum(0)
    start = torch.cat([start.new_zeros(1), start[:-1]])
    first = order[start.clamp(max=len(feats) - 1)]
    grad_feats.scatter_(0, first, grad_reduced_feats)
    grad_feats.mul_(best.to(grad_feats.dtype))
