"""Bilinear sampling as weighted sums of table rows, which torch has a fused, differentiable op for."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import torch
from torch.nn import functional as F  # noqa: N812  its usual name


def widened(tensor: Any) -> Any:
    """Halves as float32: sums of many products in halves say little."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def rows_of(images: Any) -> Any:
    """Images (N, C, H, W) as a table with a row of channels for each pixel: (N * H * W, C)."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


def corners_zero(y: Any, x: Any, height: int, width: int) -> tuple[Any, Any]:
    """The four pixels around each place and their weights; pixels outside of the image weigh nothing.

    Both are (..., 4); weights are differentiable in the places.
    """
    top, left = y.detach().floor(), x.detach().floor()
    below, right = y - top, x - left
    rows = torch.stack([top, top, top + 1, top + 1], -1)
    columns = torch.stack([left, left + 1, left, left + 1], -1)
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    weights = torch.stack(
        [(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right], -1
    )
    index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    return index.long(), weights * inside.to(weights.dtype)


def corners_edge(y: Any, x: Any, height: int, width: int) -> tuple[Any, Any]:
    """As `corners_zero`, by the rule of RoI pooling: a place up to a pixel outside is moved to the edge."""
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width)
    # The gradient of a place is that of the sample it is moved to, also where it was moved.
    y = y + (y.detach().clamp(0, height - 1) - y.detach())
    x = x + (x.detach().clamp(0, width - 1) - x.detach())
    top, left = y.detach().floor(), x.detach().floor()
    below, right = y - top, x - left
    rows = torch.stack([top, top, top + 1, top + 1], -1).clamp(0, height - 1)
    columns = torch.stack([left, left + 1, left, left + 1], -1).clamp(0, width - 1)
    weights = torch.stack(
        [(1 - below) * (1 - right), (1 - below) * right, below * (1 - right), below * right], -1
    )
    return (rows * width + columns).long(), weights * inside[..., None].to(weights.dtype)


def mix(table: Any, index: Any, weights: Any) -> Any:
    """Weighted sums of rows: for (bags, rows) indices and weights, (bags, columns of the table)."""
    if index.shape[0] == 0 or index.shape[1] == 0 or table.shape[1] == 0:
        return table.new_zeros(index.shape[0], table.shape[1]) + 0 * weights.sum() + 0 * table.sum()
    return F.embedding_bag(
        index.contiguous(),
        table.contiguous(),
        mode="sum",
        per_sample_weights=weights.to(table.dtype).contiguous(),
    )


def gradients(function: Callable[..., Any], inputs: Sequence[Any], slope: Any) -> list[Any]:
    """What `slope` on the output of `function(*inputs)` comes to on each input."""
    leaves = [one.detach().requires_grad_() for one in inputs]
    with torch.enable_grad():
        out = function(*leaves)
    found = torch.autograd.grad(out, leaves, slope.to(out.dtype), allow_unused=True)
    return [torch.zeros_like(leaf) if one is None else one for leaf, one in zip(leaves, found)]


def fill(target: Any, value: Any) -> None:
    """Write a result into the tensor that the caller gave for it; an empty one asks for nothing."""
    if target.numel():
        target.copy_(value.reshape(target.shape))


def add(target: Any, value: Any) -> None:
    """Add a gradient to the tensor that the caller gave for it."""
    if target.numel():
        target.add_(value.reshape(target.shape).to(target.dtype))
