"""torch itself: whether its own kernels run on this device and are right."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .harness import Suite, Trial


def load() -> Any:
    """Torch, and the switches that make float32 mean float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return torch


SUITE = Suite("torch", load)


def _dtypes(t: Trial) -> tuple[str, ...]:
    return ("float32", "float64", *(("float16",) if t.device == "cuda" else ()))


@SUITE.check("matmul")
def matmul(t: Trial) -> None:
    for dtype in _dtypes(t):
        t.versus(
            "65x33 by 33x17",
            torch.matmul,
            torch.matmul,
            [t.normal(65, 33), t.normal(33, 17)],
            grads=[0, 1],
            dtype=dtype,
        )
    empty = t.tensor(t.normal(0, 4)) @ t.tensor(t.normal(4, 3))
    t.same("empty", list(empty.shape), [0, 3])


def _convolved(data: Any, weight: Any) -> Any:
    """A convolution as a matrix product of unfolded patches."""
    patches = F.unfold(data, weight.shape[-2:], padding=1, stride=2)
    high = (data.shape[2] + 2 - weight.shape[2]) // 2 + 1
    out = weight.flatten(1) @ patches
    return out.reshape(data.shape[0], weight.shape[0], high, -1)


@SUITE.check("conv2d")
def conv2d(t: Trial) -> None:
    for dtype in _dtypes(t):
        t.versus(
            "stride 2, padding 1",
            lambda d, w: F.conv2d(d, w, stride=2, padding=1),
            _convolved,
            [t.normal(2, 5, 13, 11), t.normal(7, 5, 3, 3)],
            grads=[0, 1],
            dtype=dtype,
        )


def _attention(q: Any, k: Any, v: Any) -> Any:
    scores = (q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5
    return scores.softmax(-1) @ v


@SUITE.check(name="attention")
def attention(t: Trial) -> None:
    kernel = getattr(F, "scaled_dot_product_attention", _attention)
    for dtype in _dtypes(t):
        inputs = [t.normal(2, 3, 19, 16) for _ in range(3)]
        t.versus("19 tokens", kernel, _attention, inputs, grads=[0, 1, 2], dtype=dtype)


@SUITE.check(name="index_add")
def index_add(t: Trial) -> None:
    index = torch.as_tensor(t.rng.randint(0, 5, 40))

    def want(source: Any, at: Any) -> Any:
        return torch.stack([source[at == row].sum(0) for row in range(5)])

    def got(source: Any, at: Any) -> Any:
        return source.new_zeros(5, 3).index_add(0, at, source)

    t.versus("40 rows into 5", got, want, [t.normal(40, 3), index], grads=[0])


@SUITE.check(name="batch_norm")
def batch_norm(t: Trial) -> None:
    def want(data: Any, weight: Any, bias: Any) -> Any:
        mean, var = data.mean((0, 2, 3), keepdim=True), data.var((0, 2, 3), unbiased=False, keepdim=True)
        scaled = (data - mean) / (var + 1e-5) ** 0.5
        return scaled * weight[None, :, None, None] + bias[None, :, None, None]

    t.versus(
        "training",
        lambda d, w, b: F.batch_norm(d, None, None, w, b, training=True),
        want,
        [t.normal(4, 3, 5, 6), t.normal(3), t.normal(3)],
        grads=[0, 1, 2],
    )
