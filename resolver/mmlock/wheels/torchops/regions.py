"""Pooling of regions by other rules: hard bins, exact integrals, borders, and pixels that follow boxes."""

from __future__ import annotations

from typing import Any

import torch

from .sampling import corners_edge, fill, gradients, mix, rows_of, widened

# ---------------------------------------------------------------- the largest value of hard bins


def _edges(start: Any, stop: Any, bins: int, size: int) -> tuple[Any, Any]:
    """First and last-but-one pixel of every bin along an axis: (regions, bins) each."""
    step = ((stop - start) / bins)[:, None]
    place = torch.arange(bins, device=start.device, dtype=start.dtype)[None]
    low = (place * step + start[:, None]).floor().clamp(0, size).long()
    return low, ((place + 1) * step + start[:, None]).ceil().clamp(0, size).long()


def roi_pool_forward(
    input: Any, rois: Any, output: Any, argmax: Any, pooled_height: int, pooled_width: int,
    spatial_scale: float,
) -> None:  # fmt: skip
    height, width = input.shape[2:]
    boxes = widened(rois)
    left, top = boxes[:, 1] * spatial_scale, boxes[:, 2] * spatial_scale
    right, bottom = (boxes[:, 3] + 1) * spatial_scale, (boxes[:, 4] + 1) * spatial_scale
    rows = [part.tolist() for part in _edges(top, bottom, pooled_height, height)]
    columns = [part.tolist() for part in _edges(left, right, pooled_width, width)]
    real = ((right > left) & (bottom > top)).tolist()
    images = boxes[:, 0].long().tolist()
    flat = torch.arange(height * width, device=input.device).reshape(height, width)
    for n, image in enumerate(images):
        for ph in range(pooled_height if real[n] else 0):
            for pw in range(pooled_width):
                high = slice(rows[0][n][ph], rows[1][n][ph])
                wide = slice(columns[0][n][pw], columns[1][n][pw])
                part = input[image, :, high, wide].flatten(1)
                if part.shape[1] == 0:
                    output[n, :, ph, pw] = 0
                    argmax[n, :, ph, pw] = -1
                    continue
                value, at = part.max(1)
                output[n, :, ph, pw] = value
                argmax[n, :, ph, pw] = flat[high, wide].flatten()[at].to(argmax.dtype)


def roi_pool_backward(
    grad_output: Any, rois: Any, argmax: Any, grad_input: Any, pooled_height: int, pooled_width: int,
    spatial_scale: float,
) -> None:  # fmt: skip
    _, channels, height, width = grad_input.shape
    plane = rois[:, 0].long()[:, None] * channels + torch.arange(channels, device=rois.device)[None]
    index = argmax.long().clamp(min=0) + (plane * height * width)[:, :, None, None]
    slope = widened(grad_output) * (argmax >= 0)
    flat = widened(grad_input).new_zeros(grad_input.numel())
    fill(grad_input, flat.index_add_(0, index.reshape(-1), slope.reshape(-1)))


# ---------------------------------------------------------------- exact integrals (PrRoI)


def _tent(low: Any, high: Any, size: int) -> Any:
    """Integrals over [low, high] of the tents around each pixel of an axis: (*low.shape, size)."""
    pixel = torch.arange(size, device=low.device, dtype=low.dtype)

    def primitive(place: Any) -> Any:
        """Of the tent max(0, 1 - |t|), from -1 on."""
        t = (place[..., None] - pixel).clamp(-1, 1)
        return torch.where(t < 0, (t + 1) ** 2 / 2, 1 - (1 - t) ** 2 / 2)

    return primitive(high) - primitive(low)


def _integrated(data: Any, rois: Any, out: tuple[int, int], scale: float) -> Any:
    left, top, right, bottom = (rois[:, 1:] * scale).unbind(1)
    parts, areas = [], []
    for start, stop, bins, size in (
        (top, bottom, out[0], data.shape[2]),
        (left, right, out[1], data.shape[3]),
    ):
        step = ((stop - start).clamp(min=0) / bins)[:, None]
        low = start[:, None] + step * torch.arange(bins, device=data.device, dtype=data.dtype)[None]
        parts.append(_tent(low, low + step, size))
        areas.append(step[:, 0])
    area = areas[0] * areas[1]
    images = data[rois[:, 0].detach().long()]
    found = torch.einsum("rchw,rph,rqw->rcpq", images, parts[0], parts[1])
    share = torch.where(area > 0, 1 / area.clamp(min=1e-30), torch.zeros_like(area))
    return found * share[:, None, None, None]


def prroi_pool_forward(
    input: Any, rois: Any, output: Any, pooled_height: int, pooled_width: int, spatial_scale: float
) -> None:
    fill(output, _integrated(input, rois, (pooled_height, pooled_width), spatial_scale))


def prroi_pool_backward(
    grad_output: Any, rois: Any, grad_input: Any, pooled_height: int, pooled_width: int,
    spatial_scale: float,
) -> None:  # fmt: skip
    (found,) = gradients(
        lambda d: _integrated(d, rois, (pooled_height, pooled_width), spatial_scale),
        [torch.zeros_like(grad_input)],
        grad_output,
    )
    fill(grad_input, found)


def prroi_pool_coor_backward(
    output: Any, grad_output: Any, input: Any, rois: Any, grad_rois: Any, pooled_height: int,
    pooled_width: int, spatial_scale: float,
) -> None:  # fmt: skip
    (found,) = gradients(
        lambda r: _integrated(input, r, (pooled_height, pooled_width), spatial_scale), [rois], grad_output
    )
    fill(grad_rois, found)


# ---------------------------------------------------------------- borders of boxes


def _border(boxes: Any, pool_size: int) -> tuple[Any, Any]:
    """Places along the top, left, bottom and right border: y and x, (images, boxes, 4, pool_size + 1)."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    wide, high = (x2 - x1) / pool_size, (y2 - y1) / pool_size
    none = torch.zeros_like(wide)
    step = torch.arange(pool_size + 1, device=boxes.device, dtype=boxes.dtype)
    start_x, start_y = torch.stack([x1, x1, x2, x2], -1), torch.stack([y1, y1, y2, y2], -1)
    step_x, step_y = torch.stack([wide, none, -wide, none], -1), torch.stack([none, high, none, -high], -1)
    return start_y[..., None] + step_y[..., None] * step, start_x[..., None] + step_x[..., None] * step


def border_align_forward(input: Any, boxes: Any, output: Any, argmax_idx: Any, pool_size: int) -> None:
    count, channels, height, width = input.shape
    y, x = _border(widened(boxes), pool_size)
    index, weights = corners_edge(y, x, height, width)
    # Each border has a quarter of the channels of its own: images and borders together are the images.
    table = rows_of(widened(input).reshape(count * 4, channels // 4, height, width))
    image = torch.arange(count, device=input.device)[:, None, None, None, None] * 4
    side = torch.arange(4, device=input.device)[None, None, :, None, None]
    index = index + (image + side) * height * width
    found = mix(table, index.reshape(-1, 4), weights.reshape(-1, 4))
    value, at = found.reshape(*y.shape, channels // 4).max(3)
    fill(output, value.permute(0, 3, 1, 2))
    fill(argmax_idx, at.permute(0, 3, 1, 2))


def border_align_backward(
    grad_output: Any, boxes: Any, argmax_idx: Any, grad_input: Any, pool_size: int
) -> None:
    count, channels, height, width = grad_input.shape
    y, x = _border(widened(boxes), pool_size)
    shape = (*argmax_idx.shape, pool_size + 1)
    at = argmax_idx.long()[..., None]
    y = y[:, None].expand(shape).gather(-1, at)[..., 0]
    x = x[:, None].expand(shape).gather(-1, at)[..., 0]
    index, weights = corners_edge(y, x, height, width)
    image = torch.arange(count, device=boxes.device)[:, None, None, None, None]
    channel = torch.arange(channels // 4, device=boxes.device)[None, :, None, None, None]
    side = torch.arange(4, device=boxes.device)[None, None, None, :, None]
    plane = image * channels + side * (channels // 4) + channel
    flat = widened(grad_input).new_zeros(grad_input.numel())
    slope = weights * widened(grad_output)[..., None]
    flat.index_add_(0, (index + plane * height * width).reshape(-1), slope.reshape(-1))
    fill(grad_input, flat)


# ---------------------------------------------------------------- pixels that follow their boxes


def _followed(data: Any, boxes: Any, scale: float, points: int) -> Any:
    """Each pixel and the image at its box's centre, and at its corners where five points are asked."""
    count, channels, height, width = data.shape
    flat = boxes.reshape(count, height * width, 5)
    y, x, wide, high = (flat[..., :4] * scale).unbind(-1)
    cos, sin = flat[..., 4].cos(), flat[..., 4].sin()
    along_x, along_y = cos * wide / 2, sin * wide / 2
    across_x, across_y = -sin * high / 2, cos * high / 2
    places = [(y, x)]
    if points > 1:
        places += [
            (y + a * along_y + b * across_y, x + a * along_x + b * across_x)
            for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))
        ]
    index, weights = corners_edge(
        torch.stack([place[0] for place in places], -1), torch.stack([place[1] for place in places], -1),
        height, width,
    )  # fmt: skip
    index = index + (torch.arange(count, device=data.device) * height * width)[:, None, None, None]
    many = len(places) * 4
    found = mix(rows_of(data), index.reshape(-1, many), weights.reshape(-1, many))
    return data + found.reshape(count, height, width, channels).permute(0, 3, 1, 2)


def rotated_feature_align_forward(
    features: Any, best_bboxes: Any, output: Any, spatial_scale: float, points: int
) -> None:
    fill(output, _followed(widened(features), widened(best_bboxes), spatial_scale, points))


def rotated_feature_align_backward(
    top_grad: Any, best_bboxes: Any, bottom_grad: Any, spatial_scale: float, points: int
) -> None:
    boxes = widened(best_bboxes)
    (found,) = gradients(
        lambda d: _followed(d, boxes, spatial_scale, points), [torch.zeros_like(widened(top_grad))], top_grad
    )
    fill(bottom_grad, found)
