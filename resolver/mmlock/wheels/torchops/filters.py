"""The filters and activations of image generation, in the form in which mmcv calls them on GPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .sampling import widened


def upfirdn2d(
    input: Any, filter: Any, upx: int, upy: int, downx: int, downy: int, padx0: int, padx1: int, pady0: int,
    pady1: int, flip: bool, gain: float,
) -> Any:  # fmt: skip
    """Zeros between the pixels, a border, a filter, and every so-many-th pixel."""
    count, channels, height, width = input.shape
    data = widened(input).reshape(count * channels, 1, height, 1, width, 1)
    data = F.pad(data, (0, upx - 1, 0, 0, 0, upy - 1)).reshape(count * channels, 1, height * upy, width * upx)
    # A negative border cuts.
    data = F.pad(data, (padx0, padx1, pady0, pady1))
    kernel = filter.to(data.dtype) * gain
    kernel = kernel if flip else kernel.flip(0, 1)
    found = F.conv2d(data, kernel[None, None], stride=(downy, downx))
    return found.reshape(count, channels, *found.shape[2:]).to(input.dtype)


def upfirdn2d_v1(
    input: Any, kernel: Any, up_x: int, up_y: int, down_x: int, down_y: int, pad_x0: int, pad_x1: int,
    pad_y0: int, pad_y1: int,
) -> Any:  # fmt: skip
    """Of mmcv-full: images are (N * C, H, W, 1) there."""
    flat = input.permute(0, 3, 1, 2)
    found = upfirdn2d(
        flat, kernel, up_x, up_y, down_x, down_y, pad_x0, pad_x1, pad_y0, pad_y1, flip=False, gain=1.0
    )
    return found.permute(0, 2, 3, 1).contiguous()


def fused_bias_leakyrelu(
    input: Any, bias: Any, empty: Any, act: int, grad: int, alpha: float, scale: float
) -> Any:
    """`act` 3 is leaky, 1 is linear; `grad` counts the derivations; `empty` is what was put out before."""
    data = input
    if bias.numel():
        data = data + bias.reshape(1, -1, *[1] * (input.dim() - 2))
    if grad == 2:
        return torch.zeros_like(data)
    if act == 3:
        data = torch.where((data if grad == 0 else empty) > 0, data, data * alpha)
    return data * scale


_SELU = (1.0507009873554804934193349852946, 1.6732632423543772848170429916717)


def _activated(kind: int, x: Any, alpha: float) -> Any:
    """An activation of mmcv's table by its number."""
    if kind == 1:
        return x
    if kind == 2:
        return F.relu(x)
    if kind == 3:
        return F.leaky_relu(x, alpha)
    if kind == 4:
        return x.tanh()
    if kind == 5:
        return x.sigmoid()
    if kind == 6:
        return F.elu(x)
    if kind == 7:
        return F.selu(x)
    if kind == 8:
        return F.softplus(x)
    if kind == 9:
        return x * x.sigmoid()
    raise ValueError(f"bias_act knows activations 1 to 9, not {kind}")


def _wide(x: Any, bias: Any, dim: int) -> Any:
    if not bias.numel():
        return x
    return x + bias.reshape([-1 if at == dim else 1 for at in range(x.dim())])


def bias_act(
    input: Any, bias: Any, xref: Any, yref: Any, dy: Any, grad: int, dim: int, act: int, alpha: float,
    gain: float, clamp: float,
) -> Any:  # fmt: skip
    """`grad` 0: the activation; 1: `input` is a slope on it; 2: a slope on that slope."""
    if grad == 0:
        found = _activated(act, _wide(input, bias, dim), alpha) * gain
        return found.clamp(-clamp, clamp) if clamp >= 0 else found
    if grad == 2:
        return _twice(input, bias, xref, yref, dy, dim, act, alpha, gain, clamp)
    return input * _slope(input, bias, xref, yref, dim, act, alpha, gain, clamp)


def _slope(
    input: Any, bias: Any, xref: Any, yref: Any, dim: int, act: int, alpha: float, gain: float, clamp: float
) -> Any:
    """The derivative, by what was put in where that was kept, else by what was put out."""
    if xref.numel():
        x = _wide(xref, bias, dim).detach().requires_grad_()
        with torch.enable_grad():
            found = _activated(act, x, alpha)
            (slope,) = torch.autograd.grad(found.sum(), [x])
        out = found.detach() * gain
    else:
        out = yref if yref.numel() else torch.zeros_like(input)
        slope = _slope_by_output(act, out / gain, alpha)
    slope = slope * gain
    return (
        slope * (out.abs() < clamp).to(slope.dtype)
        if clamp >= 0 and (xref.numel() or yref.numel())
        else slope
    )


def _slope_by_output(act: int, y: Any, alpha: float) -> Any:
    """The derivative of an activation at the place where its value is `y`."""
    one = torch.ones_like(y)
    if act == 2:
        return (y > 0).to(y.dtype)
    if act == 3:
        return torch.where(y > 0, one, one * alpha)
    if act == 4:
        return 1 - y * y
    if act == 5:
        return y * (1 - y)
    if act == 6:
        return torch.where(y >= 0, one, y + 1)
    if act == 7:
        return torch.where(y >= 0, one * _SELU[0], y + _SELU[0] * _SELU[1])
    if act == 8:
        return 1 - torch.exp(-y)
    return one


def _twice(
    input: Any, bias: Any, xref: Any, yref: Any, dy: Any, dim: int, act: int, alpha: float, gain: float,
    clamp: float,
) -> Any:  # fmt: skip
    """The second derivative times both slopes."""
    if xref.numel():
        start = _wide(xref, bias, dim).detach()
    else:
        y = yref / gain
        start = {4: torch.atanh, 5: torch.logit}.get(act, lambda given: given)(y).detach()
    x = start.requires_grad_()
    with torch.enable_grad():
        value = _activated(act, x, alpha)
        (first,) = torch.autograd.grad(value.sum(), [x], create_graph=True)
        if not first.requires_grad:
            return torch.zeros_like(input)
        (second,) = torch.autograd.grad(first.sum(), [x])
    found = input * dy * second * gain
    return found * ((value.detach() * gain).abs() < clamp).to(found.dtype) if clamp >= 0 else found


def filtered_lrelu(
    x: Any, fu: Any, fd: Any, b: Any, si: Any, up: int, down: int, px0: int, px1: int, py0: int, py1: int,
    sx: int, sy: int, gain: float, slope: float, clamp: float, flip_filters: bool, writeSigns: bool,
) -> tuple[Any, Any, int]:  # fmt: skip
    """Says with -1 that the caller is to take the way of several ops, as it does for unusual filters."""
    return x, si, -1


def filtered_lrelu_act_(
    x: Any, si: Any, sx: int, sy: int, gain: float, slope: float, clamp: float, writeSigns: bool
) -> Any:
    """Change `x` in place; the signs are a byte for each value here: 0 as it is, 1 negative, 2 clamped."""
    high, wide = x.shape[2:]
    if writeSigns or not si.numel():
        negative = x < 0
        x.mul_(torch.where(negative, torch.full_like(x, slope), torch.ones_like(x)) * gain)
        clamped = x.abs() > clamp if clamp >= 0 else torch.zeros_like(negative)
        if clamp >= 0:
            x.clamp_(-clamp, clamp)
        return negative.to(torch.uint8).masked_fill(clamped, 2) if writeSigns else si
    border = (max(0, -sx), max(0, wide + sx - si.shape[3]), max(0, -sy), max(0, high + sy - si.shape[2]))
    part = F.pad(si, border)[:, :, max(0, sy) :, max(0, sx) :][:, :, :high, :wide]
    factor = torch.where(part == 1, torch.full_like(x, slope), torch.ones_like(x)) * gain
    x.mul_(factor.masked_fill(part == 2, 0.0))
    return si
