"""mmcv: correlation, shifts along time, normalisation, and layers that are plain PyTorch themselves."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812  its usual name

from .deformable import deformed
from .harness import Skip, Suite, Trial
from .mmcv_package import load, plain
from .reference import sample_zero

SUITE = Suite("mmcv", load, plain)
GPU = ("cuda",)


# ---------------------------------------------------------------- kernels for GPUs


def correlated(first: Any, second: Any, kernel: int, reach: int, pad: int, stride: int, spread: int) -> Any:
    """Products of patches of one image with patches of the other, moved by up to `reach` steps."""
    count, _, height, width = first.shape
    high, wide = (height + 2 * pad - kernel) // stride + 1, (width + 2 * pad - kernel) // stride + 1
    out = first.new_zeros(count, 2 * reach + 1, 2 * reach + 1, high, wide)
    rows = torch.arange(high) * stride - pad
    columns = torch.arange(wide) * stride - pad
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            total = 0
            for i in range(kernel):
                for j in range(kernel):
                    y, x = (rows + i)[:, None].double(), (columns + j)[None, :].double()
                    y, x = y.expand(high, wide), x.expand(high, wide)
                    own = torch.stack([sample_zero(image, y, x) for image in first])
                    other = torch.stack(
                        [sample_zero(image, y + down * spread, x + right * spread) for image in second]
                    )
                    total = total + (own * other).sum(1)
            out[:, down + reach, right + reach] = total
    return out


@SUITE.check("Correlation", name="correlation", devices=GPU)
def correlation(t: Trial) -> None:
    for kernel, reach, pad, stride, spread in ((1, 2, 0, 1, 1), (3, 1, 1, 1, 2), (3, 1, 1, 2, 1)):
        layer = t.ops.Correlation(kernel, reach, stride, pad, 1, spread)
        t.versus(
            f"kernel {kernel} reach {reach} padding {pad} stride {stride} spread {spread}",
            layer,
            lambda a, b, k=kernel, r=reach, p=pad, s=stride, d=spread: correlated(a, b, k, r, p, s, d),
            [t.normal(2, 4, 7, 8), t.normal(2, 4, 7, 8)],
            grads=[0, 1],
        )


def shifted(data: Any, shift: Any) -> Any:
    """Frames (N, T, C, HW) moved along time, each group of channels by its own number."""
    out = torch.zeros_like(data)
    group = data.shape[2] // shift.shape[1]
    for n in range(data.shape[0]):
        for channel in range(data.shape[2]):
            move = int(shift[n, channel // group])
            for frame in range(data.shape[1]):
                if 0 <= frame + move < data.shape[1]:
                    out[n, frame + move, channel] = data[n, frame, channel]
    return out


@SUITE.check("tin_shift", devices=GPU)
def tin_shift(t: Trial) -> None:
    shift = torch.tensor([[0, 1, -1], [2, -2, 9]]).int()
    # The values alone: mmcv's kernel moves slopes the way it moves frames, not back.
    t.versus("three groups", t.ops.tin_shift, shifted, [t.normal(2, 4, 6, 5), shift])


@SUITE.check("SyncBatchNorm", name="sync_bn", devices=GPU)
def sync_bn(t: Trial) -> None:
    if not torch.distributed.is_available():
        raise Skip("this torch has no torch.distributed")
    place = os.path.join(tempfile.mkdtemp(), "store")
    torch.distributed.init_process_group("gloo", init_method=f"file://{place}", rank=0, world_size=1)
    try:
        for mode in ("default", "N"):
            _one_norm(t, mode)
    finally:
        torch.distributed.destroy_process_group()


def _one_norm(t: Trial, mode: str) -> None:
    layer = t.ops.SyncBatchNorm(3, stats_mode=mode).to(t.device)

    def kernel(data: Any, weight: Any, bias: Any) -> Any:
        for name, value in (("weight", weight), ("bias", bias)):
            delattr(layer, name)
            setattr(layer, name, value)
        return layer(data)

    def reference(data: Any, weight: Any, bias: Any) -> Any:
        mean, var = data.mean((0, 2, 3)), data.var((0, 2, 3), unbiased=False)
        shape = (1, 3, 1, 1)
        scaled = (data - mean.reshape(shape)) / (var.reshape(shape) + 1e-5) ** 0.5
        return scaled * weight.reshape(shape) + bias.reshape(shape)

    data = t.normal(4, 3, 5, 6)
    t.versus(mode, kernel, reference, [data, t.normal(3), t.normal(3)], grads=[0, 1, 2])
    exact = torch.as_tensor(data)
    t.close(f"{mode}, running mean", layer.running_mean, 0.1 * exact.mean((0, 2, 3)))
    t.close(f"{mode}, running variance", layer.running_var, 0.9 + 0.1 * exact.var((0, 2, 3)))


# ---------------------------------------------------------------- plain PyTorch


@SUITE.check("CrissCrossAttention", name="cc_attention")
def cc_attention(t: Trial) -> None:
    torch.manual_seed(t.seed)
    layer = t.ops.CrissCrossAttention(16).to(t.device)
    layer.gamma.scale.data.fill_(0.7)
    convs = [layer.query_conv, layer.key_conv, layer.value_conv]
    weights = [part.detach().cpu().double() for conv in convs for part in (conv.weight, conv.bias)]

    def reference(data: Any) -> Any:
        query, key, value = (F.conv2d(data, weights[2 * at], weights[2 * at + 1]) for at in range(3))
        out = torch.zeros_like(value)
        for y in range(data.shape[2]):
            for x in range(data.shape[3]):
                column = [at for at in range(data.shape[2]) if at != y]
                keys = torch.cat([key[:, :, column, x], key[:, :, y]], 2)
                values = torch.cat([value[:, :, column, x], value[:, :, y]], 2)
                share = torch.einsum("nc,nck->nk", query[:, :, y, x], keys).softmax(1)
                out[:, :, y, x] = torch.einsum("nk,nck->nc", share, values)
        return out * 0.7 + data

    t.versus("4x5", layer, reference, [t.normal(2, 16, 4, 5)], grads=[0])


@SUITE.check("point_sample", "rel_roi_point_to_rel_img_point", "SimpleRoIAlign", name="point_sample")
def point_sample(t: Trial) -> None:
    def reference(data: Any, places: Any) -> Any:
        high, wide = data.shape[2:]
        return torch.stack(
            [
                sample_zero(image, at[:, 1] * high - 0.5, at[:, 0] * wide - 0.5)
                for image, at in zip(data, places)
            ]
        )

    inputs = [t.normal(2, 3, 6, 7), t.uniform(-0.1, 1.1, 2, 9, 2)]
    t.versus("9 places", t.ops.point_sample, reference, inputs, grads=[0])
    rois = torch.tensor([[0.0, 1, 2, 9, 8], [1, 0, 1, 6, 11]])

    def aligned(data: Any, boxes: Any) -> Any:
        rows = []
        for box in boxes:
            x1, y1, x2, y2 = box[1:]
            share = (torch.arange(3, dtype=torch.float64) + 0.5) / 3
            y = (y1 + share * (y2 - y1))[:, None].expand(3, 3) * 0.5 - 0.5
            x = (x1 + share * (x2 - x1))[None].expand(3, 3) * 0.5 - 0.5
            rows.append(sample_zero(data[int(box[0])], y, x))
        return torch.stack(rows)

    t.versus("regions", t.ops.SimpleRoIAlign((3, 3), 0.5), aligned, [t.normal(2, 3, 6, 7), rois], grads=[0])


@SUITE.check("SAConv2d", name="saconv")
def saconv(t: Trial) -> None:
    torch.manual_seed(t.seed)
    layer = t.ops.SAConv2d(4, 5, 3, padding=1, use_deform=True).to(t.device).eval()
    for part in layer.parameters():
        part.data.normal_(0, 0.3)
    exact = {name: value.detach().cpu().double() for name, value in layer.state_dict().items()}

    def conv(data: Any, weight: Any, offset: Any, dilation: int) -> Any:
        mask = torch.ones(data.shape[0], 9, *data.shape[2:], dtype=torch.float64)
        return deformed(data, offset, mask, weight, None, 1, dilation, dilation, 1, 1)

    def reference(data: Any) -> Any:
        flat = exact["weight"].reshape(5, -1)
        scaled = (flat - flat.mean(1, keepdim=True)) / (flat.var(1, keepdim=True) + 1e-5).sqrt()
        weight = scaled.reshape(5, 4, 3, 3) * exact["weight_gamma"] + exact["weight_beta"]
        pooled = data.mean((2, 3), keepdim=True)
        x = data + F.conv2d(pooled, exact["pre_context.weight"], exact["pre_context.bias"])
        near = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
        switch = F.conv2d(near, exact["switch.weight"], exact["switch.bias"])
        small = F.conv2d(near, exact["offset_s.weight"], exact["offset_s.bias"], padding=1)
        large = F.conv2d(near, exact["offset_l.weight"], exact["offset_l.bias"], padding=1)
        out = switch * conv(x, weight, small, 1)
        out = out + (1 - switch) * conv(x, weight + exact["weight_diff"], large, 3)
        after = out.mean((2, 3), keepdim=True)
        return out + F.conv2d(after, exact["post_context.weight"], exact["post_context.bias"])

    t.versus("deformed", layer, reference, [t.normal(2, 4, 9, 8)], factor=10)


@SUITE.check("Conv2d", "ConvTranspose2d", "MaxPool2d", "Linear", name="wrappers")
def wrappers(t: Trial) -> None:
    torch.manual_seed(t.seed)
    data = t.tensor(t.normal(2, 3, 6, 7))
    given = {"Conv2d": (3, 4, 3), "ConvTranspose2d": (3, 4, 3), "MaxPool2d": (2,), "Linear": (7, 5)}
    for name, asked in given.items():
        layer, exact = getattr(t.ops, name)(*asked), getattr(torch.nn, name)(*asked)
        exact.load_state_dict(layer.state_dict())
        t.close(name, layer.to(t.device)(data), exact.double()(data.cpu().double()))
        t.same(f"{name}, nothing", list(layer(data[:0]).shape[:1]), [0])
