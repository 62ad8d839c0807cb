"""`gpus`, `matrix show` and `matrix lint`: what the matrix says."""

from __future__ import annotations

import os
from pathlib import Path

from mmlock.core.errors import MatrixError
from mmlock.core.report import Page, Report
from mmlock.facts.matrix.load import find_root, open_matrix

MOST_FAULTS = 40
"""How many faults an error tells; the JSON form of a clean run has none."""


def show_gpus(name: str | None = None, *, matrices: Path | None = None) -> Report:
    """What is known about one device, or the list of all."""
    from mmlock.report.gpus import device_page, devices_page

    matrix = open_matrix(matrices)
    return devices_page(matrix) if name is None else device_page(matrix, name)


def show_package(package: str, *, matrices: Path | None = None) -> Report:
    """The facts about `PACKAGE` or `PACKAGE==VERSION`."""
    from mmlock.report.matrix import package_page

    return package_page(open_matrix(matrices), package)


def lint(matrices: Path | None = None) -> Report:
    """A clean bill, or MatrixError with every fault."""
    from mmlock.facts.matrix.lint import lint as check

    root = find_root(matrices, os.environ)
    problems = check(root)
    if not problems:
        files = sum(1 for path in root.rglob("*") if path.suffix in {".json", ".toml"})
        return Page(text=f"{files} matrix files in {root}: no errors", data={"files": files, "problems": []})
    told = [str(problem) for problem in problems[:MOST_FAULTS]]
    rest = len(problems) - len(told)
    raise MatrixError(
        f"{len(problems)} errors in the matrix files of `{root}`",
        causes=[*told, *([f"and {rest} more"] if rest else [])],
        hints=["`matrices/README.md` describes each file"],
    )
