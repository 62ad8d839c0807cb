"""MultiScaleDeformableAttention: the extension that Deformable DETR and its followers build in their tree."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from .deformable import attended, attention_inputs, smooth
from .harness import Suite, Trial


def load() -> Any:
    """The extension; it needs torch to be loaded first, and that it is."""
    return importlib.import_module("MultiScaleDeformableAttention")


def plain() -> bool:
    """Whether the extension is plain PyTorch in the place of a compiled one."""
    return bool(getattr(load(), "TORCH_OPS", False))


SUITE = Suite("msda", load, plain)


class _Attention(torch.autograd.Function):  # type: ignore[misc,unused-ignore]
    """The extension's two functions as one that torch can differentiate."""

    @staticmethod
    def forward(ctx: Any, ops: Any, value: Any, shapes: Any, first: Any, places: Any, weights: Any) -> Any:
        ctx.ops = ops
        ctx.save_for_backward(value, shapes, first, places, weights)
        return ops.ms_deform_attn_forward(value, shapes, first, places, weights, 64)

    @staticmethod
    def backward(ctx: Any, slope: Any) -> Any:
        value, places, weights = ctx.ops.ms_deform_attn_backward(*ctx.saved_tensors, slope.contiguous(), 64)
        return None, value, None, None, places, weights


@SUITE.check("ms_deform_attn_forward", "ms_deform_attn_backward", devices=("cuda",))
def ms_deform_attn(t: Trial) -> None:
    for shapes in ([(6, 7)], [(8, 5), (4, 3), (1, 2)]):
        table = torch.as_tensor(shapes, device=t.device)
        first = torch.cat([table.new_zeros(1), table.prod(1).cumsum(0)[:-1]])
        for dtype in ("float32", "float64"):
            t.versus(
                f"levels {shapes}",
                lambda v, p, w, s=table, f=first: _Attention.apply(t.ops, v, s, f, p, w),
                lambda v, p, w, s=shapes: attended(v, s, p, w),
                attention_inputs(t, shapes, 5),
                grads=smooth(dtype, [0, 1, 2]),
                dtype=dtype,
            )
