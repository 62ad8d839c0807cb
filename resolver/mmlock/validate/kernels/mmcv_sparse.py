"""mmcv: sparse convolution. It has kernels for GPUs only."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .sparse_reference import BATCH, GRID, compare, dense, sites

SUITE = Suite("mmcv", load, plain)


@SUITE.check("SubMConv3d", "SparseConv3d", "SparseConvTensor", name="sparse_conv", devices=("cuda",))
def sparse_conv(t: Trial) -> None:
    def make(kind: str) -> Any:
        if kind == "strided":
            return t.ops.SparseConv3d(4, 5, 3, stride=2, padding=1, bias=False)
        return t.ops.SubMConv3d(4, 5, 3, padding=1, bias=False)

    # Weights are (z, y, x, in, out).
    compare(t, make, t.ops.SparseConvTensor, lambda _: (4, 3, 0, 1, 2))


def _tensor(t: Trial, features: Any, cells: Any) -> Any:
    return t.ops.SparseConvTensor(features, cells, list(GRID), BATCH)


@SUITE.check("SparseConvTranspose3d", name="sparse_conv_transpose", devices=("cuda",))
def sparse_conv_transpose(t: Trial) -> None:
    layer = t.ops.SparseConvTranspose3d(4, 5, 3, stride=2, padding=1, bias=False).to(t.device)
    cells, shape = sites(t), tuple(layer.weight.shape)
    del layer.weight

    def kernel(features: Any, at: Any, weight: Any) -> Any:
        layer.weight = weight
        return layer(_tensor(t, features, at)).dense()

    def reference(features: Any, at: Any, weight: Any) -> Any:
        return F.conv_transpose3d(dense(features, at), weight.permute(3, 4, 0, 1, 2), stride=2, padding=1)

    t.versus("strided", kernel, reference, [t.normal(len(cells), 4), cells, t.normal(*shape)], grads=[0, 2])


@SUITE.check("SparseInverseConv3d", name="sparse_conv_inverse", devices=("cuda",))
def sparse_conv_inverse(t: Trial) -> None:
    there = t.ops.SparseConv3d(4, 5, 3, stride=2, padding=1, bias=False, indice_key="way").to(t.device)
    back = t.ops.SparseInverseConv3d(5, 6, 3, indice_key="way", bias=False).to(t.device)
    cells = sites(t)
    shapes = [tuple(layer.weight.shape) for layer in (there, back)]
    del there.weight, back.weight

    def kernel(features: Any, at: Any, first: Any, second: Any) -> Any:
        there.weight, back.weight = first, second
        return back(there(_tensor(t, features, at))).dense()

    def reference(features: Any, at: Any, first: Any, second: Any) -> Any:
        small = F.conv3d(dense(features, at), first.permute(4, 3, 0, 1, 2), stride=2, padding=1)
        held = dense(torch.ones_like(features[:, :1]), at)
        rest = [want - (2 * have - 1) for want, have in zip(GRID, small.shape[2:])]
        filters = second.permute(3, 4, 0, 1, 2)
        return F.conv_transpose3d(small, filters, stride=2, padding=1, output_padding=rest) * held

    inputs = [t.normal(len(cells), 4), cells, *(t.normal(*shape) for shape in shapes)]
    t.versus("there and back", kernel, reference, inputs, grads=[0, 2, 3])


@SUITE.check("SparseMaxPool3d", name="sparse_max_pool", devices=("cuda",))
def sparse_max_pool(t: Trial) -> None:
    layer, cells = t.ops.SparseMaxPool3d(3, stride=2, padding=1), sites(t)

    def kernel(features: Any, at: Any) -> Any:
        return layer(_tensor(t, features, at)).dense()

    def reference(features: Any, at: Any) -> Any:
        # Nothing is below zero: the op begins with it, as the empty cells do.
        return F.max_pool3d(F.pad(dense(features, at), [1] * 6), 3, stride=2)

    t.versus("strided", kernel, reference, [t.normal(len(cells), 4), cells], grads=[0])


@SUITE.check("SubMConv2d", name="sparse_conv_2d", devices=("cuda",))
def sparse_conv_2d(t: Trial) -> None:
    layer = t.ops.SubMConv2d(3, 4, 3, padding=1, bias=False).to(t.device)
    held = torch.as_tensor(t.rng.uniform(size=(2, 6, 7)) < 0.3)
    cells, shape = held.nonzero().int(), tuple(layer.weight.shape)
    del layer.weight

    def kernel(features: Any, at: Any, weight: Any) -> Any:
        layer.weight = weight
        return layer(t.ops.SparseConvTensor(features, at, [6, 7], 2)).dense()

    def reference(features: Any, at: Any, weight: Any) -> Any:
        empty = features.new_zeros(2, 6, 7, 3).index_put(tuple(at.long().t()), features).permute(0, 3, 1, 2)
        return F.conv2d(empty, weight.permute(3, 2, 0, 1), padding=1) * held[:, None]

    inputs = [t.normal(len(cells), 3), cells, t.normal(*shape)]
    t.versus("submanifold", kernel, reference, inputs, grads=[0, 2])
