"""Whatever a tree holds, a scan ends with an answer: spoilt files are at worst unread."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.core.names import Confidence, OpNeeds
from mmlock.facts.matrix.code import Op
from mmlock.scan.configs.read import read_config
from mmlock.scan.definitions import Definitions, entries
from mmlock.scan.left_out import LeftOutReason, UnreadSourceError
from mmlock.scan.module import module_facts
from mmlock.scan.notebook import code_cells, notebook_facts
from mmlock.scan.ops import OpCatalog, op_uses
from mmlock.scan.pins.collect import collect
from mmlock.scan.pins.conflicts import conflicts
from mmlock.scan.project import Project
from mmlock.scan.source import parse, to_text

PIECES = (
    "from mmcv.ops import nms\n",
    "import mmcv.ops as o\n",
    "from . import x\n",
    "from ... import *\n",
    "from .a.b import c\n",
    "try:\n  import mmcv.ops\nexcept ImportError:\n  pass\n",
    "model = dict(type='DCN', nms=dict(type='nms'))\n",
    "_base_ = ['a.py', '../b.py', 'mmdet::c.py', 5]\n",
    "with read_base():\n  from .a import *\n",
    "x = {{_base_.y.z}}\n",
    "x.update(dict(a=1), b=2)\n",
    "x += [x, x]\n",
    "x['a'].b = x\n",
    "def f(a=nms, *b, c: int = 1): return o.nms(a)\n",
    "@M.register_module(name=['A', 'B'], force=True)\nclass K(o.Base): pass\n",
    "getattr(o, 'nms')\n",
    "load(name='x', sources=['a.cu'])\n",
    "setup(name='x', install_requires=['a==1', b], ext_modules=[CUDAExtension('m', glob('*.cu'))])\n",
    "print 'two'\n",
    "lambda: (yield)\n",
    "pip install 'a==1' \"b>2; c\n",
    "- pip:\n  - a==1\n",
    "dependencies:\n  - python=3.8\n",
    "FROM ${A}-cuda${B}\nRUN pip install $C \\\n",
    "```\npip install x\n",
    "[project]\ndependencies = ['a==1']\n",
    "[[package]]\nname = 'a'\nversion = 1\n",
    "-r a.txt\n-c b.txt\n-e .\n",
    '{"cells": [{"cell_type": "code", "source": ["!pip install a==1\\n", "import mmcv"]}]}',
    "\x00",
    "\ufeff",
    "\u4f60\u597d\n",
    "# coding: nope\n",
)
NAMES = (
    "setup.py",
    "a.py",
    "p/a.py",
    "b.py",
    "requirements.txt",
    "a.txt",
    "environment.yml",
    "pyproject.toml",
    "setup.cfg",
    "Pipfile",
    "poetry.lock",
    "Pipfile.lock",
    "Dockerfile",
    "run.sh",
    "README.md",
    "n.ipynb",
    "c.json",
    "c.yaml",
)

texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=8).map("".join)
catalog = OpCatalog(
    [
        Op(
            name="nms",
            module="nms",
            exported=True,
            needs=OpNeeds.CPU,
            symbols=("nms",),
            since="1.0.0",
            under=("*",),
            source=("test",),
            confidence=Confidence.MEASURED,
        )
    ]
)


def reader(files: dict[str, str]) -> Callable[[str], str]:
    def read(file: str) -> str:
        if file not in files:
            raise UnreadSourceError(LeftOutReason.MISSING)
        return to_text(files[file].encode())

    return read


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(NAMES), texts, max_size=5))
def test_any_tree_is_read_to_the_end(files: dict[str, str]) -> None:
    read = reader(files)
    modules = {}
    for file in files:
        try:
            if file.endswith(".py"):
                modules[file] = module_facts(parse(read(file)))
            elif file.endswith(".ipynb"):
                modules[file] = notebook_facts(code_cells(read(file)))
        except UnreadSourceError:
            continue
    project = Project(modules)
    uses = [use for file, facts in modules.items() for use in op_uses(facts, file, catalog)]
    definitions = Definitions(project, uses)
    nodes = [(file, name) for file, names in definitions.own.items() for name in names]
    assert set(definitions.reached(nodes)) <= {use.op for use in uses}
    assert set(entries(project)) <= set(modules)
    assert set(project.reached_from(list(modules))) == set(modules)


@given(st.dictionaries(st.sampled_from(NAMES), texts, max_size=5))
def test_any_pins_are_read_to_the_end(files: dict[str, str]) -> None:
    pins, left_out = collect(sorted(files), reader(files))
    lines = {file: len(text.splitlines()) + 1 for file, text in files.items()}
    assert all(1 <= pin.place.line <= lines[pin.place.file] for pin in pins)
    assert all(one.path for one in left_out)
    assert {one.name for one in conflicts(pins)} <= {pin.name for pin in pins}


@given(st.dictionaries(st.sampled_from(NAMES), texts, min_size=1, max_size=5))
def test_any_config_is_read_to_the_end(files: dict[str, str]) -> None:
    for file in files:
        try:
            found = read_config(file, reader(files), lambda module, _: f"{module.strip('.')}.py")
        except UnreadSourceError:
            continue
        assert found.files[0] == file
        assert all(leaf.place.file in files for leaf, _ in found.types)
