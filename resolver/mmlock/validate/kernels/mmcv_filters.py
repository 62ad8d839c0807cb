"""mmcv: filters and masks."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .harness import Suite, Trial
from .mmcv_package import load, plain

SUITE = Suite("mmcv", load, plain)


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


def extended(module: str, name: str) -> Any:
    """A function of mmcv's that goes through its extension, and that it keeps for GPUs.

    None where only a GPU can: ops in plain PyTorch run through it on the CPU, too.
    """
    return getattr(importlib.import_module(f"mmcv.ops.{module}"), name, None) if plain() else None


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
    new, old = extended("upfirdn2d", "_upfirdn2d_cuda"), extended("upfirdn2d", "UpFirDn2d")
    for up, down, pad in ((1, 1, 1), (2, 1, 2), (1, 2, 1), (2, 3, 3)):
        ways = {"": lambda d, k, u=up, n=down, p=pad: t.ops.upfirdn2d(d, k, u, n, (p, p))}
        if new:
            ways[", extension"] = lambda d, k, u=up, n=down, p=pad: new(u, n, p).apply(d, k)
        elif old:
            ways[", extension"] = lambda d, k, u=up, n=down, p=pad: old.apply(d, k, (u, u), (n, n), (p,) * 4)
        for label, way in ways.items():
            t.versus(
                f"up {up} down {down} padding {pad}{label}",
                way,
                lambda d, k, u=up, n=down, p=pad: _upfirdn(d, k, u, n, p),
                [t.normal(2, 3, 8, 9), t.normal(3, 4)],
                grads=[0],
            )


@SUITE.check("fused_bias_leakyrelu")
def fused_bias_leakyrelu(t: Trial) -> None:
    for shape in ((2, 3, 5, 6), (4, 3)):
        dims = [1, 3] + [1] * (len(shape) - 2)
        own = extended("fused_bias_leakyrelu", "FusedBiasLeakyReLUFunction")
        for label, way in (("", t.ops.fused_bias_leakyrelu), (", extension", own and own.apply)):
            if way is None:
                continue
            t.versus(
                f"shape {shape}{label}",
                lambda d, b, w=way: w(d, b, 0.1, 1.5),
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
    own = extended("bias_act", "_bias_act_cuda")
    for name, act in acts.items():
        ways = {"": lambda d, b, n=name: t.ops.bias_act(d, b, act=n)}
        if own:
            ways[", extension"] = lambda d, b, n=name: own(1, n).apply(d, b)
        for label, way in ways.items():
            t.versus(
                name + label,
                way,
                lambda d, b, a=act: a(d + b[None, :, None, None]),
                [t.normal(2, 3, 4, 5), t.normal(3)],
                grads=[0, 1],
            )


@SUITE.check("filtered_lrelu")
def filtered_lrelu(t: Trial) -> None:
    def reference(data: Any, first: Any, second: Any, bias: Any) -> Any:
        wide = _upfirdn(data + bias[None, :, None, None], first * 4, 2, 1, 3)
        return _upfirdn((F.leaky_relu(wide, 0.1) * 1.3).clamp(-2, 2), second, 1, 2, 0)

    compare = partial(t.versus, reference=reference, grads=[0, 3])
    inputs = [t.normal(2, 3, 8, 9), t.normal(4, 4, scale=0.4), t.normal(4, 4, scale=0.4), t.normal(3)]
    compare(
        "up 2 down 2",
        lambda d, f, s, b: t.ops.filtered_lrelu(d, f, s, b, 2, 2, 3, 1.3, 0.1, 2.0),
        inputs=inputs,
    )
    own = extended("filtered_lrelu", "_filtered_lrelu_cuda")
    if own and t.device == "cpu":
        # It asks which stream it is on; the CPU has none.
        with mock.patch("torch.cuda.current_stream"), mock.patch("torch.cuda.default_stream"):
            op = own(2, 2, 3, 1.3, 0.1, 2.0)
            compare("extension", lambda d, f, s, b: op.apply(d, f, s, b, None, 0, 0), inputs=inputs)


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
