"""Facts on what `mmcv.ops` provides -> rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from facts_words import Facts

from mmlock.core.names import Confidence, OpNeeds
from mmlock.facts.matrix.model import Op

__all__ = ["NOTE", "SOURCES", "ops"]

SOURCES = {
    "ast": "git tags of mmcv, read without running anything (2026-11-20): ast of mmcv/ops, device "
    "registrations of csrc/pytorch; first release from mmcv/ops/__init__.py of all 67 tags",
    "cpu-run": "called on the CPU with mmcv 2.1.0 built against torch 2.13.0+cpu, Python 3.11 (2026-11-20)",
    "parts": "mmcv/ops/merge_cells.py and diff_iou_rotated.py, read in the git history of mmcv",
    "lookup": "mmdet/models/roi_heads/roi_extractors/base_roi_extractor.py: getattr(ops, layer_type); "
    "mmcv/ops/nms.py, batched_nms: eval(nms_type)",
}

NOTE = (
    "mmcv/ops/__init__.py imports every module and each loads mmcv._ext: `from mmcv.ops import NAME` needs "
    "it for any NAME, also where the op itself needs plain PyTorch only"
)

_ROI = "roi_layer"
_ANY = "*"
_SUPPRESS = frozenset({"nms", "soft_nms", "nms_match", "nms_rotated", "nms_quadri"})
"""Those that `batched_nms` finds by name."""

_PARTS = {
    "merge_cells": dict.fromkeys(
        ("BaseMergeCell", "ConcatCell", "GlobalPoolingCell", "SumCell"), OpNeeds.TORCH
    ),
    "diff_iou_rotated": {"box2corners": OpNeeds.TORCH, "oriented_box_intersection_2d": OpNeeds.CUDA},
}
"""What projects import from modules of mmcv.ops that do not export it."""

_FALLBACKS = {
    "MultiScaleDeformableAttention": (
        "multi_scale_deformable_attn_pytorch",
        "MultiScaleDeformableAttnFunction",
    )
}
"""Op -> its plain PyTorch form and its compiled one, which projects import from the op's module."""


def ops(facts: Facts) -> Iterator[Op]:
    """Every exported name, and the parts of some that projects import from their modules."""
    newest = facts["meta"]["tags"][-1]
    for name, row in facts["ops"].items():
        yield _op(name, row, newest)
        for inner, needs in zip(_FALLBACKS.get(name, ()), (OpNeeds.TORCH, OpNeeds.CUDA), strict=False):
            yield Op(
                name=inner,
                module=row["module"],
                exported=False,
                needs=needs,
                symbols=() if needs is OpNeeds.TORCH else tuple(sorted(row["ext"])),
                since=row["since_version"],
                source=("ast",),
                confidence=Confidence.MEASURED,
            )
    for module, names in _PARTS.items():
        yield from (_part(name, module, needs) for name, needs in names.items())


def _part(name: str, module: str, needs: OpNeeds) -> Op:
    return Op(
        name=name,
        module=module,
        exported=False,
        needs=needs,
        since="1.5.0" if module == "diff_iou_rotated" else "1.0.0",
        source=("parts",),
        confidence=Confidence.MEASURED,
    )


def _op(name: str, row: Facts, newest: str) -> Op:
    now = _needs(row)
    earlier = {release: _needs({**row, **change}) for release, change in row.get("differs_in", {}).items()}
    sources = ["ast"]
    if row.get("ran_on_cpu_mmcv2.1.0") is not None:
        sources.append("cpu-run")
    if under := _under(name):
        sources.append("lookup")
    return Op(
        name=name,
        module=row["module"],
        exported=True,
        needs=now,
        symbols=tuple(sorted(row["ext"])),
        since=row["since_version"],
        until=None if row["last_version"] == newest else row["last_version"],
        registry=tuple(sorted(row.get("registry_names", ()))),
        under=under,
        earlier={release: needs for release, needs in earlier.items() if needs is not now},
        note=row.get("note"),
        source=tuple(sources),
        confidence=Confidence.MEASURED,
    )


def _under(name: str) -> tuple[str, ...]:
    """Keys of configs below which `type` is looked up among the ops themselves."""
    if name in _SUPPRESS:
        return (_ANY,)
    return (_ROI,) if name[:1].isupper() and ("RoI" in name or name == "BezierAlign") else ()


def _needs(row: Mapping[str, object]) -> OpNeeds:
    if row["pure_torch"]:
        return OpNeeds.TORCH
    if not row["cuda"]:
        return OpNeeds.CPU_ONLY
    if not row["cpu"]:
        return OpNeeds.CUDA
    return OpNeeds.FALLBACK if row["cpu_via"] == "python_fallback" else OpNeeds.CPU
