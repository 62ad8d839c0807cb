"""The check files can run in the interpreters they are for."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmlock.facts.matrix.load import open_matrix
from mmlock.validate.runner import KERNELS
from mmlock.validate.suites import SUITES

FILES = sorted(KERNELS.glob("*.py"))
MAY = {
    *sys.stdlib_module_names,
    "torch", "numpy", "mmcv", "mmdet", "mmengine", "mmseg", "torchvision", "xformers", "flash_attn", "spconv",
    "MultiScaleDeformableAttention",
}  # fmt: skip
NEWER = {"tomllib", "zoneinfo", "graphlib"}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= 1
            yield (node.module or "").split(".")[0] if not node.level else "." + str(node.module)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_python_37_reads_it(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_needs_only_what_a_lock_has(path: Path) -> None:
    beside = {f".{other.stem}" for other in FILES}
    assert set(_imports(path)) <= (MAY - NEWER) | beside


UNCHECKED = {
    "conv2d_gradfix",  # torch's own convolutions
    "info",  # two texts
    "sparse_modules",  # containers
}  # fmt: skip


def test_every_module_of_mmcv_ops_has_a_check() -> None:
    """By the catalogue of the matrix: some op of each module is named in a check file."""
    words = " ".join(path.read_text(encoding="utf-8") for path in FILES if path.stem.startswith("mmcv_"))
    named = set(re.findall(r"\bops\.(\w+)", words)) | set(re.findall(r'"(\w+)"', words))
    modules: dict[str, set[str]] = {}
    for op in open_matrix(Path(__file__).parents[2] / "matrices").ops:
        if op.exported and op.until is None:
            modules.setdefault(op.module, set()).add(op.name)
    assert len(modules) > 50
    assert {module for module, ops in modules.items() if not ops & named} == UNCHECKED


def test_every_file_of_a_suite_is_there_and_every_file_is_of_use() -> None:
    named = {file for suite in SUITES for file in suite.files}
    assert named <= {path.stem for path in FILES}
    with_suite = {path.stem for path in FILES if "\nSUITE = " in path.read_text(encoding="utf-8")}
    assert with_suite == named
