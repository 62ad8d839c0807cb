"""mmcv: pooling in space, weighted neighbours, and stacks of clouds. They have kernels for GPUs only."""

from __future__ import annotations

from typing import Any

import torch

from .harness import Suite, Trial
from .mmcv_clouds import in_ball
from .mmcv_package import load, plain
from .reference import draw

SUITE = Suite("mmcv", load, plain)
GPU = ("cuda",)
CELLS = (2, 3, 2)


# ---------------------------------------------------------------- pooling


def local(points: Any, box: Any) -> Any:
    """Points as shares of a box that is on its z: within it, all three are between 0 and 1."""
    x, y, z = (points - box[:3]).unbind(-1)
    cos, sin = torch.cos(box[6]), torch.sin(box[6])
    return torch.stack(
        [(x * cos + y * sin) / box[3] + 0.5, (y * cos - x * sin) / box[4] + 0.5, z / box[5]], -1
    )


def _cloud(t: Trial, count: int, boxes: int) -> Any:
    """Points and boxes; no point lies so near a wall of a cell that rounding decides."""

    def make() -> Any:
        parts = [t.uniform(-1, 1, boxes, 3), t.uniform(3, 6, boxes, 3), t.uniform(-3, 3, boxes, 1)]
        made = torch.cat([torch.as_tensor(part) for part in parts], 1)
        return t.tensor(t.uniform(-3, 3, count, 3)), t.tensor(made)

    def good(made: Any) -> bool:
        for box in made[1].cpu().double():
            places = local(made[0].cpu().double(), box) * torch.tensor(CELLS)
            if bool(((places - places.round()).abs() < 1e-5).any()):
                return False
        return True

    return draw(make, good)


def pooled_cells(points: Any, features: Any, boxes: Any, room: int, how: str) -> Any:
    """The largest or the mean feature of the first points in every cell of every box."""
    out = features.new_zeros(len(boxes), *CELLS, features.shape[1])
    for at, box in enumerate(boxes):
        places = local(points, box)
        inside = ((places > 0) & (places < 1)).all(1)
        held: dict[tuple[int, ...], list[int]] = {}
        for row in inside.nonzero()[:, 0].tolist():
            cell = tuple(int(part * size) for part, size in zip(places[row], CELLS))
            held.setdefault(cell, []).append(row)
        for cell, rows in held.items():
            kept = features[rows[:room]]
            place = (at, *cell)
            out[place] = kept.max(0)[0] if how == "max" else kept.mean(0)
    return out


@SUITE.check("RoIAwarePool3d", name="roiaware_pool3d", devices=GPU)
def roiaware_pool3d(t: Trial) -> None:
    points, boxes = _cloud(t, 120, 4)
    for mode in ("max", "avg"):
        layer = t.ops.RoIAwarePool3d(CELLS, max_pts_per_voxel=8, mode=mode)
        t.versus(
            mode,
            lambda f, p, b, layer=layer: layer(b, p, f),
            # One place of the room holds how many there are.
            lambda f, p, b, m=mode: pooled_cells(p, f, b, 7, m),
            [t.normal(120, 5), points, boxes],
            grads=[0],
        )


@SUITE.check("RoIPointPool3d", name="roipoint_pool3d", devices=GPU)
def roipoint_pool3d(t: Trial) -> None:
    points, boxes = _cloud(t, 60, 3)
    boxes = torch.cat([boxes, boxes[:1] + t.tensor([90.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])])
    features = t.tensor(t.normal(1, 60, 4))
    got, empty = t.ops.RoIPointPool3d(16)(points[None], features, boxes[None])
    whole = torch.cat([points, features[0]], 1).cpu().double()
    want = torch.zeros(1, 4, 16, 7, dtype=torch.float64)
    for at, box in enumerate(boxes.cpu().double()):
        places = local(points.cpu().double(), box)
        rows = ((places > 0) & (places < 1)).all(1).nonzero()[:16, 0].tolist()
        for column in range(16 if rows else 0):
            want[0, at, column] = whole[rows[column % len(rows)]]
    t.close("16 points of each", got, want)
    t.same("which are empty", empty, [[int(not bool(one.any())) for one in want[0]]])


# ---------------------------------------------------------------- weighted neighbours


def weighed(scores: Any, points: Any, centres: Any, near: Any) -> Any:
    """For each neighbour the scored sum of what it differs from its centre: (B, O, N, K)."""
    batch, count, many, _ = scores.shape
    rows = [
        torch.einsum("m,mo->o", scores[b, n, k], points[b, near[b, n, k]] - centres[b, near[b, n, 0]])
        for b in range(batch)
        for n in range(count)
        for k in range(many)
    ]
    return torch.stack(rows).reshape(batch, count, many, -1).permute(0, 3, 1, 2)


@SUITE.check("assign_score_withk", devices=GPU)
def assign_score_withk(t: Trial) -> None:
    near = torch.as_tensor(t.rng.randint(0, 9, (2, 5, 4)))
    inputs = [t.normal(2, 5, 4, 3), t.normal(2, 9, 3, 6), t.normal(2, 9, 3, 6), near]
    t.versus(
        "4 neighbours",
        lambda s, p, c, n: t.ops.assign_score_withk(s, p, c, n, "sum"),
        weighed,
        inputs,
        grads=[0, 1, 2],
    )


# ---------------------------------------------------------------- stacks


@SUITE.check("ball_query", "grouping_operation", name="stacked_clouds", devices=GPU)
def stacked_clouds(t: Trial) -> None:
    points, centres = t.tensor(t.normal(30, 3)), t.tensor(t.normal(9, 3))
    counts = [torch.tensor(one, dtype=torch.int32, device=t.device) for one in ([18, 12], [4, 5])]
    try:
        got = t.ops.ball_query(0.0, 1.2, 5, points, centres, counts[0], counts[1])
    except TypeError:
        t.same("this release takes no stacks", 0, 0)
        return
    want = []
    for cloud, own in ((points[:18], centres[:4]), (points[18:], centres[4:])):
        rows = in_ball(0.0, 1.2, 5, cloud[None].cpu().double(), own[None].cpu().double())[0]
        squared = ((own[:, None] - cloud[None]) ** 2).sum(-1)
        want += [
            row.tolist() if bool(near) else [-1, 0, 0, 0, 0]
            for row, near in zip(rows, (squared < 1.2**2).any(1).cpu())
        ]
    t.same("which are near", got, want)
    index = torch.as_tensor(t.rng.randint(0, 12, (9, 5))).int()
    sizes = torch.tensor([18, 12], dtype=torch.int32)
    many = torch.tensor([4, 5], dtype=torch.int32)

    def grouped(features: Any, at: Any, own: Any, others: Any) -> Any:
        start = torch.cat([own.new_zeros(1), own.cumsum(0)[:-1]]).repeat_interleave(others.long())
        return features[(at + start[:, None]).long()].permute(0, 2, 1)

    t.versus("features", t.ops.grouping_operation, grouped, [t.normal(30, 4), index, sizes, many], grads=[0])


@SUITE.check("PointsSampler", name="points_sampler", devices=GPU)
def points_sampler(t: Trial) -> None:
    points, features = t.tensor(t.normal(2, 40, 3)), t.tensor(t.normal(2, 5, 40))
    got = t.ops.PointsSampler([8], ["D-FPS"], [-1])(points, features)
    t.same("by places", got, t.ops.furthest_point_sample(points, 8).long())
    got = t.ops.PointsSampler([8], ["F-FPS"], [-1])(points, features)
    whole = torch.cat([points, features.transpose(1, 2)], 2).cpu().double()
    want = []
    for cloud in whole:
        squared = ((cloud[:, None] - cloud[None]) ** 2).sum(-1)
        chosen = [0]
        while len(chosen) < 8:
            chosen.append(int(squared[chosen].min(0)[0].argmax()))
        want.append(chosen)
    t.same("by features", got, want)
