"""Pooling of regions that are sampled bilinearly: upright, rotated, deformed, between curves."""

from __future__ import annotations

import math
from typing import Any, Callable, NamedTuple

import torch

from .sampling import corners_edge, fill, gradients, mix, rows_of, widened

_CHUNK = 1 << 22
"""How many samples of an image are held at a time."""


class Samples(NamedTuple):
    """Where a set of regions is sampled: y and x are (regions, bins, samples)."""

    which: Any
    """Rows of the regions among all that were given."""
    y: Any
    x: Any


Sampler = Callable[[Any, int, int], "tuple[Any, Any]"]
"""(regions, samples a bin has along y, along x) -> y and x."""


def _spread(start: Any, size: Any, bins: int, count: int) -> Any:
    """Sample coordinates along an axis: (regions, bins, count)."""
    inner = (torch.arange(count, device=size.device, dtype=size.dtype) + 0.5) / count
    steps = torch.arange(bins, device=size.device, dtype=size.dtype)[:, None] + inner[None]
    return start[:, None, None] + (size / bins)[:, None, None] * steps


def _cross(ys: Any, xs: Any) -> tuple[Any, Any]:
    """All pairs of rows (R, ph, sy) and columns (R, pw, sx): (R, ph * pw, sy * sx) each."""
    count, ph, sy = ys.shape
    _, pw, sx = xs.shape
    shape = (count, ph, pw, sy, sx)
    y = ys[:, :, None, :, None].expand(shape).reshape(count, ph * pw, sy * sx)
    return y, xs[:, None, :, None, :].expand(shape).reshape(count, ph * pw, sy * sx)


def _grouped(rois: Any, high: Any, wide: Any, ratio: int, out: tuple[int, int], sample: Sampler) -> Any:
    """The samples of all regions, those with equal numbers of samples together, in chunks."""
    if ratio > 0:
        counts = torch.full((rois.shape[0], 2), ratio, dtype=torch.long)
    else:
        counts = torch.stack([(high / out[0]).ceil(), (wide / out[1]).ceil()], 1).clamp(min=0).long().cpu()
    for sy, sx in sorted(set(map(tuple, counts.tolist()))):
        if sy * sx == 0:
            continue
        which = ((counts[:, 0] == sy) & (counts[:, 1] == sx)).nonzero()[:, 0].to(rois.device)
        step = max(1, _CHUNK // (out[0] * out[1] * sy * sx))
        for part in which.split(step):
            yield Samples(part, *sample(part, sy, sx))


def _averages(data: Any, rois: Any, samples: Any, out: tuple[int, int]) -> Any:
    """Mean of the samples of every bin: (regions, channels, *out)."""
    _, channels, height, width = data.shape
    table = rows_of(data)
    first = rois[:, 0].long() * height * width
    rows, order = [], []
    for which, y, x in samples:
        count, bins, many = y.shape
        index, weights = corners_edge(y, x, height, width)
        index = (index + first[which][:, None, None, None]).reshape(-1, many * 4)
        rows.append(mix(table, index, weights.reshape(-1, many * 4) / many).reshape(count, bins, channels))
        order.append(which)
    result = data.new_zeros(rois.shape[0], out[0] * out[1], channels)
    if rows:
        result = result.index_copy(0, torch.cat(order), torch.cat(rows))
    return result.permute(0, 2, 1).reshape(-1, channels, *out)


def _back(pool: Callable[[Any], Any], target: Any, slope: Any) -> None:
    """Write the gradient of a pooling that is linear in the images."""
    if slope.numel():
        (found,) = gradients(pool, [torch.zeros_like(widened(target))], slope)
        fill(target, found)


# ---------------------------------------------------------------- upright


def _upright(rois: Any, out: tuple[int, int], scale: float, ratio: int, aligned: bool) -> Any:
    shift = 0.5 if aligned else 0.0
    left, top, right, bottom = (rois[:, 1:] * scale - shift).unbind(1)
    wide, high = right - left, bottom - top
    if not aligned:
        wide, high = wide.clamp(min=1), high.clamp(min=1)

    def sample(part: Any, sy: int, sx: int) -> tuple[Any, Any]:
        return _cross(_spread(top[part], high[part], out[0], sy), _spread(left[part], wide[part], out[1], sx))

    return _grouped(rois, high, wide, ratio, out, sample)


def _largest(data: Any, rois: Any, samples: Any, out: tuple[int, int]) -> tuple[Any, Any, Any]:
    """The largest sample of every bin, and where it was taken: three times (regions, channels, *out)."""
    _, channels, height, width = data.shape
    table = rows_of(data)
    first = rois[:, 0].long() * height * width
    best = data.new_zeros(3, rois.shape[0], out[0] * out[1], channels)
    best[1:] = -1
    for which, y, x in samples:
        count, bins, many = y.shape
        index, weights = corners_edge(y, x, height, width)
        index = (index + first[which][:, None, None, None]).reshape(-1, 4)
        found = mix(table, index, weights.reshape(-1, 4)).reshape(count, bins, many, channels)
        value, at = found.max(2)
        best[0, which], best[1, which], best[2, which] = value, y.gather(2, at), x.gather(2, at)
    turned = best.permute(0, 1, 3, 2).reshape(3, -1, channels, *out)
    return turned[0], turned[1], turned[2]


def roi_align_forward(
    input: Any, rois: Any, output: Any, argmax_y: Any, argmax_x: Any, aligned_height: int,
    aligned_width: int, spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    out = (aligned_height, aligned_width)
    data, boxes = widened(input), widened(rois)
    samples = _upright(boxes, out, spatial_scale, sampling_ratio, aligned)
    if pool_mode == 1:
        fill(output, _averages(data, boxes, samples, out))
        return
    for target, found in zip((output, argmax_y, argmax_x), _largest(data, boxes, samples, out)):
        fill(target, found)


def roi_align_backward(
    grad_output: Any, rois: Any, argmax_y: Any, argmax_x: Any, grad_input: Any, aligned_height: int,
    aligned_width: int, spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool,
) -> None:  # fmt: skip
    out = (aligned_height, aligned_width)
    boxes = widened(rois)
    if pool_mode == 1:

        def pool(data: Any) -> Any:
            samples = _upright(boxes, out, spatial_scale, sampling_ratio, aligned)
            return _averages(data, boxes, samples, out)

        _back(pool, grad_input, grad_output)
        return
    _, channels, height, width = grad_input.shape
    index, weights = corners_edge(widened(argmax_y), widened(argmax_x), height, width)
    plane = boxes[:, 0].long()[:, None] * channels + torch.arange(channels, device=rois.device)[None]
    index = index + (plane * height * width)[:, :, None, None, None]
    taken = (argmax_y >= -1).to(weights.dtype) * widened(grad_output)
    # Bins without a sample have -1 in both places and took nothing.
    taken = taken * ~((argmax_y == -1) & (argmax_x == -1))
    flat = widened(grad_input).new_zeros(grad_input.numel())
    flat.index_add_(0, index.reshape(-1), (weights * taken[..., None]).reshape(-1))
    fill(grad_input, flat)


# ---------------------------------------------------------------- rotated


def _rotated(rois: Any, out: tuple[int, int], scale: float, ratio: int, aligned: bool, turn: float) -> Any:
    """Samples of regions (image, x, y, w, h, angle); `turn` is -1 where positive angles are clockwise."""
    shift = 0.5 if aligned else 0.0
    middle_x, middle_y = rois[:, 1] * scale - shift, rois[:, 2] * scale - shift
    wide, high, angle = rois[:, 3] * scale, rois[:, 4] * scale, rois[:, 5] * turn
    if not aligned:
        wide, high = wide.clamp(min=1), high.clamp(min=1)
    cos, sin = angle.cos(), angle.sin()

    def sample(part: Any, sy: int, sx: int) -> tuple[Any, Any]:
        y, x = _cross(
            _spread(-high[part] / 2, high[part], out[0], sy), _spread(-wide[part] / 2, wide[part], out[1], sx)
        )
        c, s = cos[part][:, None, None], sin[part][:, None, None]
        return y * c - x * s + middle_y[part][:, None, None], y * s + x * c + middle_x[part][:, None, None]

    return _grouped(rois, high, wide, ratio, out, sample)


def roi_align_rotated_forward(
    input: Any, rois: Any, output: Any, pooled_height: int, pooled_width: int, spatial_scale: float,
    sampling_ratio: int, aligned: bool, clockwise: bool,
) -> None:  # fmt: skip
    out = (pooled_height, pooled_width)
    boxes = widened(rois)
    samples = _rotated(boxes, out, spatial_scale, sampling_ratio, aligned, -1.0 if clockwise else 1.0)
    fill(output, _averages(widened(input), boxes, samples, out))


def roi_align_rotated_backward(
    rois: Any, grad_input: Any, grad_output: Any, pooled_height: int, pooled_width: int,
    spatial_scale: float, sampling_ratio: int, aligned: bool, clockwise: bool,
) -> None:  # fmt: skip
    """The binding has its first three names in the wrong order, and callers go by the order."""
    grad_output, rois, grad_input = rois, grad_input, grad_output
    out = (pooled_height, pooled_width)
    boxes = widened(rois)
    turn = -1.0 if clockwise else 1.0

    def pool(data: Any) -> Any:
        return _averages(data, boxes, _rotated(boxes, out, spatial_scale, sampling_ratio, aligned, turn), out)

    _back(pool, grad_input, grad_output)


def _orientations(
    data: Any, rois: Any, out: tuple[int, int], scale: float, ratio: int, turns: int, clockwise: bool
) -> Any:
    """Rotated regions whose orientation channels are turned with them (RiRoI)."""
    samples = _rotated(rois, out, scale, ratio, False, -1.0 if clockwise else 1.0)
    found = _averages(data, rois, samples, out)
    found = found.reshape(found.shape[0], -1, turns, *out)
    share = rois[:, 5] * turns / (2 * math.pi)
    start = share.floor()
    left = (share - start)[:, None, None, None, None]
    own = torch.arange(turns, device=data.device)[None] - start.long()[:, None]
    picked = []
    for more in (0, 1):
        index = torch.remainder(own + more, turns)[:, None, :, None, None].expand_as(found)
        picked.append(found.gather(2, index))
    return ((1 - left) * picked[0] + left * picked[1]).flatten(1, 2)


def riroi_align_rotated_forward(
    features: Any, rois: Any, output: Any, pooled_height: int, pooled_width: int, spatial_scale: float,
    num_samples: int, num_orientations: int, clockwise: bool,
) -> None:  # fmt: skip
    out = (pooled_height, pooled_width)
    fill(
        output,
        _orientations(
            widened(features), widened(rois), out, spatial_scale, num_samples, num_orientations, clockwise
        ),
    )


def riroi_align_rotated_backward(
    top_grad: Any, rois: Any, bottom_grad: Any, pooled_height: int, pooled_width: int,
    spatial_scale: float, num_samples: int, num_orientations: int, clockwise: bool,
) -> None:  # fmt: skip
    out, boxes = (pooled_height, pooled_width), widened(rois)

    def pool(data: Any) -> Any:
        return _orientations(data, boxes, out, spatial_scale, num_samples, num_orientations, clockwise)

    _back(pool, bottom_grad, top_grad)


# ---------------------------------------------------------------- deformed


def _deformed(
    data: Any, rois: Any, offset: Any, out: tuple[int, int], scale: float, ratio: int, gamma: float
) -> Any:
    """Upright regions whose bins are moved by a share of the region's size."""
    left, top, right, bottom = (rois[:, 1:] * scale - 0.5).unbind(1)
    wide, high = right - left, bottom - top

    def sample(part: Any, sy: int, sx: int) -> tuple[Any, Any]:
        y, x = _cross(_spread(top[part], high[part], out[0], sy), _spread(left[part], wide[part], out[1], sx))
        if offset is None:
            return y, x
        moved = offset[part].reshape(len(part), 2, out[0] * out[1], 1) * gamma
        return y + moved[:, 1] * high[part][:, None, None], x + moved[:, 0] * wide[part][:, None, None]

    return _averages(data, rois, _grouped(rois, high, wide, ratio, out, sample), out)


def deform_roi_pool_forward(
    input: Any, rois: Any, offset: Any, output: Any, pooled_height: int, pooled_width: int,
    spatial_scale: float, sampling_ratio: int, gamma: float,
) -> None:  # fmt: skip
    out = (pooled_height, pooled_width)
    moved = widened(offset) if offset.numel() else None
    fill(output, _deformed(widened(input), widened(rois), moved, out, spatial_scale, sampling_ratio, gamma))


def deform_roi_pool_backward(
    grad_output: Any, input: Any, rois: Any, offset: Any, grad_input: Any, grad_offset: Any,
    pooled_height: int, pooled_width: int, spatial_scale: float, sampling_ratio: int, gamma: float,
) -> None:  # fmt: skip
    out, boxes = (pooled_height, pooled_width), widened(rois)
    given = [widened(input), *([widened(offset)] if offset.numel() else [])]

    def pool(data: Any, moved: Any = None) -> Any:
        return _deformed(data, boxes, moved, out, spatial_scale, sampling_ratio, gamma)

    for target, found in zip((grad_input, grad_offset), gradients(pool, given, grad_output)):
        fill(target, found)


# ---------------------------------------------------------------- between curves


def _bernstein(points: Any, u: Any) -> Any:
    """Points of cubic curves (R, 4, 2) at the shares `u`: (R, len(u), 2)."""
    parts = torch.stack([(1 - u) ** 3, 3 * u * (1 - u) ** 2, 3 * u**2 * (1 - u), u**3], 1)
    return torch.einsum("kp,rpd->rkd", parts, points)


def _curved(rois: Any, out: tuple[int, int], scale: float, ratio: int, aligned: bool) -> Any:
    """Samples of regions between two curves of four points each; the lower is stored from right to left."""
    points = rois[:, 1:].reshape(-1, 8, 2) * scale
    upper, lower = points[:, :4], points[:, 4:].flip(1)
    size = torch.max((upper[:, 0] - upper[:, 3]).abs(), (lower[:, 0] - lower[:, 3]).abs())
    wide, high = size[:, 0], size[:, 1]
    if not aligned:
        wide, high = wide.clamp(min=1), high.clamp(min=1)
    u = torch.arange(out[1], device=rois.device, dtype=rois.dtype) / out[1]
    v = (torch.arange(out[0], device=rois.device, dtype=rois.dtype) / out[0])[None, :, None, None]
    middle = _bernstein(upper, u)[:, None] * (1 - v) + _bernstein(lower, u)[:, None] * v
    middle = middle - (0.5 if aligned else 0.0)

    def sample(part: Any, sy: int, sx: int) -> tuple[Any, Any]:
        bin_high, bin_wide = high[part] / out[0], wide[part] / out[1]
        dy = _spread(-bin_high / 2, bin_high, 1, sy)[:, :, None, :, None]
        dx = _spread(-bin_wide / 2, bin_wide, 1, sx)[:, :, None, None, :]
        y, x = middle[part][..., 1, None, None] + dy, middle[part][..., 0, None, None] + dx
        shape = (len(part), out[0], out[1], sy, sx)
        merged = (len(part), out[0] * out[1], sy * sx)
        return y.expand(shape).reshape(merged), x.expand(shape).reshape(merged)

    return _grouped(rois, high, wide, ratio, out, sample)


def bezier_align_forward(
    input: Any, rois: Any, output: Any, aligned_height: int, aligned_width: int, spatial_scale: float,
    sampling_ratio: int, aligned: bool,
) -> None:  # fmt: skip
    out, curves = (aligned_height, aligned_width), widened(rois)
    samples = _curved(curves, out, spatial_scale, sampling_ratio, aligned)
    fill(output, _averages(widened(input), curves, samples, out))


def bezier_align_backward(
    grad_output: Any, rois: Any, grad_input: Any, aligned_height: int, aligned_width: int,
    spatial_scale: float, sampling_ratio: int, aligned: bool,
) -> None:  # fmt: skip
    out, curves = (aligned_height, aligned_width), widened(rois)

    def pool(data: Any) -> Any:
        return _averages(data, curves, _curved(curves, out, spatial_scale, sampling_ratio, aligned), out)

    _back(pool, grad_input, grad_output)
