"""Deformable convolution and multi-scale deformable attention."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from .sampling import add, corners_zero, fill, gradients, mix, rows_of, widened


class Shape(NamedTuple):
    """The parameters of a deformable convolution, rows first."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    dilation: tuple[int, int]
    group: int
    parts: int
    """How many sets of offsets there are."""


def _places(offset: Any, size: tuple[int, int], how: Shape) -> tuple[Any, Any]:
    """Where each tap of each output pixel samples: y and x, (N, parts, taps, high, wide)."""
    taps = how.kernel[0] * how.kernel[1]
    moved = offset.reshape(offset.shape[0], how.parts, taps, 2, *size)
    tap = torch.arange(taps, device=offset.device)
    start = []
    for axis, place in ((0, torch.div(tap, how.kernel[1], rounding_mode="floor")), (1, tap % how.kernel[1])):
        grid = torch.arange(size[axis], device=offset.device) * how.stride[axis] - how.pad[axis]
        grid = grid[:, None] if axis == 0 else grid[None, :]
        start.append(((place * how.dilation[axis])[:, None, None] + grid).to(offset.dtype))
    return moved[:, :, :, 0] + start[0], moved[:, :, :, 1] + start[1]


def _columns(data: Any, offset: Any, mask: Any, how: Shape) -> Any:
    """The samples that the filters meet: (N, high * wide, channels, taps)."""
    count, channels, height, width = data.shape
    size = (offset.shape[2], offset.shape[3])
    taps = how.kernel[0] * how.kernel[1]
    y, x = _places(offset, size, how)
    index, weights = corners_zero(y, x, height, width)
    image = torch.arange(count * how.parts, device=data.device).reshape(count, how.parts, 1, 1, 1, 1)
    if mask is not None:
        weights = weights * mask.reshape(count, how.parts, taps, *size)[..., None]
    table = rows_of(data.reshape(count * how.parts, channels // how.parts, height, width))
    found = mix(table, (index + image * height * width).reshape(-1, 4), weights.reshape(-1, 4))
    found = found.reshape(count, how.parts, taps, size[0] * size[1], channels // how.parts)
    return found.permute(0, 3, 1, 4, 2).reshape(count, size[0] * size[1], channels, taps)


def _convolved(data: Any, offset: Any, mask: Any, weight: Any, how: Shape) -> Any:
    """The convolution, one image after another: the columns of one are large enough."""
    outputs = weight.shape[0]
    size = (offset.shape[2], offset.shape[3])
    filters = weight.reshape(how.group, outputs // how.group, -1)
    images = []
    for n in range(data.shape[0]):
        part = slice(n, n + 1)
        columns = _columns(data[part], offset[part], None if mask is None else mask[part], how)[0]
        columns = columns.reshape(columns.shape[0], how.group, -1)
        images.append(torch.einsum("pgk,gok->gop", columns, filters).reshape(outputs, *size))
    return torch.stack(images) if images else data.new_zeros(0, outputs, *size)


def deform_conv_forward(
    input: Any, weight: Any, offset: Any, output: Any, columns: Any, ones: Any,
    kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int, dilationH: int,
    group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    how = Shape((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    fill(output, _convolved(widened(input), widened(offset), None, widened(weight), how))


def deform_conv_backward_input(
    input: Any, offset: Any, gradOutput: Any, gradInput: Any, gradOffset: Any, weight: Any, columns: Any,
    kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int, dilationH: int,
    group: int, deformable_group: int, im2col_step: int,
) -> None:  # fmt: skip
    how = Shape((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    wide = widened(weight)
    data, moved = gradients(
        lambda d, o: _convolved(d, o, None, wide, how), [widened(input), widened(offset)], gradOutput
    )
    fill(gradInput, data)
    fill(gradOffset, moved)


def deform_conv_backward_parameters(
    input: Any, offset: Any, gradOutput: Any, gradWeight: Any, columns: Any, ones: Any,
    kW: int, kH: int, dW: int, dH: int, padW: int, padH: int, dilationW: int, dilationH: int,
    group: int, deformable_group: int, scale: float, im2col_step: int,
) -> None:  # fmt: skip
    how = Shape((kH, kW), (dH, dW), (padH, padW), (dilationH, dilationW), group, deformable_group)
    data, moved = widened(input), widened(offset)
    (found,) = gradients(lambda w: _convolved(data, moved, None, w, how), [widened(gradWeight)], gradOutput)
    add(gradWeight, found * scale)


def modulated_deform_conv_forward(
    input: Any, weight: Any, bias: Any, ones: Any, offset: Any, mask: Any, output: Any, columns: Any,
    kernel_h: int, kernel_w: int, stride_h: int, stride_w: int, pad_h: int, pad_w: int,
    dilation_h: int, dilation_w: int, group: int, deformable_group: int, with_bias: bool,
) -> None:  # fmt: skip
    how = Shape(
        (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w),
        group, deformable_group,
    )  # fmt: skip
    found = _convolved(widened(input), widened(offset), widened(mask), widened(weight), how)
    fill(output, found + widened(bias)[None, :, None, None] if with_bias else found)


def modulated_deform_conv_backward(
    input: Any, weight: Any, bias: Any, ones: Any, offset: Any, mask: Any, columns: Any,
    grad_input: Any, grad_weight: Any, grad_bias: Any, grad_offset: Any, grad_mask: Any, grad_output: Any,
    kernel_h: int, kernel_w: int, stride_h: int, stride_w: int, pad_h: int, pad_w: int,
    dilation_h: int, dilation_w: int, group: int, deformable_group: int, with_bias: bool,
) -> None:  # fmt: skip
    how = Shape(
        (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w), (dilation_h, dilation_w),
        group, deformable_group,
    )  # fmt: skip
    found = gradients(
        lambda d, o, m, w: _convolved(d, o, m, w, how),
        [widened(one) for one in (input, offset, mask, weight)],
        grad_output,
    )
    for target, value in zip((grad_input, grad_offset, grad_mask, grad_weight), found):
        fill(target, value)
    if with_bias:
        fill(grad_bias, widened(grad_output).sum((0, 2, 3)))


# ---------------------------------------------------------------- attention


def _attended(value: Any, shapes: Any, starts: Any, places: Any, weights: Any) -> Any:
    """For every query and head, the weighted sum of samples of all levels."""
    batch, keys, heads, dims = value.shape
    _, queries, _, levels, points = weights.shape
    indices, shares = [], []
    for level, (height, width) in enumerate(shapes.tolist()):
        at = places[:, :, :, level]
        index, share = corners_zero(at[..., 1] * height - 0.5, at[..., 0] * width - 0.5, height, width)
        indices.append(index + starts[level])
        shares.append(share * weights[:, :, :, level, :, None])
    index, share = torch.stack(indices, 3), torch.stack(shares, 3)
    image = torch.arange(batch, device=value.device).reshape(-1, 1, 1, 1, 1, 1)
    head = torch.arange(heads, device=value.device).reshape(1, 1, -1, 1, 1, 1)
    rows = (index + image * keys) * heads + head
    many = levels * points * 4
    found = mix(value.reshape(-1, dims), rows.reshape(-1, many), share.reshape(-1, many))
    return found.reshape(batch, queries, heads * dims)


def ms_deform_attn_forward(
    value: Any, value_spatial_shapes: Any, value_level_start_index: Any, sampling_locations: Any,
    attention_weights: Any, im2col_step: int,
) -> Any:  # fmt: skip
    found = _attended(
        widened(value), value_spatial_shapes, value_level_start_index,
        widened(sampling_locations), widened(attention_weights),
    )  # fmt: skip
    return found.to(value.dtype)


def ms_deform_attn_backward(
    value: Any, value_spatial_shapes: Any, value_level_start_index: Any, sampling_locations: Any,
    attention_weights: Any, grad_output: Any, grad_value: Any, grad_sampling_loc: Any,
    grad_attn_weight: Any, im2col_step: int,
) -> None:  # fmt: skip
    found = gradients(
        lambda v, p, w: _attended(v, value_spatial_shapes, value_level_start_index, p, w),
        [widened(one) for one in (value, sampling_locations, attention_weights)],
        grad_output,
    )
    for target, one in zip((grad_value, grad_sampling_loc, grad_attn_weight), found):
        fill(target, one)
