"""Attention in plain PyTorch, for the packages that have kernels for it."""

from __future__ import annotations

from typing import Any

import torch

from .harness import Trial

SHAPES = ((2, 33, 33, 4, 32), (1, 128, 70, 2, 64), (1, 1, 17, 1, 64))
"""Batch, queries, keys, heads, dims."""


def attention(q: Any, k: Any, v: Any, *, causal: bool = False) -> Any:
    """Attention over (batch, tokens, heads, dims)."""
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool).tril(scores.shape[-1] - scores.shape[-2])
        scores = scores.masked_fill(~hidden, float("-inf"))
    return torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v)


def attention_inputs(t: Trial, shape: tuple[int, ...]) -> list[Any]:
    batch, queries, keys, heads, dims = shape
    return [t.normal(batch, count, heads, dims) for count in (queries, keys, keys)]
