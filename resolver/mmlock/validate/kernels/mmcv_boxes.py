"""mmcv: overlaps of boxes, and what is suppressed because of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from .harness import Suite, Trial
from .mmcv_package import load, plain
from .reference import clear_of, corners, draw, greedy, overlaps, polygon_overlaps

SUITE = Suite("mmcv", load, plain)
SIZES = (1, 7, 200)


def _boxes(t: Trial, count: int) -> Any:
    start = t.uniform(0, 100, count, 2)
    return t.tensor(
        torch.cat([torch.as_tensor(start), torch.as_tensor(start + t.uniform(1, 40, count, 2))], 1)
    )


def _scores(t: Trial, count: int) -> Any:
    """Different from each other, so that their order is certain."""
    return t.tensor((t.rng.permutation(count) + 1.0) / (count + 1))


def _exact(tensor: Any) -> Any:
    return tensor.detach().cpu().double()


@SUITE.check("bbox_overlaps")
def bbox_overlaps(t: Trial) -> None:
    first, second = _boxes(t, 13), _boxes(t, 29)
    for mode in ("iou", "iof"):
        for offset in (0, 1):
            got = t.ops.bbox_overlaps(first, second, mode=mode, offset=offset)
            t.close(f"{mode} offset {offset}", got, overlaps(_exact(first), _exact(second), offset, mode))
            got = t.ops.bbox_overlaps(first, second[:13], mode=mode, aligned=True, offset=offset)
            want = overlaps(_exact(first), _exact(second[:13]), offset, mode).diagonal()
            t.close(f"{mode} offset {offset} aligned", got.reshape(-1), want)
    t.same("empty", list(t.ops.bbox_overlaps(first[:0], second).shape), [0, 29])


@SUITE.check("nms")
def nms(t: Trial) -> None:
    for count in SIZES:
        for offset, threshold in ((0, 0.5), (1, 0.3)):

            def good(boxes: Any, offset: int = offset, threshold: float = threshold) -> bool:
                return clear_of(overlaps(_exact(boxes), _exact(boxes), offset), threshold)

            boxes = draw(partial(_boxes, t, count), good)
            scores = _scores(t, count)
            want = greedy(overlaps(_exact(boxes), _exact(boxes), offset), scores, threshold)
            dets, kept = t.ops.nms(boxes, scores, threshold, offset=offset)
            t.same(f"{count} boxes, offset {offset}", kept, want)
            t.close(f"{count} boxes, offset {offset}, values", dets[:, :4], _exact(boxes)[want])
            _, few = t.ops.nms(boxes, scores, threshold, offset=offset, score_threshold=0.5, max_num=3)
            t.same(f"{count} boxes, best three", few, [at for at in want if scores[at] > 0.5][:3])
    dets, kept = t.ops.nms(_boxes(t, 0), _scores(t, 0), 0.5)
    t.same("empty", [list(dets.shape), kept.tolist()], [[0, 5], []])


@SUITE.check("batched_nms")
def batched_nms(t: Trial) -> None:
    boxes = draw(lambda: _boxes(t, 120), lambda b: clear_of(overlaps(_exact(b), _exact(b)), 0.4, 1e-4))
    scores, classes = _scores(t, 120), t.tensor(t.rng.randint(0, 3, 120))
    matrix = overlaps(_exact(boxes), _exact(boxes))
    apart = (classes[:, None] != classes[None, :]).cpu()
    for agnostic in (False, True):
        want = greedy(matrix if agnostic else matrix.masked_fill(apart, 0.0), scores, 0.4)
        _, kept = t.ops.batched_nms(
            boxes, scores, classes, {"type": "nms", "iou_threshold": 0.4}, class_agnostic=agnostic
        )
        t.same(f"class agnostic {agnostic}", kept, want)


def _soft(boxes: Any, scores: Any, method: str, threshold: float, sigma: float, floor: float) -> Any:
    """Boxes in the order of choice, and the score each has when it is chosen."""
    matrix, left, chosen = overlaps(boxes, boxes), dict(enumerate(scores.tolist())), []
    while left:
        best = max(left, key=lambda at: left[at])
        chosen.append((best, left.pop(best)))
        for at in list(left):
            shared = float(matrix[best, at])
            if method == "gaussian":
                left[at] *= float(torch.exp(torch.tensor(-(shared**2) / sigma, dtype=torch.float64)))
            elif shared >= threshold:
                left[at] *= (1 - shared) if method == "linear" else 0.0
            if left[at] < floor:
                del left[at]
    return chosen


@SUITE.check("soft_nms")
def soft_nms(t: Trial) -> None:
    for method in ("naive", "linear", "gaussian"):
        for count in SIZES:
            boxes = draw(partial(_boxes, t, count), lambda b: clear_of(overlaps(_exact(b), _exact(b)), 0.3))
            scores = _scores(t, count)
            want = _soft(_exact(boxes), _exact(scores), method, 0.3, 0.5, 1e-3)
            dets, kept = t.ops.soft_nms(boxes, scores, 0.3, sigma=0.5, min_score=1e-3, method=method)
            t.same(f"{method} {count} boxes", kept, [at for at, _ in want])
            if len(kept) == len(want):
                t.close(f"{method} {count} boxes, scores", dets[:, 4], [score for _, score in want])


@SUITE.check("nms_match")
def nms_match(t: Trial) -> None:
    boxes = draw(lambda: _boxes(t, 60), lambda b: clear_of(overlaps(_exact(b), _exact(b)), 0.4))
    scores = _scores(t, 60)
    groups = t.ops.nms_match(torch.cat([boxes, scores[:, None]], 1), 0.4)
    matrix = overlaps(_exact(boxes), _exact(boxes))
    left = sorted(range(60), key=lambda at: -float(scores[at]))
    want = []
    while left:
        group = [at for at in left if at == left[0] or matrix[left[0], at] >= 0.4]
        want.append(group)
        left = [at for at in left if at not in group]
    t.same("groups", groups, want)
    t.same("empty", t.ops.nms_match(t.tensor(torch.zeros(0, 5)), 0.4), [])


# ---------------------------------------------------------------- rotated boxes and quadrangles


def _rotated(t: Trial, count: int) -> Any:
    parts = [t.uniform(0, 50, count, 2), t.uniform(4, 30, count, 2), t.uniform(-3.1, 3.1, count, 1)]
    return t.tensor(torch.cat([torch.as_tensor(part) for part in parts], 1))


def _quadri(t: Trial, count: int) -> Any:
    return corners(_rotated(t, count).cpu().double()).reshape(count, 8).float().to(t.device)


def _turned(first: Any, second: Any, mode: str = "iou") -> Any:
    return polygon_overlaps(corners(_exact(first)), corners(_exact(second)), mode)


def _outlined(first: Any, second: Any, mode: str = "iou") -> Any:
    return polygon_overlaps(_exact(first).reshape(-1, 4, 2), _exact(second).reshape(-1, 4, 2), mode)


def _iou(t: Trial, op: Any, make: Any, reference: Any) -> None:
    first, second = make(t, 12), make(t, 17)
    for mode in ("iou", "iof"):
        t.close(mode, op(first, second, mode=mode), reference(first, second, mode))
        want = reference(first, second[:12], mode).diagonal()
        t.close(f"{mode} aligned", op(first, second[:12], mode=mode, aligned=True), want)
    t.close("with itself", op(first, first, aligned=True), torch.ones(12))
    t.same("empty", list(op(first[:0], second).shape), [0, 17])


def _suppression(t: Trial, op: Any, make: Any, reference: Any) -> None:
    for count in (1, 40):
        boxes = draw(partial(make, t, count), lambda b: clear_of(reference(b, b), 0.3, 1e-4))
        scores = _scores(t, count)
        matrix = reference(boxes, boxes)
        t.same(f"{count} boxes", op(boxes, scores, 0.3)[1], greedy(matrix, scores, 0.3))
        if t.device == "cpu" and not plain():  # The CPU kernels take labels and do not look at them.
            continue
        labels = t.tensor(t.rng.randint(0, 3, count).astype("float32"))
        apart = (labels[:, None] != labels[None, :]).cpu()
        want = greedy(matrix.masked_fill(apart, 0.0), scores, 0.3)
        t.same(f"{count} boxes, three classes", op(boxes, scores, 0.3, labels)[1], want)


@SUITE.check("box_iou_rotated")
def box_iou_rotated(t: Trial) -> None:
    _iou(t, t.ops.box_iou_rotated, _rotated, _turned)
    first, second = _rotated(t, 9), _rotated(t, 9)
    flip = t.tensor([1.0, 1.0, 1.0, 1.0, -1.0])
    got = t.ops.box_iou_rotated(first, second, clockwise=False)
    t.close("counter-clockwise", got, _turned(first * flip, second * flip))


@SUITE.check("nms_rotated")
def nms_rotated(t: Trial) -> None:
    _suppression(t, t.ops.nms_rotated, _rotated, _turned)


@SUITE.check("box_iou_quadri")
def box_iou_quadri(t: Trial) -> None:
    _iou(t, t.ops.box_iou_quadri, _quadri, _outlined)


@SUITE.check("nms_quadri")
def nms_quadri(t: Trial) -> None:
    _suppression(t, t.ops.nms_quadri, _quadri, _outlined)


# ---------------------------------------------------------------- boxes seen from above


def _turned_corners(t: Trial, count: int) -> Any:
    """Boxes (x1, y1, x2, y2, angle) before they are turned."""
    return torch.cat([_boxes(t, count), t.tensor(t.uniform(-3, 3, count, 1))], 1)


def _centred(boxes: Any) -> Any:
    exact = _exact(boxes)
    middle, size = (exact[:, :2] + exact[:, 2:4]) / 2, exact[:, 2:4] - exact[:, :2]
    return torch.cat([middle, size, exact[:, 4:]], 1)


@SUITE.check("boxes_iou_bev", "nms_bev", "nms_normal_bev", name="bev")
def bev(t: Trial) -> None:
    first, second = _turned_corners(t, 12), _turned_corners(t, 9)
    want = _turned(_centred(first), _centred(second))
    t.close("boxes_iou_bev", t.ops.boxes_iou_bev(first, second), want)
    boxes = draw(
        lambda: _turned_corners(t, 30), lambda b: clear_of(_turned(_centred(b), _centred(b)), 0.2, 1e-4)
    )
    scores = _scores(t, 30)
    want = greedy(_turned(_centred(boxes), _centred(boxes)), scores, 0.2)
    t.same("nms_bev", t.ops.nms_bev(boxes, scores, 0.2), want)
    straight = overlaps(_exact(boxes)[:, :4], _exact(boxes)[:, :4])
    if clear_of(straight, 0.2):
        t.same("nms_normal_bev", t.ops.nms_normal_bev(boxes, scores, 0.2), greedy(straight, scores, 0.2))
