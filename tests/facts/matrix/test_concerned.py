"""Which locks a changed fact concerns: those that hold what it is about, if it changes an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from solved import facts

from mmlock.core.names import Confidence, PackageName, Platform
from mmlock.facts.matrix.concerned import LockContents, touched
from mmlock.facts.matrix.diff import diff
from mmlock.facts.matrix.model import Document
from mmlock.upkeep.committed import held_locks

ROOT = Path(__file__).parents[3]
TORCH, MMCV, SETUPTOOLS = PackageName("torch"), PackageName("mmcv"), PackageName("setuptools")
LOCK = LockContents(name="s/t", versions={TORCH: "2.11.0+cu130", MMCV: "2.1.0", SETUPTOOLS: "81.0.0"})


def changed(schema: str, path: str, old: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[str, ...]:
    """The locks that a change of some rows concerns."""
    changes = diff({path: Document(schema=schema, rows=old)}, {path: Document(schema=schema, rows=new)})
    assert changes
    return tuple(touch.lock for touch in touched(changes, [LOCK]) if touch.facts)


def build() -> Any:
    return next(
        row
        for row in facts().torch_builds
        if row.torch == "2.11.0" and row.on_pypi and row.platform is Platform.LINUX_X86_64
    )


@pytest.mark.parametrize(
    ("field", "value", "concerned"),
    [
        ("archs", ("sm_90",), True),
        ("confidence", Confidence.INFERRED, True),
        ("source", ("elsewhere",), False),
        ("note", "in other words", False),
    ],
)
def test_other_words_and_other_witnesses_concern_nobody(field: str, value: Any, *, concerned: bool) -> None:
    row = build()
    found = changed("torch-builds", "torch/builds.json", (row,), (replace(row, **{field: value}),))
    assert bool(found) is concerned


@pytest.mark.parametrize(
    ("field", "value", "concerned"), [("size", 7, False), ("yanked", True, True), ("sha256", "0" * 64, True)]
)
def test_the_size_of_a_file_concerns_nobody_and_its_bytes_do(
    field: str, value: Any, *, concerned: bool
) -> None:
    row = facts().files("torch")[-1]
    lock = replace(LOCK, files=frozenset({row.url}))
    changes = diff(
        {"files/torch.json": Document(schema="files", rows=(row,))},
        {"files/torch.json": Document(schema="files", rows=(replace(row, **{field: value}),))},
    )
    assert bool(touched(changes, [lock])) is concerned


def test_a_new_advisory_concerns_the_locks_with_an_affected_version() -> None:
    row = next(row for row in facts().advisories("torch") if row.id == "CVE-2025-3000")
    path = "advisories/torch.json"
    assert changed("advisories", path, (), (row,)) == ("s/t",)
    assert changed("advisories", path, (), (replace(row, affected=("<2.0",)),)) == ()
    assert changed("advisories", path, (row,), (replace(row, affected=("<2.0",)),)) == ("s/t",), "good news"
    assert changed("advisories", path, (row,), (replace(row, summary="in other words"),)) == ()


def test_a_new_wheel_of_what_a_lock_builds_concerns_it() -> None:
    row = next(row for row in facts().index_rows if "2.1.0" in row.versions and row.package == MMCV)
    other = replace(row, versions=("1.0.0",))
    assert changed("openmmlab-index", "openmmlab/index.json", (), (row,)) == ("s/t",)
    assert changed("openmmlab-index", "openmmlab/index.json", (), (other,)) == ()


def test_a_breakage_concerns_the_locks_that_hold_all_of_it() -> None:
    row = next(row for row in facts().breaks if {one.package for one in row.when} == {TORCH, "mmengine"})
    path = "curated/breaks.toml"
    assert changed("breaks", path, (), (row,)) == ()
    only = replace(row, when=tuple(one for one in row.when if one.package == TORCH))
    assert changed("breaks", path, (), (only,)) == ("s/t",)


@pytest.mark.slow
def test_of_the_committed_locks_only_some_are_concerned() -> None:
    held = tuple(held_locks(ROOT / "lockfiles", named=True))
    row = build()
    changes = diff(
        {"torch/builds.json": Document(schema="torch-builds", rows=(row,))},
        {"torch/builds.json": Document(schema="torch-builds", rows=(replace(row, glibc="2.35"),))},
    )
    names = {touch.lock for touch in touched(changes, held) if touch.facts}
    assert 0 < len(names) < len(held) / 2
    assert all(lock.versions[TORCH].startswith("2.11.0") for lock in held if lock.name in names)
