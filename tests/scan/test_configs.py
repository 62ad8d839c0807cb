"""OpenMMLab configs: bases, overrides, variables, lazy ones; read as literals, never executed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mmlock.core.errors import UsageError
from mmlock.facts.matrix.load import open_matrix
from mmlock.scan.conclude import Need
from mmlock.scan.configs.bases import base_faults
from mmlock.scan.configs.faults import ConfigProblem
from mmlock.scan.configs.read import Config, read_config
from mmlock.scan.known import known_of
from mmlock.scan.left_out import LeftOutReason, UnreadSourceError
from mmlock.scan.module import module_facts
from mmlock.scan.project import Project
from mmlock.scan.reasons import config_fault_text
from mmlock.scan.scan import scan
from mmlock.scan.source import parse
from mmlock.scan.tree import list_files


def config(files: Mapping[str, str], name: str = "c.py") -> Config:
    def read(file: str) -> str:
        if file not in files:
            raise UnreadSourceError(LeftOutReason.MISSING)
        return files[file]

    project = Project(
        {file: module_facts(parse(text)) for file, text in files.items() if file.endswith(".py")}
    )
    return read_config(name, read, project.file_of)


def types(files: Mapping[str, str], name: str = "c.py") -> dict[str, str]:
    return {str(leaf.literal or leaf.symbol): str(leaf.place) for leaf, _ in config(files, name).types}


def test_a_config_overrides_its_bases_key_by_key() -> None:
    files = {
        "base/a.py": "model = dict(type='A', head=dict(type='H'), neck=dict(type='N', d=dict(type='D')))",
        "base/b.py": "data = dict(type='Data')",
        "c.py": "_base_ = ['base/a.py', './base/' + 'b.py']\n"
        "model = dict(head=dict(type='H2'), neck=dict(_delete_=True, type='N2'))",
    }
    found = types(files)
    assert found == {
        "A": "base/a.py:1", "H2": "c.py:2", "N2": "c.py:2", "Data": "base/b.py:1",
    }  # fmt: skip
    assert config(files).files == ("c.py", "base/a.py", "base/b.py")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("norm = dict(type='BN')\nmodel = dict(type='M', norm=norm)", {"BN", "M"}),
        ("a = [dict(type='X'), dict(type='Y')]\nb = a[1]\na = b", {"Y"}),
        ("model = {'type': 'M', 'dcn': {'type': 'DCN'}}\nmodel['dcn'] = None", {"M"}),
        ("model = dict(type='M')\nmodel.update(dict(head=dict(type='H')))", {"M", "H"}),
        ("model = dict(type='M')\nmodel.update(type='K')", {"K"}),
        ("p = [dict(type='A')]\np.append(dict(type='B'))\np += [dict(type='C')]", {"A", "B", "C"}),
        ("base = dict(type='A')\nx = dict(**base, y=dict(type='B'))\nbase = 0", {"A", "B"}),
        ("x = [dict(type=t) for t in ['A']]\ny = [dict(type='L') for _ in range(3)]", {"t", "L"}),
        ("x = dict(type='A') if flag else dict(type='B')", {"A", "B"}),
        ("if flag:\n  x = dict(type='A')\nelse:\n  y = dict(type='B')", {"A", "B"}),
        ("def f():\n  return dict(type='F')", set()),
        ("x = 'type=A'", set()),
    ],
)
def test_what_python_a_config_may_hold(text: str, expected: set[str]) -> None:
    assert set(types({"c.py": text})) == expected


@pytest.mark.parametrize(
    "reference", ["{{_base_.model.head}}", "_base_.model.head", "{{ _base_.model.head }}"]
)
def test_a_variable_of_a_base_is_put_in(reference: str) -> None:
    files = {
        "a.py": "model = dict(type='M', head=dict(type='H'))",
        "c.py": f"_base_ = 'a.py'\nother = dict(type='O', inner={reference})\nmodel = None",
    }
    assert set(types(files)) == {"O", "H"}


def test_lazy_configs_name_classes() -> None:
    files = {
        "configs/base.py": "from pkg.models import Head\nhead = dict(type=Head)\nneck = dict(type='N')",
        "configs/c.py": "from mmengine.config import read_base\nfrom mmdet.models import RetinaNet as R\n"
        "with read_base():\n  from .base import head\n  from .missing import *\n"
        "model = dict(type=R, head=head)",
    }
    found = config(files, "configs/c.py")
    assert {leaf.symbol for leaf, _ in found.types} == {"mmdet.models.RetinaNet", "pkg.models.Head"}
    assert [(str(one.place), one.problem) for one in found.faults] == [
        ("configs/c.py:5", ConfigProblem.NO_MODULE)
    ]


def test_bases_that_cannot_be_followed_are_told(tmp_path: Path) -> None:
    files = {
        "c.py": "_base_ = ['a.py', 'gone.py', 'mmdet::retinanet/r.py']\nx = dict(type='X')",
        "a.py": "_base_ = 'c.py'\ny = dict(type='Y')",
    }
    found = config(files)
    assert {(str(one.place), one.base, one.problem) for one in found.faults} == {
        ("a.py:1", "c.py", ConfigProblem.CIRCLE),
        ("c.py:1", "gone.py", ConfigProblem.MISSING),
        ("c.py:1", "mmdet::retinanet/r.py", ConfigProblem.OTHER_PACKAGE),
    }
    assert {str(leaf.literal) for leaf, _ in found.types} == {"X", "Y"}
    modules = {name: module_facts(parse(text)) for name, text in files.items()}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    faults = list(base_faults(modules, list_files(tmp_path)))
    assert sorted(one.problem for one in faults) == ["circle", "missing", "other-package"]
    assert all(config_fault_text(one) for one in faults)


def test_json_and_yaml() -> None:
    files = {
        "c.json": '{"_base_": "a.py", "model": {"type": "J", "head": {"type": "H2"}}}',
        "a.py": "model = dict(type='M', head=dict(type='H'), neck=dict(type='N'))",
        "c.yaml": "model:\n  type: Y\n  pipeline:\n    - type: 'Z'\n",
    }
    assert set(types(files, "c.json")) == {"J", "H2", "N"}
    assert types(files, "c.yaml") == {"Y": "c.yaml:2", "Z": "c.yaml:4"}


@pytest.mark.parametrize(
    "text",
    [
        "x = [1]\n" + "x = x + x\n" * 60,
        "x = dict(type='A')\n" + "x = dict(a=x, b=x)\n" * 60,
        "x = " + "+".join(["1"] * 3000),
        "x = " + "dict(a=" * 80 + "1" + ")" * 80,
        "_base_ = 5\n_base_ = [None, 1.5]",
        "x.y.z = 1\nx['a']['b'] = 2\n[a, *b] = c\ndel x",
        "x = {**{}, **y, 1: 2, None: 3}",
    ],
)
def test_a_hostile_config_ends(text: str) -> None:
    try:
        found = config({"c.py": text})
    except UnreadSourceError:
        return
    assert len(found.types) <= 1


def test_a_config_is_never_executed(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    (tmp_path / "c.py").write_text(
        f"open({str(marker)!r}, 'w')\nx = __import__('os').system('touch {marker}')"
    )
    scan(tmp_path, known_of(open_matrix()), configs=["c.py"])
    assert not marker.exists()


def test_a_config_narrows_the_answer(tmp_path: Path) -> None:
    files = {
        "m/__init__.py": "",
        "m/a.py": "from mmcv.ops import knn\n@M.register_module()\nclass Heavy:\n  def f(self): knn()",
        "m/b.py": "from torch import nn\nimport timm\n@M.register_module()\nclass Light(nn.Module): pass",
        "configs/heavy.py": "model = dict(type='Heavy', dcn=dict(type='DCN'))",
        "configs/light.py": "custom_imports = dict(imports=['m.b'])\nmodel = dict(type='Light')",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    known = known_of(open_matrix())
    heavy = scan(tmp_path, known, configs=["configs/heavy.py"])
    assert heavy.conclusion.ops == ("DeformConv2dPack", "knn")
    assert [str(place) for place in heavy.conclusion.guard] == ["m/a.py:1"]
    light = scan(tmp_path, known, configs=[str(tmp_path / "configs/light.py")])
    assert light.conclusion.need is Need.NOTHING
    assert {one.module for one in light.packages} == {"timm", "torch"}
    with pytest.raises(UsageError) as error:
        scan(tmp_path, known, configs=["configs/lite.py"])
    assert "configs/light.py" in error.value.hints[0]
