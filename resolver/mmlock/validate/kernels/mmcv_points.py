"""mmcv: point clouds and text pixels."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .reference import draw

SUITE = Suite("mmcv", load, plain)
FOUR = ((0, -1), (0, 1), (-1, 0), (1, 0))


# ---------------------------------------------------------------- points in boxes


def _distances(points: Any, boxes: Any) -> Any:
    """How far inside (positive) each point is of each box that is on its z: (points, boxes)."""
    x, y, z = (points[:, None, :] - boxes[None, :, :3]).unbind(-1)
    cos, sin = torch.cos(-boxes[:, 6]), torch.sin(-boxes[:, 6])
    length, width, height = boxes[:, 3:6].unbind(-1)
    depths = [
        length / 2 - (x * cos - y * sin).abs(),
        width / 2 - (x * sin + y * cos).abs(),
        height / 2 - (z - height / 2).abs(),
    ]
    return torch.stack(depths).min(0)[0]


def _cloud(t: Trial, points: int, boxes: int) -> Any:
    def make() -> Any:
        parts = [t.uniform(-5, 5, boxes, 3), t.uniform(1, 6, boxes, 3), t.uniform(-3, 3, boxes, 1)]
        made = torch.cat([torch.as_tensor(part) for part in parts], 1)
        return t.tensor(t.uniform(-6, 6, points, 3)), t.tensor(made)

    def good(made: Any) -> bool:
        return bool((_distances(made[0].cpu().double(), made[1].cpu().double()).abs() > 1e-5).all())

    return draw(make, good)


@SUITE.check("points_in_boxes_cpu", devices=("cpu",))
def points_in_boxes_cpu(t: Trial) -> None:
    for count, boxes in ((1, 1), (200, 9)):
        cloud, around = _cloud(t, count, boxes)
        want = (_distances(cloud.double(), around.double()) > 0).int()
        t.same(
            f"{count} points, {boxes} boxes", t.ops.points_in_boxes_cpu(cloud[None], around[None])[0], want
        )


@SUITE.check("points_in_boxes_all", "points_in_boxes_part", name="points_in_boxes", devices=("cuda",))
def points_in_boxes(t: Trial) -> None:
    cloud, around = _cloud(t, 200, 9)
    inside = (_distances(cloud.cpu().double(), around.cpu().double()) > 0).int()
    t.same("all", t.ops.points_in_boxes_all(cloud[None], around[None])[0], inside)
    # The first box that holds a point, -1 where none does.
    first = torch.where(inside.any(1), inside.argmax(1), torch.full((200,), -1))
    t.same("part", t.ops.points_in_boxes_part(cloud[None], around[None])[0], first)


# ---------------------------------------------------------------- voxels

SIZE, RANGE = (0.5, 0.4, 1.0), (-2.0, -2.0, -1.0, 2.0, 2.0, 2.0)


def _scattered(t: Trial, count: int) -> Any:
    """Points of which none lies so near the wall of a voxel that rounding decides."""

    def good(points: Any) -> bool:
        part = (points.cpu().double()[:, :3] - torch.tensor(RANGE[:3])) / torch.tensor(SIZE).double()
        return bool(((part - part.round()).abs() > 1e-4).all())

    return draw(lambda: t.tensor(t.uniform(-2.5, 2.5, count, 4)), good)


def _cells(points: Any) -> list[tuple[int, ...]]:
    """The voxel of each point as (z, y, x); (-1, -1, -1) outside of the range."""
    low, size = torch.tensor(RANGE[:3]).double(), torch.tensor(SIZE).double()
    grid = ((torch.tensor(RANGE[3:]).double() - low) / size).round().long()
    cells = ((points.cpu().double()[:, :3] - low) / size).floor().long()
    outside = ((cells < 0) | (cells >= grid)).any(1)
    cells[outside] = -1
    return [tuple(cell) for cell in cells.flip(1).tolist()]


@SUITE.check("voxelization", name="dynamic_voxelization")
def dynamic_voxelization(t: Trial) -> None:
    for count in (1, 300):
        points = _scattered(t, count)
        got = t.ops.voxelization(points, SIZE, RANGE, -1, -1)
        t.same(f"{count} points", got, [list(cell) for cell in _cells(points)])


@SUITE.check("voxelization", name="hard_voxelization")
def hard_voxelization(t: Trial) -> None:
    for count, most, voxels in ((1, 3, 50), (300, 2, 400), (300, 4, 400)):
        points = _scattered(t, count)
        held: dict[tuple[int, ...], list[int]] = {}
        for at, cell in enumerate(_cells(points)):
            if cell[0] >= 0:
                held.setdefault(cell, []).append(at)
        got, cells, counts = t.ops.voxelization(points, SIZE, RANGE, most, voxels)
        label = f"{count} points, {most} in a voxel"
        t.same(f"{label}, cells", cells, [list(cell) for cell in held])
        t.same(f"{label}, counts", counts, [min(most, len(inside)) for inside in held.values()])
        want = torch.zeros(len(held), most, 4, dtype=torch.float64)
        for row, inside in enumerate(held.values()):
            for column, at in enumerate(inside[:most]):
                want[row, column] = points[at].cpu().double()
        t.close(f"{label}, points", got, want)


# ---------------------------------------------------------------- pixels of text


def _grown(label: Any, starts: list[tuple[int, int]], may: Any) -> Any:
    """Labels spread from pixel to pixel, first come first served, where `may(y, x, label)` lets them."""
    out, waiting = label.clone(), deque(starts)
    while waiting:
        y, x = waiting.popleft()
        for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)) if may.rows_first else FOUR:
            ny, nx = y + dy, x + dx
            inside = 0 <= ny < out.shape[0] and 0 <= nx < out.shape[1]
            if inside and out[ny, nx] == 0 and may(ny, nx, int(out[y, x])):
                out[ny, nx] = out[y, x]
                waiting.append((ny, nx))
    return out


class _Allowed:
    """Whether a label may spread to a pixel, and in which order neighbours are looked at."""

    def __init__(self, rule: Any, *, rows_first: bool) -> None:
        self.rule = rule
        self.rows_first = rows_first

    def __call__(self, y: int, x: int, label: int) -> bool:
        return bool(self.rule(y, x, label))


def _kernels(t: Trial) -> Any:
    """Three small seeds in a field of text pixels."""
    label = torch.zeros(14, 16, dtype=torch.int32)
    label[2:4, 2:5], label[9:11, 3:6], label[5:8, 11:13] = 1, 2, 3
    mask = torch.as_tensor(t.rng.uniform(size=(14, 16)) < 0.8) | (label > 0)
    return label, mask


@SUITE.check("contour_expand", devices=("cpu",))
def contour_expand(t: Trial) -> None:
    label, mask = _kernels(t)
    # Two kernels: with more, the op looks at the first one every time.
    kernels = torch.stack([mask, label > 0]).to(torch.uint8)
    starts = [(int(y), int(x)) for y, x in (label > 0).nonzero()]
    want = _grown(label, starts, _Allowed(lambda y, x, _: mask[y, x], rows_first=True))
    t.same("three seeds", t.ops.contour_expand(kernels, label, 1, 2), want)
    small = torch.where(label == 3, torch.zeros_like(label), label)
    starts = [(int(y), int(x)) for y, x in (small > 0).nonzero()]
    label[7, 12] = 0
    kept = torch.where(label == 3, torch.zeros_like(label), label)
    want = _grown(kept, starts, _Allowed(lambda y, x, _: mask[y, x], rows_first=True))
    t.same("one seed too small", t.ops.contour_expand(kernels, label, 6, 2), want)


@SUITE.check("pixel_group", devices=("cpu",))
def pixel_group(t: Trial) -> None:
    label, mask = _kernels(t)
    embedding = t.tensor(t.normal(14, 16, 4))
    score = t.tensor(t.uniform(0, 1, 14, 16))
    exact = embedding.double()
    centres = {key: exact[label == key].mean(0) for key in (1, 2, 3)}

    def near(y: int, x: int, key: int) -> bool:
        return bool(mask[y, x]) and float(((centres[key] - exact[y, x]) ** 2).sum()) < 1.7**2

    starts = [(int(y), int(x)) for y, x in (label > 0).nonzero()]
    grown = _grown(label, starts, _Allowed(near, rows_first=False))
    contour = (label > 0).to(torch.uint8)
    got = t.ops.pixel_group(score, mask, embedding, label, contour, 4, 1.7)
    for key in (1, 2, 3):
        places = (grown == key).nonzero()
        t.same(f"seed {key}, pixels", got[key][2:], places.flip(1).reshape(-1).double())
        want = [float(score.double()[grown == key].mean()), float(len(places))]
        t.close(f"seed {key}, confidence", torch.as_tensor(got[key][:2]), want)
