"""Deformable convolution and attention. References that several checks share."""

from __future__ import annotations

from typing import Any

import torch

from .harness import Trial
from .reference import sample_zero


def deformed(
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


def smooth(dtype: str, grads: list[int]) -> list[int]:
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


def conv_inputs(t: Trial, how: Any) -> Any:
    stride, pad, dilation, groups, parts, (rows, columns) = how
    data = t.normal(2, 4, 9, 11)
    high = (9 + 2 * pad - dilation * (rows - 1) - 1) // stride + 1
    wide = (11 + 2 * pad - dilation * (columns - 1) - 1) // stride + 1
    offset = t.normal(2, parts * rows * columns * 2, high, wide, scale=1.5)
    mask = t.uniform(0, 1, 2, parts * rows * columns, high, wide)
    return data, offset, mask, t.normal(6, 4 // groups, rows, columns)


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
