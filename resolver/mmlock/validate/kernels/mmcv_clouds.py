"""mmcv: ops on point clouds and on boxes in space that have kernels for GPUs only."""

from __future__ import annotations

from typing import Any

import torch

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .reference import area, clear_of, clip, corners, draw, greedy, overlaps

SUITE = Suite("mmcv", load, plain)
GPU = ("cuda",)


def _exact(tensor: Any) -> Any:
    return tensor.detach().cpu().double()


def squares(first: Any, second: Any) -> Any:
    """Squared distances of all pairs, batch by batch."""
    return ((first[:, :, None] - second[:, None]) ** 2).sum(-1)


# ---------------------------------------------------------------- neighbours


@SUITE.check("knn", devices=GPU)
def knn(t: Trial) -> None:
    points, centres = t.tensor(t.normal(2, 60, 3)), t.tensor(t.normal(2, 9, 3))
    want = squares(_exact(centres), _exact(points)).topk(5, largest=False)[1].transpose(1, 2)
    t.same("5 of 60", t.ops.knn(5, points, centres), want)
    turned = [part.transpose(1, 2).contiguous() for part in (points, centres)]
    got = t.ops.knn(5, *turned, True)  # noqa: FBT003  an autograd function takes no names
    t.same("transposed", got, want)


def in_ball(near: float, far: float, count: int, points: Any, centres: Any) -> Any:
    """The first points in a ball, or between two; places that are left repeat the first one."""
    squared = squares(centres, points)
    inside = (squared == 0) | ((squared >= near**2) & (squared < far**2))
    rows = []
    for row in inside.flatten(0, 1):
        found = row.nonzero()[:count, 0].tolist()
        rows.append(found + [found[0] if found else 0] * (count - len(found)))
    return torch.tensor(rows).reshape(*inside.shape[:2], count)


@SUITE.check("ball_query", devices=GPU)
def ball_query(t: Trial) -> None:
    points = t.tensor(t.normal(2, 60, 3))
    centres = torch.cat([points[:, :6], points[:, :1] + 100], 1).contiguous()
    for near, far in ((0.0, 0.6), (0.4, 1.1)):
        want = in_ball(near, far, 5, _exact(points), _exact(centres))
        t.same(f"between {near} and {far}", t.ops.ball_query(near, far, 5, points, centres), want)


def furthest(squared: Any, count: int) -> Any:
    """Indices of points, each the one that is furthest from those before it; the first is point 0."""
    rows = []
    for table in squared:
        chosen = [0]
        while len(chosen) < count:
            chosen.append(int(table[chosen].min(0)[0].argmax()))
        rows.append(chosen)
    return rows


@SUITE.check("furthest_point_sample", "furthest_point_sample_with_dist", devices=GPU)
def furthest_point_sample(t: Trial) -> None:
    points = t.tensor(t.normal(2, 50, 3))
    want = furthest(squares(_exact(points), _exact(points)), 12)
    t.same("by places", t.ops.furthest_point_sample(points, 12), want)
    table = squares(points, points).contiguous()
    t.same("by distances", t.ops.furthest_point_sample_with_dist(table, 12), want)


@SUITE.check("three_nn", "three_interpolate", devices=GPU)
def three_nn(t: Trial) -> None:
    many, few = t.tensor(t.normal(2, 33, 3)), t.tensor(t.normal(2, 8, 3))
    near, which = squares(_exact(many), _exact(few)).topk(3, largest=False)
    got, at = t.ops.three_nn(many, few)
    t.same("which", at, which)
    t.close("distances", got, near.sqrt())

    def mixed(features: Any, index: Any, weight: Any) -> Any:
        batch = torch.arange(len(features))[:, None, None]
        return (features.transpose(1, 2)[batch, index.long()] * weight[..., None]).sum(2).transpose(1, 2)

    inputs = [t.normal(2, 4, 8), which.int(), t.uniform(0, 1, 2, 33, 3)]
    t.versus("interpolated", t.ops.three_interpolate, mixed, inputs, grads=[0])


@SUITE.check("gather_points", "grouping_operation", devices=GPU)
def gather_points(t: Trial) -> None:
    def gathered(features: Any, index: Any) -> Any:
        flat = index.long().flatten(1)
        rows = torch.stack([part[:, at] for part, at in zip(features, flat)])
        return rows.reshape(*features.shape[:2], *index.shape[1:])

    one = torch.as_tensor(t.rng.randint(0, 20, (2, 9))).int()
    t.versus("gathered", t.ops.gather_points, gathered, [t.normal(2, 4, 20), one], grads=[0])
    many = torch.as_tensor(t.rng.randint(0, 20, (2, 9, 5))).int()
    t.versus("grouped", t.ops.grouping_operation, gathered, [t.normal(2, 4, 20), many], grads=[0])


@SUITE.check("chamfer_distance", devices=GPU)
def chamfer_distance(t: Trial) -> None:
    # A multiple of four: up to 2.2.0 the kernel reads wrong points at the end of other counts.
    first, second = t.tensor(t.normal(2, 16, 2)), t.tensor(t.normal(2, 16, 2))
    table = squares(_exact(first), _exact(second))
    got = t.ops.chamfer_distance(first, second)
    for dim, label in ((2, "there"), (1, "back")):
        near, which = table.min(dim)
        t.close(f"{label}, distances", got[2 - dim], near)
        t.same(f"{label}, which", got[4 - dim], which)


# ---------------------------------------------------------------- voxels


def scattered(features: Any, cells: Any, how: str) -> tuple[Any, Any]:
    """Points reduced to the voxels they are in, in the order of the voxels; -1 is in none."""
    inside = (cells >= 0).all(1)
    voxels, which = cells[inside].unique(dim=0, return_inverse=True)
    kept = features[inside]
    rows = [kept[which == at] for at in range(len(voxels))]
    reduce = {"max": lambda part: part.max(0)[0], "sum": lambda part: part.sum(0)}
    reduce["mean"] = lambda part: part.mean(0)
    return torch.stack([reduce[how](row) for row in rows]), voxels


@SUITE.check("dynamic_scatter", devices=GPU)
def dynamic_scatter(t: Trial) -> None:
    cells = torch.as_tensor(t.rng.randint(-1, 4, (200, 3))).int()
    for how in ("max", "mean"):
        t.versus(
            how,
            lambda f, c, h=how: t.ops.dynamic_scatter(f, c, h)[0],
            lambda f, c, h=how: scattered(f, c, h)[0],
            [t.normal(200, 4), cells],
            grads=[0],
        )
        features = t.tensor(t.normal(200, 4))
        want = scattered(_exact(features), cells, how)[1]
        t.same(f"{how}, voxels", t.ops.dynamic_scatter(features, cells.to(t.device), how)[1], want)


# ---------------------------------------------------------------- boxes


def shared_areas(first: Any, second: Any) -> Any:
    """Areas that boxes (x, y, z, dx, dy, dz, angle) share seen from above."""
    sides = [
        [[tuple(p) for p in box] for box in corners(part[:, [0, 1, 3, 4, 6]]).tolist()]
        for part in (first, second)
    ]
    return torch.tensor([[abs(area(clip(one, other))) for other in sides[1]] for one in sides[0]]).double()


def shared_volumes(first: Any, second: Any) -> Any:
    """Overlap in space of boxes that are upright, by volume."""
    low = torch.max((first[:, 2] - first[:, 5] / 2)[:, None], (second[:, 2] - second[:, 5] / 2)[None])
    high = torch.min((first[:, 2] + first[:, 5] / 2)[:, None], (second[:, 2] + second[:, 5] / 2)[None])
    shared = shared_areas(first, second) * (high - low).clamp(min=0)
    whole = first[:, 3:6].prod(1)[:, None] + second[:, 3:6].prod(1)[None]
    return shared / (whole - shared)


def _boxes(t: Trial, count: int) -> Any:
    parts = [t.uniform(-3, 3, count, 3), t.uniform(0.5, 3, count, 3), t.uniform(-3, 3, count, 1)]
    return t.tensor(torch.cat([torch.as_tensor(part) for part in parts], 1))


def _from_above(boxes: Any) -> Any:
    exact = _exact(boxes)
    shared = shared_areas(exact, exact)
    whole = exact[:, 3:5].prod(1)
    return shared / (whole[:, None] + whole[None] - shared)


def _straight(boxes: Any) -> Any:
    exact = _exact(boxes)
    plain = torch.cat([exact[:, :2] - exact[:, 3:5] / 2, exact[:, :2] + exact[:, 3:5] / 2], 1)
    return overlaps(plain, plain)


@SUITE.check("boxes_overlap_bev", "boxes_iou3d", devices=GPU)
def boxes_iou3d(t: Trial) -> None:
    first, second = _boxes(t, 11), _boxes(t, 14)
    t.close(
        "areas",
        t.ops.boxes_overlap_bev(first, second),
        shared_areas(_exact(first), _exact(second)),
        factor=10,
    )
    t.close(
        "volumes", t.ops.boxes_iou3d(first, second), shared_volumes(_exact(first), _exact(second)), factor=10
    )


@SUITE.check("nms3d", "nms3d_normal", devices=GPU)
def nms3d(t: Trial) -> None:
    boxes = draw(
        lambda: _boxes(t, 40), lambda b: clear_of(_from_above(b), 0.2, 1e-3) and clear_of(_straight(b), 0.2)
    )
    scores = t.tensor((t.rng.permutation(40) + 1.0) / 41)
    t.same("turned", t.ops.nms3d(boxes, scores, 0.2), greedy(_from_above(boxes), scores, 0.2))
    t.same("straight", t.ops.nms3d_normal(boxes, scores, 0.2), greedy(_straight(boxes), scores, 0.2))


@SUITE.check("points_in_polygons", devices=GPU)
def points_in_polygons(t: Trial) -> None:
    parts = [t.uniform(0, 9, 6, 2), t.uniform(2, 8, 6, 2), t.uniform(-3, 3, 6, 1)]
    polygons = corners(torch.cat([torch.as_tensor(part) for part in parts], 1)).float().double()
    points = torch.as_tensor(t.uniform(0, 9, 90, 2)).float().double()
    following = polygons.roll(-1, 1)
    edge, reach = following - polygons, points[:, None, None] - polygons[None]
    side = edge[None, ..., 0] * reach[..., 1] - edge[None, ..., 1] * reach[..., 0]
    want = ((side > 0).all(-1) | (side < 0).all(-1)).double()
    got = t.ops.points_in_polygons(t.tensor(points), t.tensor(polygons.reshape(6, 8)))
    t.same("90 points, 6 polygons", got, want)
