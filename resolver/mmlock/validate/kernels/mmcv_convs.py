"""mmcv: deformable convolution and attention, filters, masks."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .harness import Suite, Trial
from .mmcv_package import load
from .reference import sample_zero

SUITE = Suite("mmcv", load)


# ---------------------------------------------------------------- deformable convolution


def _deformed(
    data: Any,
    offset: Any,
    mask: Any,
    weight: Any,
    bias: Any,
    stride: int,
    pad: int,
    dilation: int,
    groups: int,
    parts: int,
) -> Any:
    """A convolution whose every tap is moved by `offset` and weighted by `mask`."""
    count, channels, height, width = data.shape
    outputs, _, rows, columns = weight.shape
    high = (height + 2 * pad - dilation * (rows - 1) - 1) // stride + 1
    wide = (width + 2 * pad - dilation * (columns - 1) - 1) // stride + 1
    shift = offset.reshape(count, parts, rows * columns, 2, high, wide)
    kept = mask.reshape(count, parts, rows * columns, high, wide)
    grid_y = (torch.arange(high, dtype=data.dtype) * stride - pad)[:, None]
    grid_x = (torch.arange(wide, dtype=data.dtype) * stride - pad)[None, :]
    taps = []
    for tap in range(rows * columns):
        row, column = divmod(tap, columns)
        moved = [
            sample_zero(
                data[n].reshape(parts, channels // parts, height, width)[part],
                grid_y + row * dilation + shift[n, part, tap, 0],
                grid_x + column * dilation + shift[n, part, tap, 1],
            )
            * kept[n, part, tap]
            for n in range(count)
            for part in range(parts)
        ]
        taps.append(torch.stack(moved).reshape(count, channels, high, wide))
    columns_of = torch.stack(taps, 2).reshape(count, groups, channels // groups, rows * columns, high, wide)
    filters = weight.reshape(groups, outputs // groups, channels // groups, rows * columns)
    out = torch.einsum("ngcthw,goct->ngohw", columns_of, filters).reshape(count, outputs, high, wide)
    return out if bias is None else out + bias[None, :, None, None]


def _smooth(dtype: str, grads: list[int]) -> list[int]:
    """The inputs whose gradients can be compared.

    That of a place (input 1) jumps at every whole coordinate, and halves are too coarse to tell the side.
    """
    return grads if dtype != "float16" else [at for at in grads if at != 1]


CONVS = (
    # stride, padding, dilation, groups, parts, kernel
    (1, 1, 1, 1, 1, (3, 3)),
    (2, 1, 1, 2, 2, (3, 3)),
    (1, 2, 2, 1, 2, (3, 3)),
    (1, 0, 1, 1, 1, (1, 3)),
)


def _conv_inputs(t: Trial, how: Any) -> Any:
    stride, pad, dilation, groups, parts, (rows, columns) = how
    data = t.normal(2, 4, 9, 11)
    high = (9 + 2 * pad - dilation * (rows - 1) - 1) // stride + 1
    wide = (11 + 2 * pad - dilation * (columns - 1) - 1) // stride + 1
    offset = t.normal(2, parts * rows * columns * 2, high, wide, scale=1.5)
    mask = t.uniform(0, 1, 2, parts * rows * columns, high, wide)
    return data, offset, mask, t.normal(6, 4 // groups, rows, columns)


@SUITE.check("deform_conv2d")
def deform_conv2d(t: Trial) -> None:
    for how in CONVS:
        data, offset, mask, weight = _conv_inputs(t, how)
        stride, pad, dilation, groups, parts, kernel = how
        ones = torch.ones_like(torch.as_tensor(mask))
        for dtype in ("float32", "float64") if t.device == "cpu" else t.halves:
            t.versus(
                f"stride {stride} padding {pad} dilation {dilation} groups {groups}/{parts} kernel {kernel}",
                lambda d, o, w, h=how: t.ops.deform_conv2d(d, o, w, h[0], h[1], h[2], h[3], h[4]),
                lambda d, o, w, h=how, m=ones: _deformed(d, o, m, w, None, *h[:5]),
                [data, offset, weight],
                grads=_smooth(dtype, [0, 1, 2]),
                dtype=dtype,
            )


@SUITE.check("modulated_deform_conv2d")
def modulated_deform_conv2d(t: Trial) -> None:
    for how in CONVS:
        data, offset, mask, weight = _conv_inputs(t, how)
        stride, pad, dilation, groups, parts, kernel = how
        for dtype in ("float32", "float64") if t.device == "cpu" else t.halves:
            t.versus(
                f"stride {stride} padding {pad} dilation {dilation} groups {groups}/{parts} kernel {kernel}",
                lambda d, o, m, w, b, h=how: t.ops.modulated_deform_conv2d(
                    d, o, m, w, b, h[0], h[1], h[2], h[3], h[4]
                ),
                lambda d, o, m, w, b, h=how: _deformed(d, o, m, w, b, *h[:5]),
                [data, offset, mask, weight, t.normal(6)],
                grads=_smooth(dtype, [0, 1, 2, 3, 4]),
                dtype=dtype,
            )


# ---------------------------------------------------------------- deformable attention


def attended(value: Any, shapes: list[tuple[int, int]], places: Any, weights: Any) -> Any:
    """Multi-scale deformable attention: (N, keys, heads, dims) sampled at places in [0, 1]."""
    batch, _, heads, dims = value.shape
    queries, _points = places.shape[1], places.shape[4]
    levels = value.split([height * width for height, width in shapes], 1)
    rows = []
    for n in range(batch):
        for head in range(heads):
            total = value.new_zeros(dims, queries)
            for level, (height, width) in enumerate(shapes):
                image = levels[level][n, :, head].t().reshape(dims, height, width)
                at = places[n, :, head, level]
                found = sample_zero(image, at[..., 1] * height - 0.5, at[..., 0] * width - 0.5)
                total = total + (found * weights[n, :, head, level]).sum(-1)
            rows.append(total)
    return torch.stack(rows).reshape(batch, heads * dims, queries).transpose(1, 2)


def attention_inputs(t: Trial, shapes: list[tuple[int, int]], queries: int) -> list[Any]:
    keys = sum(height * width for height, width in shapes)
    weights = t.uniform(0.1, 1, 2, queries, 2, len(shapes), 3)
    places = t.uniform(-0.1, 1.1, 2, queries, 2, len(shapes), 3, 2)
    return [t.normal(2, keys, 2, 8), places, weights / weights.sum((-1, -2), keepdims=True)]


@SUITE.check("MultiScaleDeformableAttention", name="ms_deform_attn")
def ms_deform_attn(t: Trial) -> None:
    from mmcv.ops import multi_scale_deform_attn as module

    for shapes in ([(6, 7)], [(8, 5), (4, 3), (1, 2)]):
        table = torch.as_tensor(shapes, device=t.device)
        first = torch.cat([table.new_zeros(1), table.prod(1).cumsum(0)[:-1]])

        def kernel(value: Any, places: Any, weights: Any, table: Any = table, first: Any = first) -> Any:
            if t.device == "cpu":  # mmcv itself takes plain PyTorch there
                return module.multi_scale_deformable_attn_pytorch(value, table, places, weights)
            return module.MultiScaleDeformableAttnFunction.apply(value, table, first, places, weights, 64)

        for dtype in ("float32", "float64") if t.device == "cpu" else ("float32", "float64", "float16"):
            t.versus(
                f"levels {shapes}",
                kernel,
                lambda v, p, w, s=shapes: attended(v, s, p, w),
                attention_inputs(t, shapes, 5),
                grads=_smooth(dtype, [0, 1, 2]),
                dtype=dtype,
            )


# ---------------------------------------------------------------- filters and masks


@SUITE.check("active_rotated_filter")
def active_rotated_filter(t: Trial) -> None:
    outputs, inputs, turns, side, rotations = 3, 2, 4, 3, 8
    entries = turns * side * side
    order = torch.stack([torch.as_tensor(t.rng.permutation(entries)) for _ in range(rotations)], 1)
    indices = (order + 1).int().reshape(turns, side, side, rotations)

    def reference(weight: Any, table: Any) -> Any:
        flat = weight.reshape(outputs, inputs, entries)
        inverse = (table.reshape(entries, rotations).long() - 1).argsort(0)
        out = torch.stack([flat[..., inverse[:, turn]] for turn in range(rotations)], 1)
        return out.reshape(outputs * rotations, inputs * turns, side, side)

    t.versus(
        "eight rotations",
        t.ops.active_rotated_filter,
        reference,
        [t.normal(outputs, inputs, turns, side, side), indices],
        grads=[0],
    )


def _psa(data: Any, kind: int, size: tuple[int, int]) -> Any:
    """Each pixel's mask laid over the feature map: gathered from (0), or given to, its neighbours."""
    count, _, height, width = data.shape
    out = data.new_zeros(count, height, width, height, width)
    for h in range(height):
        for w in range(width):
            for at in range(size[0] * size[1]):
                y, x = h + at // size[1] - (size[0] - 1) // 2, w + at % size[1] - (size[1] - 1) // 2
                if 0 <= y < height and 0 <= x < width:
                    target = (slice(None), y, x, h, w) if kind == 0 else (slice(None), h, w, y, x)
                    out[target] = data[:, at, h, w]
    return out.reshape(count, height * width, height, width)


@SUITE.check("PSAMask", name="psamask")
def psamask(t: Trial) -> None:
    for name, kind in (("collect", 0), ("distribute", 1)):
        for size in ((3, 5), (7, 9)):
            t.versus(
                f"{name} {size}",
                t.ops.PSAMask(name, size),
                lambda d, k=kind, s=size: _psa(d, k, s),
                [t.normal(2, size[0] * size[1], 4, 5)],
                grads=[0],
            )


def _upfirdn(data: Any, kernel: Any, up: int, down: int, pad: int) -> Any:
    """Zeros between the pixels, a border, a convolution, and every `down`-th pixel."""
    count, channels, height, width = data.shape
    wide = data.new_zeros(count, channels, height * up, width * up)
    wide[:, :, ::up, ::up] = data
    wide = F.pad(wide, [pad] * 4)
    turned = kernel.flip([0, 1])[None, None].repeat(channels, 1, 1, 1)
    return F.conv2d(wide, turned, groups=channels)[:, :, ::down, ::down]


@SUITE.check("upfirdn2d")
def upfirdn2d(t: Trial) -> None:
    for up, down, pad in ((1, 1, 1), (2, 1, 2), (1, 2, 1), (2, 3, 3)):
        t.versus(
            f"up {up} down {down} padding {pad}",
            lambda d, k, u=up, n=down, p=pad: t.ops.upfirdn2d(d, k, u, n, (p, p)),
            lambda d, k, u=up, n=down, p=pad: _upfirdn(d, k, u, n, p),
            [t.normal(2, 3, 8, 9), t.normal(3, 4)],
            grads=[0],
        )


@SUITE.check("fused_bias_leakyrelu")
def fused_bias_leakyrelu(t: Trial) -> None:
    for shape in ((2, 3, 5, 6), (4, 3)):
        dims = [1, 3] + [1] * (len(shape) - 2)
        t.versus(
            f"shape {shape}",
            lambda d, b: t.ops.fused_bias_leakyrelu(d, b, 0.1, 1.5),
            lambda d, b, s=dims: F.leaky_relu(d + b.reshape(s), 0.1) * 1.5,
            [t.normal(*shape), t.normal(3)],
            grads=[0, 1],
        )


@SUITE.check("bias_act")
def bias_act(t: Trial) -> None:
    acts = {
        "linear": lambda x: x,
        "relu": lambda x: F.relu(x) * 2**0.5,
        "lrelu": lambda x: F.leaky_relu(x, 0.2) * 2**0.5,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "elu": F.elu,
        "softplus": F.softplus,
    }
    for name, act in acts.items():
        t.versus(
            name,
            lambda d, b, n=name: t.ops.bias_act(d, b, act=n),
            lambda d, b, a=act: a(d + b[None, :, None, None]),
            [t.normal(2, 3, 4, 5), t.normal(3)],
            grads=[0, 1],
        )


@SUITE.check("filtered_lrelu")
def filtered_lrelu(t: Trial) -> None:
    def reference(data: Any, first: Any, second: Any, bias: Any) -> Any:
        wide = _upfirdn(data + bias[None, :, None, None], first * 4, 2, 1, 3)
        return _upfirdn((F.leaky_relu(wide, 0.1) * 1.3).clamp(-2, 2), second, 1, 2, 0)

    t.versus(
        "up 2 down 2",
        lambda d, f, s, b: t.ops.filtered_lrelu(d, f, s, b, 2, 2, 3, 1.3, 0.1, 2.0),
        reference,
        [t.normal(2, 3, 8, 9), t.normal(4, 4, scale=0.4), t.normal(4, 4, scale=0.4), t.normal(3)],
        grads=[0, 3],
    )


@SUITE.check("CornerPool", name="corner_pool")
def corner_pool(t: Trial) -> None:
    for mode, dim, back in (("bottom", 2, False), ("top", 2, True), ("right", 3, False), ("left", 3, True)):

        def reference(data: Any, *, dim: int = dim, back: bool = back) -> Any:
            parts, size = [], data.shape[dim]
            for at in range(size):
                seen = data.narrow(dim, at, size - at) if back else data.narrow(dim, 0, at + 1)
                parts.append(seen.max(dim)[0])
            return torch.stack(parts, dim)

        t.versus(mode, t.ops.CornerPool(mode), reference, [t.normal(2, 3, 6, 7)], grads=[0])
