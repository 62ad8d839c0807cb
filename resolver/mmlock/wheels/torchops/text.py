"""Pixels of text that grow from seeds. They go one after another: the first to reach a pixel has it."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch

_STEPS = {"columns": ((0, -1), (0, 1), (-1, 0), (1, 0)), "rows": ((-1, 0), (1, 0), (0, -1), (0, 1))}


def pixel_group(
    score: Any, mask: Any, embedding: Any, kernel_label: Any, kernel_contour: Any, kernel_region_label: int,
    distance_threshold: float,
) -> list[list[float]]:  # fmt: skip
    """For each label: its mean score, how many pixels it has, and their x and y."""
    height, width = score.shape
    label = kernel_label.tolist()
    centres = _centres(embedding, kernel_label, kernel_region_label)
    # Whether a pixel may come to a label, for all pixels and labels at once.
    distance = ((embedding[None] - centres[:, None, None]) ** 2).sum(-1)
    may = (mask.bool()[None] & (distance < distance_threshold**2)).tolist()
    waiting = deque((y, x) for y, x in ((kernel_label > 0) & (kernel_contour != 0)).nonzero().tolist())
    while waiting:
        y, x = waiting.popleft()
        own = label[y][x]
        for dy, dx in _STEPS["columns"]:
            ny, nx = y + dy, x + dx
            if 0 <= ny < height and 0 <= nx < width and label[ny][nx] <= 0 and may[own][ny][nx]:
                label[ny][nx] = own
                waiting.append((ny, nx))
    return _told(torch.tensor(label), score, kernel_region_label)


def _centres(embedding: Any, label: Any, count: int) -> Any:
    """Mean embedding of the pixels of each label; not a number where a label has none."""
    flat, own = embedding.reshape(-1, embedding.shape[-1]), label.reshape(-1).long()
    kept = own > 0
    total = embedding.new_zeros(count, embedding.shape[-1]).index_add(0, own[kept], flat[kept])
    return total / torch.bincount(own[kept], minlength=count)[:, None].to(embedding.dtype)


def _told(label: Any, score: Any, count: int) -> list[list[float]]:
    rows: list[list[float]] = []
    for at in range(count):
        places = (label == at).nonzero() if at else label.new_zeros(0, 2)
        mean = float(score[label == at].mean()) if len(places) else 0.0
        rows.append([mean, float(len(places)), *places.flip(1).reshape(-1).double().tolist()])
    return rows


def contour_expand(
    kernel_mask: Any, internal_kernel_label: Any, min_kernel_area: int, kernel_num: int
) -> list[list[int]]:
    """Labels spread over each kernel in turn, from the last but one to the first."""
    height, width = internal_kernel_label.shape
    area = torch.bincount(internal_kernel_label.reshape(-1).long().clamp(min=0), minlength=kernel_num + 1)
    large = (internal_kernel_label != 0) & (
        area[internal_kernel_label.long().clamp(min=0)] >= min_kernel_area
    )
    text = (internal_kernel_label * large.to(internal_kernel_label.dtype)).tolist()
    waiting = deque((y, x) for y, x in large.nonzero().tolist())
    masks = kernel_mask.tolist()
    for kernel in range(len(masks) - 2, -1, -1):
        later: deque[tuple[int, int]] = deque()
        while waiting:
            y, x = waiting.popleft()
            edge = True
            for dy, dx in _STEPS["rows"]:
                ny, nx = y + dy, x + dx
                if 0 <= ny < height and 0 <= nx < width and masks[kernel][ny][nx] and text[ny][nx] <= 0:
                    text[ny][nx] = text[y][x]
                    waiting.append((ny, nx))
                    edge = False
            if edge:
                later.append((y, x))
        waiting = later
    return [list(row) for row in text]
