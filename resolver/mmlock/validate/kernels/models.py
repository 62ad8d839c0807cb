"""One training step and one prediction of a detector and a segmenter, with random weights.

The reference is the same model with the same weights in float64 on the CPU.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
from typing import Any

import torch

from .harness import Skip, Suite, Trial

SIZE = 64
PACKAGES = ("mmdet", "mmseg")


def load() -> Any:
    """The packages that are there, imported: that takes longer than everything else."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    found = {}
    if importlib.util.find_spec("mmengine") is not None:
        for name in PACKAGES:
            if importlib.util.find_spec(name) is not None:
                found[name] = importlib.import_module(name)
                importlib.import_module(f"{name}.utils").register_all_modules(init_default_scope=False)
    return found


SUITE = Suite("models", load)


def _built(t: Trial, package: str, model: dict[str, Any]) -> Any:
    """A model made from its configuration; a lock may hold one package and not the other."""
    if package not in t.ops:
        raise Skip(f"{package} is not in this environment, or of a release before mmengine")
    importlib.import_module(f"{package}.utils").register_all_modules(init_default_scope=True)
    config = importlib.import_module("mmengine.config").ConfigDict(model)
    return importlib.import_module(f"{package}.registry").MODELS.build(config)


def _backbone(kind: str, depth: int, **more: Any) -> dict[str, Any]:
    return dict(
        type=kind,
        depth=depth,
        base_channels=16,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        norm_cfg={"type": "BN", "requires_grad": True},
        style="pytorch",
        init_cfg=None,
        **more,
    )


def _train(model: Any, inputs: Any, samples: Any) -> tuple[dict[str, Any], Any]:
    """Losses by name, and the gradient of the first convolution."""
    model.train()
    losses = {
        name: torch.stack(list(value)).sum() if isinstance(value, (list, tuple)) else value
        for name, value in model.loss(inputs, samples).items()
        if "loss" in name
    }
    torch.stack([value.sum() for value in losses.values()]).sum().backward()
    return losses, next(model.backbone.parameters()).grad


def _step(t: Trial, model: Any, samples: Any) -> None:
    """Compare one step in float32 on the device with one in float64 on the CPU."""
    inputs = t.tensor(t.normal(2, 3, SIZE, SIZE))
    exact = copy.deepcopy(model).double()
    model = model.to(t.device)
    got, slope = _train(model, inputs, [sample.to(t.device) for sample in samples()])
    want, steep = _train(exact, inputs.cpu().double(), samples())
    t.same("losses", sorted(got), sorted(want))
    for name in sorted(want):
        # Errors of some fifty layers add up.
        t.close(f"{name} forward", got[name].sum(), want[name].sum(), factor=10)
    t.close("first layer backward", slope, steep, factor=10)
    model.eval()
    with torch.no_grad():
        raw = model(inputs, mode="tensor")
        sure = exact.eval()(inputs.cpu().double(), mode="tensor")
    for at, (one, other) in enumerate(zip(_flat(raw), _flat(sure))):
        t.close(f"prediction {at}", one, other, factor=10)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [part for item in value for part in _flat(item)]
    return [value]


RETINANET = {
    "type": "RetinaNet",
    "neck": {
        "type": "FPN",
        "in_channels": [64, 128, 256, 512],
        "out_channels": 32,
        "start_level": 1,
        "add_extra_convs": "on_input",
        "num_outs": 5,
    },
    "bbox_head": {
        "type": "RetinaHead",
        "num_classes": 5,
        "in_channels": 32,
        "stacked_convs": 1,
        "feat_channels": 32,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "octave_base_scale": 4,
            "scales_per_octave": 3,
            "ratios": [0.5, 1.0, 2.0],
            "strides": [8, 16, 32, 64, 128],
        },
        "bbox_coder": {"type": "DeltaXYWHBBoxCoder"},
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25},
        "loss_bbox": {"type": "L1Loss"},
    },
    "train_cfg": {
        "assigner": {"type": "MaxIoUAssigner", "pos_iou_thr": 0.5, "neg_iou_thr": 0.4, "min_pos_iou": 0},
        "sampler": {"type": "PseudoSampler"},
        "allowed_border": -1,
        "pos_weight": -1,
        "debug": False,
    },
    "test_cfg": {
        "nms_pre": 100,
        "min_bbox_size": 0,
        "score_thr": 0.0,
        "nms": {"type": "nms", "iou_threshold": 0.5},
        "max_per_img": 10,
    },
}


def _boxes(t: Trial) -> Any:
    """Makes the same two annotated images every time it is called."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    starts, sizes = t.uniform(0, 30, 2, 3, 2), t.uniform(8, 32, 2, 3, 2)
    labels = t.rng.randint(0, 5, (2, 3))

    def make() -> list[Any]:
        samples = []
        for start, size, label in zip(starts, sizes, labels):
            corners = torch.cat([torch.as_tensor(start), torch.as_tensor(start + size)], 1).float()
            sample = DetDataSample(
                metainfo={
                    "img_shape": (SIZE, SIZE),
                    "ori_shape": (SIZE, SIZE),
                    "pad_shape": (SIZE, SIZE),
                    "batch_input_shape": (SIZE, SIZE),
                    "scale_factor": (1.0, 1.0),
                }
            )
            sample.gt_instances = InstanceData(bboxes=corners, labels=torch.as_tensor(label))
            samples.append(sample)
        return samples

    return make


@SUITE.check(name="mmdet_retinanet_dcn")
def mmdet_retinanet(t: Trial) -> None:
    dcn = {"type": "DCNv2", "deform_groups": 1, "fallback_on_stride": False}
    body = _backbone("ResNet", 50, dcn=dcn, stage_with_dcn=(False, False, False, True))
    model = _built(t, "mmdet", dict(RETINANET, backbone=body))
    samples = _boxes(t)
    _step(t, model, samples)
    with torch.no_grad():
        inputs = t.tensor(t.normal(2, 3, SIZE, SIZE))
        found = model.predict(inputs, [sample.to(t.device) for sample in samples()])
    t.same("images with boxes", [len(item.pred_instances) > 0 for item in found], [True, True])
    for item in found:
        t.same("finite", bool(torch.isfinite(item.pred_instances.bboxes).all()), want=True)


FCN = {
    "type": "EncoderDecoder",
    "backbone": _backbone("ResNetV1c", 18),
    "decode_head": {
        "type": "FCNHead",
        "in_channels": 128,
        "in_index": 3,
        "channels": 32,
        "num_convs": 1,
        "num_classes": 4,
        "dropout_ratio": 0,
        "norm_cfg": {"type": "BN", "requires_grad": True},
        "align_corners": False,
        "loss_decode": {"type": "CrossEntropyLoss", "use_sigmoid": False},
    },
    "train_cfg": {},
    "test_cfg": {"mode": "whole"},
}


def _painted(t: Trial) -> Any:
    """Makes the same two labelled images every time it is called."""
    structures = importlib.import_module("mmseg.structures")
    pixels = importlib.import_module("mmengine.structures").PixelData
    labels = torch.as_tensor(t.rng.randint(0, 4, (2, 1, SIZE, SIZE)))

    def make() -> list[Any]:
        samples = []
        for label in labels:
            shape = {"img_shape": (SIZE, SIZE), "ori_shape": (SIZE, SIZE), "pad_shape": (SIZE, SIZE)}
            sample = structures.SegDataSample(metainfo=shape)
            sample.gt_sem_seg = pixels(data=label)
            samples.append(sample)
        return samples

    return make


@SUITE.check(name="mmseg_fcn")
def mmseg_fcn(t: Trial) -> None:
    model = _built(t, "mmseg", FCN)
    _step(t, model, _painted(t))
