"""Which ops a tree reaches: by import, attribute, config type and compiled symbol."""

from __future__ import annotations

from pathlib import Path

import pytest
from solved import facts

from mmlock.core.names import OpNeeds
from mmlock.scan.model import RunCondition
from mmlock.scan.module import module_facts
from mmlock.scan.ops import OpCatalog, OpReferenceKind, op_uses
from mmlock.scan.source import parse


@pytest.fixture(scope="module")
def catalog() -> OpCatalog:
    return OpCatalog(facts().ops)


def reached(text: str, catalog: OpCatalog) -> set[tuple[str, str, int]]:
    uses = op_uses(module_facts(parse(text)), "a.py", catalog)
    return {(use.op, str(use.how), use.place.line) for use in uses}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from mmcv.ops import nms", {("nms", "import", 1)}),
        (
            "from mmcv.ops import (\n  nms,\n  RoIAlign as R)",
            {("nms", "import", 2), ("RoIAlign", "import", 3)},
        ),
        ("from mmcv.ops.nms import batched_nms", {("batched_nms", "import", 1)}),
        ("import mmcv.ops as ops\nops.roi_align(x)", {("", "module", 1), ("roi_align", "attribute", 2)}),
        ("import mmcv\nmmcv.ops.nms.nms(x)", {("nms", "attribute", 2)}),
        ("from mmcv import ops\ndef f(): return ops.nms(1)", {("", "module", 1), ("nms", "attribute", 2)}),
        ("from mmcv.ops import *\nnms(1); own(2)", {("", "module", 1), ("nms", "attribute", 2)}),
        ("from mmcv import ops\ngetattr(ops, 'nms')", {("", "module", 1), ("nms", "attribute", 2)}),
        ("import importlib\nimportlib.import_module('mmcv.ops')", {("", "module", 2)}),
        ("dcn = dict(type='DCNv2', deform_groups=1)", {("ModulatedDeformConv2dPack", "type", 1)}),
        ("build_conv_layer({'type': 'DCN'}, 3, 4)", {("DeformConv2dPack", "type", 1)}),
        ("x = dict(roi_layer=dict(type='RoIAlign'))", {("RoIAlign", "type", 1)}),
        ("x = dict(bbox_roi_layer=dict(type='RoIAlign'))", {("RoIAlign", "type", 1)}),
        ("test = dict(nms=dict(type='soft_nms'))", {("soft_nms", "type", 1)}),
        ("x = dict(conv=dict(type='RoIAlign'))", set()),
        ("norm = dict(type='SyncBN')", set()),
        ("conv = dict(type='Conv2d')", set()),
        ("'''from mmcv.ops import nms, and dict(type=\"DCN\")'''", set()),
        ("ops.nms(1)", set()),
        ("from mmcv.cnn import ConvModule", set()),
    ],
)
def test_an_op_is_found_by_its_words(
    text: str, expected: set[tuple[str, str, int]], catalog: OpCatalog
) -> None:
    assert reached(text, catalog) == expected


def test_a_loaded_symbol_means_the_op_that_calls_it(catalog: OpCatalog) -> None:
    text = "ext = ext_loader.load_ext('_ext', ['ms_deform_attn_forward', 'nothing'])"
    ((op, how, line),) = reached(text, catalog)
    assert (how, line) == (OpReferenceKind.SYMBOL, 1)
    assert catalog.ops[op].needs is OpNeeds.CUDA, "who calls the compiled function has no fallback"


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("from mmcv.ops import nms", RunCondition.ALWAYS),
        ("class A:\n  from mmcv.ops import nms", RunCondition.ALWAYS),
        ("def f():\n  from mmcv.ops import nms", RunCondition.CALLED),
        ("if x:\n  from mmcv.ops import nms", RunCondition.IF),
        ("try:\n  from mmcv.ops import nms\nexcept ImportError:\n  nms = None", RunCondition.GUARDED),
        ("try:\n  from mmcv.ops import nms\nexcept (ValueError, Exception):\n  pass", RunCondition.GUARDED),
        (
            "try:\n  from mmcv.ops import nms\nexcept ImportError:\n  raise ImportError('install')",
            RunCondition.ALWAYS,
        ),
        ("try:\n  from mmcv.ops import nms\nexcept KeyError:\n  pass", RunCondition.ALWAYS),
        ("try:\n  import x\nexcept ImportError:\n  from mmcv.ops import nms", RunCondition.GUARDED),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  from mmcv.ops import nms",
            RunCondition.TYPING,
        ),
        ("def f():\n  try:\n    from mmcv.ops import nms\n  except ImportError: pass", RunCondition.CALLED),
    ],
)
def test_when_an_import_runs(text: str, when: RunCondition, catalog: OpCatalog) -> None:
    (use,) = op_uses(module_facts(parse(text)), "a.py", catalog)
    assert use.when is when


def test_a_name_that_mmcv_does_not_export_keeps_its_module(catalog: OpCatalog) -> None:
    assert reached("from mmcv.ops.diff_iou_rotated import inner", catalog) == {
        ("diff_iou_rotated.inner", "import", 1)
    }


def test_every_registered_name_means_one_op(catalog: OpCatalog) -> None:
    names = [name for op in catalog.ops.values() for name in op.registry]
    assert sorted(names) == sorted(set(names))
    assert Path(facts().root / "openmmlab/ops.json").is_file()
