"""spconv: sparse convolution. It is checked on GPUs."""

from __future__ import annotations

import importlib
from typing import Any

from .harness import Suite, Trial
from .sparse_reference import compare


def load() -> Any:
    """The layers; releases before 2 have them in the package itself."""
    try:
        return importlib.import_module("spconv.pytorch")
    except ModuleNotFoundError:
        return importlib.import_module("spconv")


SUITE = Suite("spconv", load)


def _layout(shape: tuple[int, ...]) -> tuple[int, ...]:
    """From (out, z, y, x, in), or the older (z, y, x, in, out)."""
    return (0, 4, 1, 2, 3) if shape[-1] == 4 else (4, 3, 0, 1, 2)


@SUITE.check("SubMConv3d", "SparseConv3d", "SparseConvTensor", name="sparse_conv", devices=("cuda",))
def sparse_conv(t: Trial) -> None:
    def make(kind: str) -> Any:
        if kind == "strided":
            return t.ops.SparseConv3d(4, 5, 3, stride=2, padding=1, bias=False)
        return t.ops.SubMConv3d(4, 5, 3, padding=1, bias=False)

    compare(t, make, t.ops.SparseConvTensor, _layout)
