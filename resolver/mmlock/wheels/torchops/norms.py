"""The parts of synchronised batch normalisation; what is sent between processes is mmcv's own affair."""

from __future__ import annotations

from typing import Any

import torch

from .sampling import fill


def sync_bn_forward_mean(input: Any, mean: Any) -> None:
    fill(mean, input.float().mean((0, 2)))


def sync_bn_forward_var(input: Any, mean: Any, var: Any) -> None:
    fill(var, ((input.float() - mean[None, :, None]) ** 2).mean((0, 2)))


def sync_bn_forward_output(
    input: Any, mean: Any, var: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, norm: Any,
    std: Any, output: Any, eps: float, momentum: Any, group_size: int,
) -> None:  # fmt: skip
    deviation = (var + eps).sqrt()
    scaled = (input.float() - mean[None, :, None]) / deviation[None, :, None]
    fill(std, deviation)
    fill(norm, scaled)
    if weight is not None and weight.numel():
        scaled = scaled * weight[None, :, None] + bias[None, :, None]
    fill(output, scaled)
    if running_mean is not None and running_mean.numel():
        count = input.shape[0] * input.shape[2] * group_size
        unbiased = var * count / (count - 1) if count > 1 else var
        share = float(momentum)
        running_mean.mul_(1 - share).add_(mean, alpha=share)
        running_var.mul_(1 - share).add_(unbiased, alpha=share)


def sync_bn_backward_param(grad_output: Any, norm: Any, grad_weight: Any, grad_bias: Any) -> None:
    fill(grad_weight, (grad_output.float() * norm).sum((0, 2)))
    fill(grad_bias, grad_output.float().sum((0, 2)))


def sync_bn_backward_data(
    grad_output: Any, weight: Any, grad_weight: Any, grad_bias: Any, norm: Any, std: Any, grad_input: Any
) -> None:
    count = grad_output.shape[0] * grad_output.shape[2]
    mean = (grad_weight[None, :, None] * norm + grad_bias[None, :, None]) / count
    fill(grad_input, weight[None, :, None] * (grad_output.float() - mean) / std[None, :, None])


def get_compiler_version() -> str:
    return "none (mmlock's ops in plain PyTorch)"


def get_compiling_cuda_version() -> str:
    return torch.version.cuda or "not available"
