"""Sparse convolution by a dense one, for the packages that have kernels for it."""

from __future__ import annotations

from functools import partial
from typing import Any, Callable

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .harness import Trial

GRID = (6, 7, 8)
BATCH = 2


def sites(t: Trial) -> Any:
    """Cells that hold something: (batch, z, y, x), each once."""
    total = BATCH * GRID[0] * GRID[1] * GRID[2]
    chosen = torch.as_tensor(t.rng.permutation(total)[: total // 6].copy())
    cells = []
    for size in reversed(GRID):
        cells.append(chosen % size)
        chosen = torch.div(chosen, size, rounding_mode="floor")
    return torch.stack([chosen, *reversed(cells)], 1).int()


def dense(features: Any, indices: Any) -> Any:
    """The whole grid: (batch, channels, z, y, x)."""
    empty = features.new_zeros(BATCH, *GRID, features.shape[1])
    return empty.index_put(tuple(indices.long().t()), features).permute(0, 4, 1, 2, 3)


def convolved(features: Any, indices: Any, weight: Any, *, layout: tuple[int, ...], kind: str) -> Any:
    """What a sparse convolution (3x3x3) comes to on the whole grid."""
    filters = weight.permute(*layout)
    if kind == "strided":
        return F.conv3d(dense(features, indices), filters, stride=2, padding=1)
    held = dense(torch.ones_like(features[:, :1]), indices)
    return F.conv3d(dense(features, indices), filters, padding=1) * held


def compare(
    t: Trial, make: Callable[[str], Any], tensor: Any, layout: Callable[[Any], tuple[int, ...]]
) -> None:
    """Check the two kinds of convolution that a package makes: `make("submanifold" or "strided")`.

    `layout` tells how the weight of a layer becomes (out, in, z, y, x).
    """
    indices = sites(t)
    for kind in ("submanifold", "strided"):
        layer = make(kind).to(t.device)
        shape = tuple(layer.weight.shape)
        order = layout(shape)
        del layer.weight

        def kernel(features: Any, cells: Any, weight: Any, layer: Any = layer) -> Any:
            layer.weight = weight
            return layer(tensor(features, cells, list(GRID), BATCH)).dense()

        inputs = [t.normal(len(indices), 4), indices, t.normal(*shape)]
        t.versus(kind, kernel, partial(convolved, layout=order, kind=kind), inputs, grads=[0, 2])
