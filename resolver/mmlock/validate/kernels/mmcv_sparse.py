"""mmcv: sparse convolution. It has kernels for GPUs only."""

from __future__ import annotations

from typing import Any

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .sparse_reference import compare

SUITE = Suite("mmcv", load, plain)


@SUITE.check("SubMConv3d", "SparseConv3d", "SparseConvTensor", name="sparse_conv", devices=("cuda",))
def sparse_conv(t: Trial) -> None:
    def make(kind: str) -> Any:
        if kind == "strided":
            return t.ops.SparseConv3d(4, 5, 3, stride=2, padding=1, bias=False)
        return t.ops.SubMConv3d(4, 5, 3, padding=1, bias=False)

    # Weights are (z, y, x, in, out).
    compare(t, make, t.ops.SparseConvTensor, lambda _: (4, 3, 0, 1, 2))
