"""Where reading the releases again told better than the first scan, the facts hold what was read."""

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
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.provenance import is_refreshed

ROOT = Path(__file__).parents[3]
ARGUED = tomllib.loads((ROOT / "scripts" / "argued_differences.toml").read_text("utf-8"))
ROWS: list[dict[str, Any]] = ARGUED["rows"]
MATRIX = Matrix(ROOT / "matrices")


def declared(texts: tuple[str, ...]) -> set[str]:
    return {normalize(Requirement(text).name) for text in texts}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row["field"] == "undeclared"], ids=lambda row: row["package"]
)
def test_what_is_declared_under_another_name_is_not_undeclared(row: dict[str, Any]) -> None:
    brought = [
        one for one in MATRIX.releases(row["package"]) if row["by"] in declared((*one.requires, *one.mim))
    ]
    assert not [one.version for one in brought if row["gone"] in one.undeclared]
    read_again = [one.version for one in brought if is_refreshed(one)]
    assert len(read_again) == row["count"]
    assert row["example"] in read_again
    assert any(module.module == row["gone"] and row["by"] in module.packages for module in MATRIX.modules)


def test_releases_whose_setup_imports_torch_at_the_top_import_it_somewhere() -> None:
    (row,) = [row for row in ROWS if row.get("new") == "setup_imports_torch_guarded"]
    releases = [one for one in MATRIX.releases(row["package"]) if "setup_imports_torch" in one.probes]
    assert len(releases) >= row["count"]
    assert all(row["new"] in one.probes for one in releases)


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if "setup_std" in row.get("new", "")],
    ids=lambda row: f"{row['package']}-{row['new']}",
)
def test_what_setup_files_say_is_recorded_as_it_was_read(row: dict[str, Any]) -> None:
    saying = [
        one.version
        for one in MATRIX.releases(row["package"])
        if is_refreshed(one) and row["new"] in one.probes
    ]
    assert len(saying) == row["count"]
    assert row["example"] in saying


def test_every_row_argues() -> None:
    assert all(row["because"] and row["count"] and row["example"] for row in ROWS)
    assert (
        sum(row["count"] for row in ROWS if row["field"] == "undeclared") == 80 + 12
    )  # twelve lack two modules
