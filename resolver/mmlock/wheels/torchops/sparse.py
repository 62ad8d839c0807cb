"""Sparse convolution: which sites meet which, and the products along those pairs."""

from __future__ import annotations

from typing import Any, Sequence

import torch


def _offsets(kernel: Sequence[int], device: Any) -> Any:
    """All places of a kernel, the last dimension fastest: (volume, dims)."""
    ranges = [torch.arange(size, device=device) for size in kernel]
    return torch.cartesian_prod(*ranges).reshape(-1, len(kernel))


def _flat(sites: Any, shape: Sequence[int]) -> Any:
    """Sites (batch, ...) as whole numbers."""
    total = sites[..., 0]
    for at, size in enumerate(shape):
        total = total * size + sites[..., at + 1]
    return total


def _unflat(number: Any, shape: Sequence[int]) -> Any:
    parts = []
    for size in reversed(list(shape)):
        parts.append(number % size)
        number = torch.div(number, size, rounding_mode="floor")
    return torch.stack([number, *reversed(parts)], -1)


def _reached(sites: Any, how: Any, transpose: bool) -> tuple[Any, Any]:
    """Which output site each input site meets through each place of the kernel, and whether there is one."""
    shape, kernel, stride, padding, dilation = how
    device = sites.device
    step, pad = torch.tensor(stride, device=device), torch.tensor(padding, device=device)
    reach = _offsets(kernel, device)[:, None] * torch.tensor(dilation, device=device)
    place = sites[None, :, 1:].long()
    if transpose:
        out = place * step - pad + reach
        real = torch.ones_like(out[..., 0], dtype=torch.bool)
    else:
        moved = place + pad - reach
        out = torch.div(moved, step, rounding_mode="floor")
        real = (out * step == moved).all(-1)
    real = real & (out >= 0).all(-1) & (out < torch.tensor(list(shape), device=device)).all(-1)
    batch = sites[None, :, :1].long().expand(out.shape[0], -1, -1)
    return torch.cat([batch, out], -1), real


def _find(keys: Any, wanted: Any) -> tuple[Any, Any]:
    """Where each wanted number is among `keys`, and whether it is there."""
    ordered, order = keys.sort()
    at = torch.searchsorted(ordered, wanted).clamp(max=max(0, len(keys) - 1))
    if not len(keys):
        return torch.zeros_like(wanted), torch.zeros_like(wanted, dtype=torch.bool)
    return order[at], ordered[at] == wanted


def _pairs(
    indices: Any, out_shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int],
    padding: Sequence[int], dilation: Sequence[int], subm: int, transpose: int,
) -> list[Any]:  # fmt: skip
    """Output sites, pairs (volume, 2, sites) padded with -1, and how many pairs each place has."""
    if subm:
        stride, padding = [1] * len(kernel), [size // 2 for size in kernel]
    how = (out_shape, kernel, stride, padding, dilation)
    reached, real = _reached(indices, how, bool(transpose))
    number = _flat(reached, out_shape)
    if subm:
        target, there = _find(_flat(indices.long(), out_shape), number)
        real, sites = real & there, indices
    else:
        keys = number[real].unique()
        target, _ = _find(keys, number)
        sites = _unflat(keys, out_shape).int()
    count = len(indices)
    table = torch.full((real.shape[0], 2, count), -1, dtype=torch.int32, device=indices.device)
    kernel_at, source = real.nonzero().unbind(1)
    column = (real.long().cumsum(1) - 1)[real]
    table[kernel_at, 0, column] = source.int()
    table[kernel_at, 1, column] = target[real].int()
    return [sites, table, real.sum(1).int()]


def get_indice_pairs_2d_forward(
    indices: Any, batchSize: int, outSpatialShape: Any, spatialShape: Any, kernelSize: Any, stride: Any,
    padding: Any, dilation: Any, outPadding: Any, _subM: int, _transpose: int,
) -> list[Any]:  # fmt: skip
    return _pairs(indices, outSpatialShape, kernelSize, stride, padding, dilation, _subM, _transpose)


def get_indice_pairs_3d_forward(
    indices: Any, batchSize: int, outSpatialShape: Any, spatialShape: Any, kernelSize: Any, stride: Any,
    padding: Any, dilation: Any, outPadding: Any, _subM: int, _transpose: int,
) -> list[Any]:  # fmt: skip
    return _pairs(indices, outSpatialShape, kernelSize, stride, padding, dilation, _subM, _transpose)


def get_indice_pairs_4d_forward(
    indices: Any, batchSize: int, outSpatialShape: Any, spatialShape: Any, kernelSize: Any, stride: Any,
    padding: Any, dilation: Any, outPadding: Any, _subM: int, _transpose: int,
) -> list[Any]:  # fmt: skip
    return _pairs(indices, outSpatialShape, kernelSize, stride, padding, dilation, _subM, _transpose)


def get_indice_pairs_2d_backward(
    indices: Any, gridOut: Any, batchSize: int, outSpatialShape: Any, spatialShape: Any, kernelSize: Any,
    stride: Any, padding: Any, dilation: Any, outPadding: Any, _subM: int, _transpose: int,
) -> list[Any]:  # fmt: skip
    """`gridOut` is room that the compiled op works in."""
    return _pairs(indices, outSpatialShape, kernelSize, stride, padding, dilation, _subM, _transpose)


def get_indice_pairs_3d_backward(
    indices: Any, gridOut: Any, batchSize: int, outSpatialShape: Any, spatialShape: Any, kernelSize: Any,
    stride: Any, padding: Any, dilation: Any, outPadding: Any, _subM: int, _transpose: int,
) -> list[Any]:  # fmt: skip
    return _pairs(indices, outSpatialShape, kernelSize, stride, padding, dilation, _subM, _transpose)


def _each(pairs: Any, counts: Any, inverse: int) -> Any:
    """(place, input rows, output rows) for every place of the kernel that has pairs."""
    for at, many in enumerate(counts.tolist()):
        if many > 0:
            own = pairs[at, :, :many].long()
            yield at, own[inverse], own[1 - inverse]


def indice_conv_forward(
    features: Any, filters: Any, indicePairs: Any, indiceNum: Any, numActOut: int, _inverse: int, _subM: int
) -> Any:
    weights = filters.reshape(-1, features.shape[1], filters.shape[-1])
    out = features.new_zeros(numActOut, filters.shape[-1])
    for at, source, target in _each(indicePairs, indiceNum, _inverse):
        out.index_add_(0, target, features[source] @ weights[at])
    return out


def fused_indice_conv_forward(
    features: Any, filters: Any, bias: Any, indicePairs: Any, indiceNum: Any, numActOut: int, _inverse: int,
    _subM: int,
) -> Any:  # fmt: skip
    return bias + indice_conv_forward(features, filters, indicePairs, indiceNum, numActOut, _inverse, _subM)


def indice_conv_backward(
    features: Any, filters: Any, outGrad: Any, indicePairs: Any, indiceNum: Any, _inverse: int, _subM: int
) -> list[Any]:
    weights = filters.reshape(-1, features.shape[1], filters.shape[-1])
    slope, filter_slope = torch.zeros_like(features), torch.zeros_like(weights)
    for at, source, target in _each(indicePairs, indiceNum, _inverse):
        pull = outGrad[target]
        slope.index_add_(0, source, pull @ weights[at].t())
        filter_slope[at] = features[source].t() @ pull
    return [slope, filter_slope.reshape(filters.shape)]


def indice_maxpool_forward(features: Any, indicePairs: Any, indiceNum: Any, numAct: int) -> Any:
    """The largest feature that meets a site; mmcv's own begins with zero, and so does this."""
    out = features.new_zeros(numAct, features.shape[1])
    for _, source, target in _each(indicePairs, indiceNum, 0):
        # Within one place of the kernel every output site is met once.
        out[target] = torch.max(out[target], features[source])
    return out


def indice_maxpool_backward(
    features: Any, outFeatures: Any, outGrad: Any, indicePairs: Any, indiceNum: Any
) -> Any:
    slope = torch.zeros_like(features)
    for _, source, target in _each(indicePairs, indiceNum, 0):
        taken = (features[source] == outFeatures[target]).to(slope.dtype)
        slope.index_add_(0, source, outGrad[target] * taken)
    return slope
