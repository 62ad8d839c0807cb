"""torchvision: its compiled ops."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

import torch

from .deformable import CONVS, conv_inputs, deformed, smooth
from .harness import Suite, Trial
from .reference import clear_of, draw, greedy, overlaps
from .regions import ALIGNS, SHAPE, How, roi_aligned, upright


def load() -> Any:
    """The module of ops; that its compiled part is there is what the first call shows."""
    return importlib.import_module("torchvision.ops")


SUITE = Suite("torchvision", load)


def _boxes(t: Trial, count: int) -> Any:
    start = torch.as_tensor(t.uniform(0, 100, count, 2))
    return t.tensor(torch.cat([start, start + torch.as_tensor(t.uniform(1, 40, count, 2))], 1))


def _among(boxes: Any) -> Any:
    exact = boxes.detach().cpu().double()
    return overlaps(exact, exact)


@SUITE.check("nms")
def nms(t: Trial) -> None:
    for count in (1, 7, 200):
        boxes = draw(partial(_boxes, t, count), lambda made: clear_of(_among(made), 0.5))
        scores = t.tensor((t.rng.permutation(count) + 1.0) / (count + 1))
        t.same(f"{count} boxes", t.ops.nms(boxes, scores, 0.5), greedy(_among(boxes), scores, 0.5))
    t.same("empty", t.ops.nms(_boxes(t, 0), t.tensor(torch.zeros(0)), 0.5), [])


@SUITE.check("roi_align")
def roi_align(t: Trial) -> None:
    def kernel(data: Any, rois: Any, how: How) -> Any:
        return t.ops.roi_align(data, rois, how.out, how.scale, how.ratio, how.aligned)

    for how in ALIGNS:
        if how.mode == "avg":
            inputs = [t.normal(*SHAPE), upright(t, 6, how.scale)]
            t.versus(how.label, partial(kernel, how=how), partial(roi_aligned, how=how), inputs, grads=[0])
    got = kernel(t.tensor(t.normal(*SHAPE)), t.tensor(torch.zeros(0, 5)), ALIGNS[0])
    t.same("no regions", list(got.shape), [0, 3, 3, 4])


@SUITE.check("deform_conv2d")
def deform_conv2d(t: Trial) -> None:
    for how in CONVS:
        stride, pad, dilation, groups, parts, kernel = how
        data, offset, mask, weight = conv_inputs(t, how)
        for dtype in ("float32", "float64"):
            t.versus(
                f"stride {stride} padding {pad} dilation {dilation} groups {groups}/{parts} kernel {kernel}",
                lambda d, o, m, w, b, h=how: t.ops.deform_conv2d(d, o, w, b, h[0], h[1], h[2], m),
                lambda d, o, m, w, b, h=how: deformed(d, o, m, w, b, *h[:5]),
                [data, offset, mask, weight, t.normal(6)],
                grads=smooth(dtype, [0, 1, 2, 3, 4]),
                dtype=dtype,
            )
