"""What is reached through frameworks and through a project's own definitions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from solved import facts

from mmlock.core.names import Confidence, PackageName
from mmlock.facts.matrix.eras import modules_of_mmcv_2
from mmlock.facts.matrix.model import Reach
from mmlock.scan.conclude import Need
from mmlock.scan.definitions import Definitions, entries
from mmlock.scan.frameworks import choose
from mmlock.scan.known import known_of
from mmlock.scan.module import module_facts
from mmlock.scan.ops import OpCatalog, op_uses
from mmlock.scan.project import Project
from mmlock.scan.scan import scan
from mmlock.scan.source import parse


def project(files: Mapping[str, str]) -> Project:
    return Project({name: module_facts(parse(text)) for name, text in files.items()})


def definitions(tree: Project) -> Definitions:
    catalog = OpCatalog(facts().ops)
    uses = [use for file, facts in tree.modules.items() for use in op_uses(facts, file, catalog)]
    return Definitions(tree, uses)


def row(version: str, *, mmengine: bool) -> Reach:
    return Reach(
        version=version,
        module="mmdet",
        entries={},
        mmengine=mmengine,
        named={},
        ops=(),
        source=("sdist",),
        confidence=Confidence.MEASURED,
    )


def test_a_class_reaches_what_its_base_and_its_default_types_reach() -> None:
    conv = "from mmcv.ops import knn as k\n@M.register_module('Conv')\nclass C:\n  def f(self): k()"
    head = "from .base import Base, Other\nclass Head(Base):\n  def f(self, c=dict(type='Conv')): ..."
    base = "from mmcv.ops import nms\nclass Base:\n  def f(self): return nms()\nclass Other: pass"
    found = definitions(project({"p/base.py": base, "p/head.py": head, "p/conv.py": conv}))
    assert set(found.reached([("p/head.py", "Head")])) == {"nms", "knn"}
    assert found.reached([("p/base.py", "Other")]) == {}


@pytest.mark.parametrize(
    "body",
    ["def f(x: knn) -> knn: pass", "def f(x): return isinstance(x, knn)", "def f(x):\n  y: knn = 1"],
)
def test_what_is_only_named_is_not_reached(body: str) -> None:
    found = definitions(project({"a.py": "from mmcv.ops import knn\n" + body}))
    assert found.reached([("a.py", "f")]) == {}


def test_names_are_followed_through_packages_and_stars() -> None:
    tree = project(
        {
            "p/__init__.py": "from .ops import *\nfrom . import deep",
            "p/ops.py": "from mmcv.ops import knn\ndef near(): return knn()",
            "p/deep.py": "def nothing(): pass",
            "use.py": "import p\nimport p.deep as d\ndef f(): return p.near()\ndef g(): return d.nothing()",
        }
    )
    found = definitions(tree)
    assert set(found.reached([("use.py", "f")])) == {"knn"}
    assert ("p/deep.py", "nothing") in found.closure([("use.py", "g")])


def test_importing_a_package_runs_what_its_modules_import() -> None:
    tree = project(
        {
            "p/__init__.py": "from .a import x",
            "p/a.py": "from mmcv.ops import nms",
            "q/__init__.py": "def late():\n  from p import x",
            "r/__init__.py": "try:\n  import mmcv.ops\nexcept ImportError: pass",
        }
    )
    assert {file: str(place) for file, place in entries(tree).items()} == {
        "p/__init__.py": "p/a.py:1",
        "p/a.py": "p/a.py:1",
    }


def test_a_framework_is_taken_as_pinned_else_of_the_era() -> None:
    second = modules_of_mmcv_2(facts().mmcv_eras, facts().modules)
    tables = {PackageName("mmdet"): (row("2.28.2", mmengine=False), row("3.3.0", mmengine=True))}
    assert choose(tables, {}, ["mmcv", "mmdet"], second)["mmdet"].reach.version == "2.28.2"
    assert choose(tables, {}, ["mmengine"], second)["mmdet"].reach.version == "3.3.0"
    assert choose(tables, {}, ["mmpretrain"], second)["mmdet"].reach.version == "3.3.0"
    pinned = {PackageName("mmdet"): ">=3"}
    assert choose(tables, pinned, [], second)["mmdet"].reach.version == "3.3.0"


@pytest.mark.parametrize(
    ("text", "need", "ops"),
    [
        ("import torch", Need.NOTHING, ()),
        ("import mmengine, mmcv\nfrom mmcv.cnn import ConvModule", Need.NOTHING, ()),
        ("from mmcv.ops import point_sample", Need.IMPORT, ("point_sample",)),
        (
            "try:\n  from mmcv.ops import point_sample\nexcept ImportError: pass",
            Need.NOTHING,
            ("point_sample",),
        ),
        ("import mmengine\nfrom mmdet.apis import init_detector", Need.FRAMEWORK, ()),
        ("from mmcv.ops import nms", Need.OPS, ("nms",)),
        ("import mmseg\nhead = dict(type='PSAHead')", Need.OPS, ("PSAMask",)),
        ("from mmcv.ops import unheard_of", Need.OPS, ("unheard_of",)),
    ],
)
def test_the_conclusion(tmp_path: Path, text: str, need: Need, ops: tuple[str, ...]) -> None:
    (tmp_path / "a.py").write_text(text)
    found = scan(tmp_path, known_of(facts())).conclusion
    assert (found.need, found.ops) == (need, ops)


def test_what_the_code_takes_of_a_framework_tells_its_era(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from mmpose.apis import inference_top_down_pose_model")
    (tmp_path / "b.py").write_text("from mmpose.apis import init_pose_model\n")
    assert scan(tmp_path, known_of(facts())).conclusion.need is Need.NOTHING
    (tmp_path / "a.py").write_text("from mmpose.apis import inference_topdown")
    (tmp_path / "b.py").write_text("import torch")
    loads = scan(tmp_path, known_of(facts())).loads
    assert [load.version for load in loads] == ["1.3.2"], "no mmengine is imported, and yet it is of its time"


def test_the_tables_name_only_ops_that_are_known() -> None:
    matrix = facts()
    known = {op.name for op in matrix.ops}
    rows = [row for package in matrix.reach_packages for row in matrix.reach(package)]
    assert {op for row in rows for op in row.ops} <= known
    assert {op for row in rows for ops in row.named.values() for op in ops} <= known
    mmdet = next(row for row in matrix.reach("mmdet") if row.version == "3.3.0")
    assert "mmdet.models" in mmdet.entries
    assert "mmdet" not in mmdet.entries, "`import mmdet` alone loads no ops"
