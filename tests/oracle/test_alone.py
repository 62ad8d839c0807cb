"""The oracle reads the facts by itself: one file of it knows mmlock, and nothing else may."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ADAPTER = "asked.py"
FILES = sorted(path.name for path in FOLDER.glob("*.py"))
OWN = {Path(name).stem for name in FILES}
READERS = {"packaging", "pytest", "tomli"}
BY_OTHER_WAYS = {"importlib", "pkgutil", "runpy", "subprocess"}
CALLS = {"__import__", "exec", "eval", "compile", "import_module"}


def imported(text: str) -> Iterator[str]:
    """Top-level names of everything a file imports, wherever in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in CALLS:
                yield f"{name}()"


def strangers(text: str) -> set[str]:
    allowed = OWN | READERS | (set(sys.stdlib_module_names) - BY_OTHER_WAYS) | {"__future__"}
    return set(imported(text)) - allowed


@pytest.mark.parametrize("name", [name for name in FILES if name != ADAPTER])
def test_no_other_file_reaches_mmlock(name: str) -> None:
    assert strangers((FOLDER / name).read_text(encoding="utf-8")) == set()


def test_the_adapter_is_the_one_that_does() -> None:
    assert "mmlock" in strangers((FOLDER / ADAPTER).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "import mmlock",
        "import json, mmlock.resolve.graph.build as b",
        "def f():\n    from mmlock.core import names",
        "from solved import facts",
        "import importlib",
        "__import__('mmlock')",
        "from . import x",
    ],
)
def test_every_way_around_is_seen(text: str) -> None:
    assert strangers(text)


def test_only_packaging_and_readers_are_imported_by_what_reads_the_facts() -> None:
    read = {
        name
        for file in ("facts.py", "world.py", "problem.py")
        for name in imported((FOLDER / file).read_text())
    }
    assert read - OWN - set(sys.stdlib_module_names) <= {"packaging", "tomli"}
