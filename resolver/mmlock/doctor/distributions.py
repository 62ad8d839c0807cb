"""Whose a compiled file or a module is: the distribution that the facts know for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmlock.core.names import normalize

if TYPE_CHECKING:
    from mmlock.doctor.model import Log
    from mmlock.facts.matrix.curated import Module
    from mmlock.facts.matrix.load import Matrix

MMCV = "mmcv"
_PACKAGES = re.compile(r"(?:site|dist)-packages[/\\](?P<top>[^/\\]+)")
_FOLDER = re.compile(r"\b(?P<top>\w+)[/\\][^/\\]+$")


def module_of_file(path: str) -> str:
    """The top module that a compiled file belongs to, by its path; empty when that does not tell."""
    match = _PACKAGES.search(path) or _FOLDER.search(path.strip())
    top = match["top"] if match else path.strip()
    return top.partition(".")[0]


def row_of(matrix: Matrix, module: str) -> Module | None:
    """The facts on a module; `flash_attn_2_cuda` is a part of `flash_attn`."""
    fitting = [row for row in matrix.modules if module == row.module or module.startswith(f"{row.module}_")]
    return max(fitting, key=lambda row: len(row.module), default=None)


def package_of(row: Module, log: Log) -> str:
    """The distribution to ask for: the one that a text names among several, else the newest."""
    for package in row.packages:
        if any(str(package) in normalize(line.text) for line in log.lines if row.module in line.text):
            return str(package)
    return str(row.packages[-1] if row.module == "spconv" else row.packages[0])
