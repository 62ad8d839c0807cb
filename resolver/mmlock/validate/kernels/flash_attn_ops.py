"""flash-attn: attention in halves. It has kernels for GPUs only."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from .attention import SHAPES, attention, attention_inputs
from .harness import Skip, Suite, Trial


def load() -> Any:
    """The package; its extension is loaded with it."""
    return importlib.import_module("flash_attn")


SUITE = Suite("flash-attn", load)


@SUITE.check("flash_attn_func", devices=("cuda",))
def flash_attn_func(t: Trial) -> None:
    major = torch.cuda.get_device_capability()[0]
    if major < 8:
        raise Skip(f"flash-attn has no kernels for compute capability {major}.x")
    for shape in SHAPES:
        for causal in (False, True):
            if causal and shape[1] > shape[2]:
                continue  # rows that see no key at all
            for dtype in ("float16", "bfloat16"):
                t.versus(
                    f"{shape} causal {causal}",
                    lambda q, k, v, c=causal: t.ops.flash_attn_func(q, k, v, causal=c),
                    lambda q, k, v, c=causal: attention(q, k, v, causal=c),
                    attention_inputs(t, shape),
                    grads=[0, 1, 2],
                    dtype=dtype,
                )
