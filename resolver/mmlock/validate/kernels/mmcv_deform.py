"""mmcv: deformable convolution and attention."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from .deformable import CONVS, attended, attention_inputs, conv_inputs, deformed, smooth
from .harness import Suite, Trial
from .mmcv_package import load, plain

SUITE = Suite("mmcv", load, plain)


@SUITE.check("deform_conv2d")
def deform_conv2d(t: Trial) -> None:
    for how in CONVS:
        data, offset, mask, weight = conv_inputs(t, how)
        stride, pad, dilation, groups, parts, kernel = how
        ones = torch.ones_like(torch.as_tensor(mask))
        for dtype in ("float32", "float64") if t.device == "cpu" else t.halves:
            t.versus(
                f"stride {stride} padding {pad} dilation {dilation} groups {groups}/{parts} kernel {kernel}",
                lambda d, o, w, h=how: t.ops.deform_conv2d(d, o, w, h[0], h[1], h[2], h[3], h[4]),
                lambda d, o, w, h=how, m=ones: deformed(d, o, m, w, None, *h[:5]),
                [data, offset, weight],
                grads=smooth(dtype, [0, 1, 2]),
                dtype=dtype,
            )


@SUITE.check("modulated_deform_conv2d")
def modulated_deform_conv2d(t: Trial) -> None:
    for how in CONVS:
        data, offset, mask, weight = conv_inputs(t, how)
        stride, pad, dilation, groups, parts, kernel = how
        for dtype in ("float32", "float64") if t.device == "cpu" else t.halves:
            t.versus(
                f"stride {stride} padding {pad} dilation {dilation} groups {groups}/{parts} kernel {kernel}",
                lambda d, o, m, w, b, h=how: t.ops.modulated_deform_conv2d(
                    d, o, m, w, b, h[0], h[1], h[2], h[3], h[4]
                ),
                lambda d, o, m, w, b, h=how: deformed(d, o, m, w, b, *h[:5]),
                [data, offset, mask, weight, t.normal(6)],
                grads=smooth(dtype, [0, 1, 2, 3, 4]),
                dtype=dtype,
            )


@SUITE.check("MultiScaleDeformableAttention", name="ms_deform_attn")
def ms_deform_attn(t: Trial) -> None:
    module = importlib.import_module("mmcv.ops.multi_scale_deform_attn")

    for shapes in ([(6, 7)], [(8, 5), (4, 3), (1, 2)]):
        table = torch.as_tensor(shapes, device=t.device)
        first = torch.cat([table.new_zeros(1), table.prod(1).cumsum(0)[:-1]])

        def kernel(value: Any, places: Any, weights: Any, table: Any = table, first: Any = first) -> Any:
            if t.device == "cpu" and not plain():  # mmcv itself takes another way there
                return module.multi_scale_deformable_attn_pytorch(value, table, places, weights)
            return module.MultiScaleDeformableAttnFunction.apply(value, table, first, places, weights, 64)

        for dtype in ("float32", "float64") if t.device == "cpu" else ("float32", "float64", "float16"):
            t.versus(
                f"levels {shapes}",
                kernel,
                lambda v, p, w, s=shapes: attended(v, s, p, w),
                attention_inputs(t, shapes, 5),
                grads=smooth(dtype, [0, 1, 2]),
                dtype=dtype,
            )
