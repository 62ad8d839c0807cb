"""Filters, losses and masks on images."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .sampling import fill, gradients, widened

# ---------------------------------------------------------------- focal losses


def _sigmoid_focal(scores: Any, target: Any, weight: Any, gamma: float, alpha: float) -> Any:
    classes = torch.arange(scores.shape[1], device=scores.device)
    hit = target.long()[:, None] == classes[None]
    chance = scores.sigmoid()
    right = -alpha * (1 - chance).pow(gamma) * F.logsigmoid(scores)
    wrong = -(1 - alpha) * chance.pow(gamma) * F.logsigmoid(-scores)
    loss = torch.where(hit, right, wrong)
    return loss * weight[target.long()][:, None] if weight.numel() else loss


def sigmoid_focal_loss_forward(
    input: Any, target: Any, weight: Any, output: Any, gamma: float, alpha: float
) -> None:
    fill(output, _sigmoid_focal(widened(input), target, widened(weight), gamma, alpha))


def sigmoid_focal_loss_backward(
    input: Any, target: Any, weight: Any, grad_input: Any, gamma: float, alpha: float
) -> None:
    """Of the sum: the caller multiplies by the slope."""
    wide = widened(input)
    (found,) = gradients(
        lambda s: _sigmoid_focal(s, target, widened(weight), gamma, alpha), [wide], torch.ones_like(wide)
    )
    fill(grad_input, found)


def _softmax_focal(chances: Any, target: Any, weight: Any, gamma: float, alpha: float) -> Any:
    own = chances.gather(1, target.long()[:, None])[:, 0]
    loss = -alpha * (1 - own).pow(gamma) * own.clamp(min=torch.finfo(own.dtype).tiny).log()
    return loss * weight[target.long()] if weight.numel() else loss


def softmax_focal_loss_forward(
    input: Any, target: Any, weight: Any, output: Any, gamma: float, alpha: float
) -> None:
    """`input` holds chances, not scores."""
    fill(output, _softmax_focal(widened(input), target, widened(weight), gamma, alpha))


def softmax_focal_loss_backward(
    input: Any, target: Any, weight: Any, buff: Any, grad_input: Any, gamma: float, alpha: float
) -> None:
    """By the scores whose softmax `input` is."""
    wide = widened(input)
    rows = len(wide)
    (slope,) = gradients(
        lambda c: _softmax_focal(c, target, widened(weight), gamma, alpha), [wide], wide.new_ones(rows)
    )
    inner = (slope * wide).sum(1, keepdim=True)
    fill(buff, inner)
    fill(grad_input, wide * (slope - inner))


# ---------------------------------------------------------------- reassembly


def _reassembled(features: Any, masks: Any, size: int, groups: int, scale: int) -> Any:
    """Weighted sums of the neighbourhoods of the smaller image, for each pixel of the larger one."""
    count, channels, height, width = features.shape
    near = F.unfold(features, size, padding=size // 2)
    near = near.reshape(count, groups, channels // groups, size * size, height, width)
    shares = masks.reshape(count, groups, size * size, height, scale, width, scale)
    found = torch.einsum("ngckhw,ngkhawb->ngchawb", near, shares)
    return found.reshape(count, channels, height * scale, width * scale)


def carafe_naive_forward(
    features: Any, masks: Any, output: Any, kernel_size: int, group_size: int, scale_factor: int
) -> None:
    fill(output, _reassembled(widened(features), widened(masks), kernel_size, group_size, scale_factor))


def carafe_naive_backward(
    top_grad: Any, features: Any, masks: Any, bottom_grad: Any, mask_grad: Any, kernel_size: int,
    group_size: int, scale_factor: int,
) -> None:  # fmt: skip
    found = gradients(
        lambda f, m: _reassembled(f, m, kernel_size, group_size, scale_factor),
        [widened(features), widened(masks)],
        top_grad,
    )
    fill(bottom_grad, found[0])
    fill(mask_grad, found[1])


def carafe_forward(
    features: Any, masks: Any, rfeatures: Any, routput: Any, rmasks: Any, output: Any, kernel_size: int,
    group_size: int, scale_factor: int,
) -> None:  # fmt: skip
    """`rfeatures` is kept for the way back: it holds the features as they are here."""
    fill(rfeatures, features)
    carafe_naive_forward(features, masks, output, kernel_size, group_size, scale_factor)


def carafe_backward(
    top_grad: Any, rfeatures: Any, masks: Any, rtop_grad: Any, rbottom_grad_hs: Any, rbottom_grad: Any,
    rmask_grad: Any, bottom_grad: Any, mask_grad: Any, kernel_size: int, group_size: int,
    scale_factor: int,
) -> None:  # fmt: skip
    carafe_naive_backward(
        top_grad, rfeatures.reshape(bottom_grad.shape), masks, bottom_grad, mask_grad, kernel_size,
        group_size, scale_factor,
    )  # fmt: skip


# ---------------------------------------------------------------- masked convolution


def masked_im2col_forward(
    im: Any, mask_h_idx: Any, mask_w_idx: Any, col: Any, kernel_h: int, kernel_w: int, pad_h: int, pad_w: int
) -> None:
    wide = F.pad(im[0], (pad_w, pad_w, pad_h, pad_h))
    rows = mask_h_idx[None, :] + torch.arange(kernel_h, device=im.device)[:, None]
    columns = mask_w_idx[None, :] + torch.arange(kernel_w, device=im.device)[:, None]
    fill(col, wide[:, rows[:, None], columns[None]])


def masked_col2im_forward(
    col: Any, mask_h_idx: Any, mask_w_idx: Any, im: Any, height: int, width: int, channels: int
) -> None:
    im[0][:, mask_h_idx, mask_w_idx] = col.reshape(channels, -1).to(im.dtype)


# ---------------------------------------------------------------- point-wise spatial attention


def _laid(masks: Any, kind: int, size: tuple[int, int], half: tuple[int, int]) -> Any:
    """Each pixel's mask laid over the feature map around it: (N, H * W, H, W)."""
    count, _, height, width = masks.shape
    device = masks.device
    y, x = torch.arange(height, device=device), torch.arange(width, device=device)
    down = y[None, :] - y[:, None] + half[0]
    right = x[None, :] - x[:, None] + half[1]
    index = (
        down.clamp(0, size[0] - 1)[:, None, :, None] * size[1] + right.clamp(0, size[1] - 1)[None, :, None, :]
    )
    inside = ((down >= 0) & (down < size[0]))[:, None, :, None] & ((right >= 0) & (right < size[1]))[
        None, :, None
    ]
    spread = masks.reshape(count, -1, height * width).permute(0, 2, 1)
    found = spread.gather(2, index.reshape(1, height * width, -1).expand(count, -1, -1))
    found = found * inside.reshape(1, height * width, -1).to(masks.dtype)
    # (from, to) for `distribute` (1); `collect` (0) has it the other way round.
    found = found.permute(0, 2, 1) if kind == 0 else found
    return found.reshape(count, height * width, height, width)


def psamask_forward(
    input: Any, output: Any, psa_type: int, num_: int, h_feature: int, w_feature: int, h_mask: int,
    w_mask: int, half_h_mask: int, half_w_mask: int,
) -> None:  # fmt: skip
    fill(output, _laid(input, psa_type, (h_mask, w_mask), (half_h_mask, half_w_mask)))


def psamask_backward(
    grad_output: Any, grad_input: Any, psa_type: int, num_: int, h_feature: int, w_feature: int,
    h_mask: int, w_mask: int, half_h_mask: int, half_w_mask: int,
) -> None:  # fmt: skip
    (found,) = gradients(
        lambda m: _laid(m, psa_type, (h_mask, w_mask), (half_h_mask, half_w_mask)),
        [torch.zeros_like(grad_input)],
        grad_output,
    )
    fill(grad_input, found)


# ---------------------------------------------------------------- rotated filters


def active_rotated_filter_forward(input: Any, indices: Any, output: Any) -> None:
    outputs, inputs = input.shape[:2]
    entries = input[0, 0].numel()
    turns = indices.shape[-1]
    target = indices.reshape(entries, turns).t().long() - 1
    flat = input.reshape(outputs, 1, inputs, entries).expand(-1, turns, -1, -1)
    place = target[None, :, None].expand(outputs, -1, inputs, -1)
    fill(output, torch.empty_like(flat, memory_format=torch.contiguous_format).scatter_(3, place, flat))


def active_rotated_filter_backward(grad_out: Any, indices: Any, grad_in: Any) -> None:
    outputs, inputs = grad_in.shape[:2]
    entries = grad_in[0, 0].numel()
    turns = indices.shape[-1]
    target = indices.reshape(entries, turns).t().long() - 1
    slope = grad_out.reshape(outputs, turns, inputs, entries)
    place = target[None, :, None].expand(outputs, -1, inputs, -1)
    fill(grad_in, slope.gather(3, place).sum(1))


# ---------------------------------------------------------------- correlation and shifts


def _correlated(first: Any, second: Any, how: tuple[tuple[int, int], ...]) -> Any:
    """Products of patches of one image with moved patches of the other: (N, ph, pw, oh, ow)."""
    kernel, patch, pad, dilation, reach, stride = how
    count, _, height, width = first.shape
    radius = [reach[axis] * (patch[axis] - 1) // 2 for axis in (0, 1)]
    border = (radius[1], radius[1], radius[0], radius[0])
    wide = F.pad(second, border)
    ones = first.new_ones(1, 1, *kernel)
    rows = []
    for down in range(patch[0]):
        for right in range(patch[1]):
            part = wide[:, :, down * reach[0] :, right * reach[1] :][:, :, :height, :width]
            product = (first * part).sum(1, keepdim=True)
            rows.append(F.conv2d(product, ones, stride=stride, padding=pad, dilation=dilation)[:, 0])
    return torch.stack(rows, 1).reshape(count, patch[0], patch[1], *rows[0].shape[1:])


def correlation_forward(
    input1: Any, input2: Any, output: Any, kH: int, kW: int, patchH: int, patchW: int, padH: int, padW: int,
    dilationH: int, dilationW: int, dilation_patchH: int, dilation_patchW: int, dH: int, dW: int,
) -> None:  # fmt: skip
    how = (
        (kH, kW), (patchH, patchW), (padH, padW), (dilationH, dilationW),
        (dilation_patchH, dilation_patchW), (dH, dW),
    )  # fmt: skip
    fill(output, _correlated(widened(input1), widened(input2), how))


def correlation_backward(
    grad_output: Any, input1: Any, input2: Any, grad_input1: Any, grad_input2: Any, kH: int, kW: int,
    patchH: int, patchW: int, padH: int, padW: int, dilationH: int, dilationW: int, dilation_patchH: int,
    dilation_patchW: int, dH: int, dW: int,
) -> None:  # fmt: skip
    how = (
        (kH, kW), (patchH, patchW), (padH, padW), (dilationH, dilationW),
        (dilation_patchH, dilation_patchW), (dH, dW),
    )  # fmt: skip
    found = gradients(lambda a, b: _correlated(a, b, how), [widened(input1), widened(input2)], grad_output)
    fill(grad_input1, found[0])
    fill(grad_input2, found[1])


def _shifted(data: Any, shift: Any, way: int) -> Any:
    """Frames (N, T, C, HW) moved along time, each group of channels by its own number."""
    count, frames, channels, size = data.shape
    moved = shift.long().repeat_interleave(channels // shift.shape[1], 1) * way
    source = torch.arange(frames, device=data.device)[None, :, None] - moved[:, None, :]
    inside = ((source >= 0) & (source < frames))[..., None]
    index = source.clamp(0, frames - 1)[..., None].expand(count, frames, channels, size)
    return data.gather(1, index) * inside.to(data.dtype)


def tin_shift_forward(input: Any, shift: Any, output: Any) -> None:
    fill(output, _shifted(input, shift, 1))


def tin_shift_backward(grad_output: Any, shift: Any, grad_input: Any) -> None:
    # The slope of a move is the move back. (mmcv's own kernel moves slopes the way it moves frames.)
    fill(grad_input, _shifted(grad_output, shift, -1))
