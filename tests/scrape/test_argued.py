"""The argued differences between two readings of the releases hold for the committed facts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from mmlock.core.names import normalize
from mmlock.matrix.load import Matrix

ROOT = Path(__file__).parents[2]
ARGUED = tomllib.loads((ROOT / "scripts" / "argued_differences.toml").read_text("utf-8"))
ROWS: list[dict[str, Any]] = ARGUED["rows"]
MATRIX = Matrix(ROOT / "matrices")


def declared(texts: tuple[str, ...]) -> set[str]:
    return {normalize(Requirement(text).name) for text in texts}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["field"] == "undeclared"], ids=lambda row: row["package"]
)
def test_what_is_no_longer_undeclared_is_declared_under_another_name(row: dict[str, Any]) -> None:
    concerned = [one for one in MATRIX.releases(row["package"]) if row["gone"] in one.undeclared]
    brought = [one for one in concerned if row["by"] in declared((*one.requires, *one.mim))]
    assert len(brought) == row["count"]
    assert row["example"] in {one.version for one in brought}
    assert any(module.module == row["gone"] and row["by"] in module.packages for module in MATRIX.modules)


def test_the_releases_that_were_said_to_import_torch_unguarded_do_so_at_the_top() -> None:
    (row,) = [row for row in ROWS if row.get("new") == "setup_imports_torch_guarded"]
    releases = [
        one
        for one in MATRIX.releases(row["package"])
        if "setup_imports_torch" in one.probes and row["new"] not in one.probes
    ]
    assert len(releases) == row["count"]
    assert row["example"] in {one.version for one in releases}


def test_every_row_argues() -> None:
    assert all(row["because"] and row["count"] and row["example"] for row in ROWS)
    assert (
        sum(row["count"] for row in ROWS if row["field"] == "undeclared") == 80 + 12
    )  # twelve lack two modules
