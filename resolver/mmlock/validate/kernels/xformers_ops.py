"""xformers: memory-efficient attention. It has kernels for GPUs only."""

from __future__ import annotations

import importlib
from typing import Any

from .attention import SHAPES, attention, attention_inputs
from .harness import Suite, Trial


def load() -> Any:
    """The module of ops."""
    return importlib.import_module("xformers.ops")


SUITE = Suite("xformers", load)


@SUITE.check("memory_efficient_attention", devices=("cuda",))
def memory_efficient_attention(t: Trial) -> None:
    for shape in SHAPES:
        for dtype in ("float16", "float32"):
            kernel = t.ops.memory_efficient_attention
            t.versus(f"{shape}", kernel, attention, attention_inputs(t, shape), grads=[0, 1, 2], dtype=dtype)
