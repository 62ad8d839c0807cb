"""What an index said, laid over what is known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from solved import facts as committed

from mmlock.core.names import Confidence, PackageName, Platform, Sha256
from mmlock.facts.matrix import store
from mmlock.facts.matrix.concerned import LockContents, touched
from mmlock.facts.matrix.diff import ChangeKind, diff, lines
from mmlock.facts.matrix.merge import Facts, merge
from mmlock.facts.matrix.model import Document, File, IndexRow

SOURCES = {"a": "page a (2026-01-01)", "b": "page b (2026-02-02)"}


def file(name: str, **changes: Any) -> File:
    values: dict[str, Any] = {
        "name": name,
        "url": f"https://x.example/{name}",
        "sha256": Sha256("0" * 64),
        "size": 1,
        "requires_python": None,
        "yanked": False,
        "source": ("a",),
        "confidence": Confidence.CAPTURED,
    }
    return File(**{**values, **changes})


def document(*rows: Any, schema: str = "files") -> Document[Any]:
    return Document(schema=schema, rows=rows, sources=SOURCES)


def facts(*rows: Any, schema: str = "files", whole: bool = True, package: str | None = "mmdet") -> Facts:
    return Facts(schema=schema, package=package, rows=rows, sources=SOURCES, scope=lambda _: whole)


def names(merged: Any) -> list[str]:
    return sorted(row.name for row in merged.document.rows)


def test_the_same_facts_from_another_source_change_nothing() -> None:
    old = document(file("x"))
    assert merge(old, facts(file("x", source=("b",)))).document is old


def test_a_better_source_replaces_a_weaker_one() -> None:
    old = document(file("x", confidence=Confidence.INFERRED))
    (row,) = merge(old, facts(file("x", source=("b",)))).document.rows
    assert (row.source, row.confidence) == (("b",), Confidence.CAPTURED)


def test_what_an_index_does_not_speak_of_stays() -> None:
    old = document(file("x"), file("y"))
    assert names(merge(old, facts(file("z"), whole=False))) == ["x", "y", "z"]


def test_few_facts_may_go_and_many_may_not() -> None:
    old = document(*(file(f"f{n}") for n in range(20)))
    few = merge(old, facts(*(file(f"f{n}") for n in range(18))))
    assert (len(few.document.rows), few.warnings) == (18, ())
    many = merge(old, facts(*(file(f"f{n}") for n in range(10)), file("new")))
    assert (len(many.document.rows), len(many.warnings)) == (21, 1)
    trusted = merge(old, facts(*(file(f"f{n}") for n in range(10))), trust_removals=True)
    assert (len(trusted.document.rows), trusted.warnings) == (10, ())


def test_what_was_only_told_may_go_freely() -> None:
    told = [file(f"f{n}", confidence=Confidence.DOCUMENTED) for n in range(20)]
    assert merge(document(*told), facts(file("x"))).document.rows == (file("x"),)


def row(directory: str, versions: tuple[str, ...], pythons: tuple[str, ...]) -> IndexRow:
    return IndexRow(
        directory=directory,
        package=PackageName("mmcv"),
        platform=Platform.LINUX_X86_64,
        versions=versions,
        pythons_seen=pythons,
        pythons_inferred=(),
        source=("a",),
        confidence=Confidence.CAPTURED,
    )


def test_a_directory_that_lost_one_wheel_stays_as_it_was_and_others_do_not() -> None:
    old = document(row("cpu/torch2.1.0", ("2.1.0",), ("3.8", "3.9")), schema="openmmlab-index")
    cut = row("cpu/torch2.1.0", ("2.1.0", "2.2.0"), ("3.9",))
    new = row("cpu/torch2.2.0", ("2.2.0",), ("3.9",))
    merged = merge(old, facts(cut, new, schema="openmmlab-index", package=None))
    assert set(merged.document.rows) == {*old.rows, new}
    assert "cpu/torch2.1.0" in merged.warnings[0]


def test_rows_grouped_otherwise_are_no_loss() -> None:
    old = document(row("cpu/torch2.1.0", ("2.0.1", "2.1.0"), ("3.9",)), schema="openmmlab-index")
    parts = (row("cpu/torch2.1.0", ("2.0.1",), ("3.8", "3.9")), row("cpu/torch2.1.0", ("2.1.0",), ("3.9",)))
    merged = merge(old, facts(*parts, schema="openmmlab-index", package=None))
    assert (set(merged.document.rows), merged.warnings) == (set(parts), ())


@pytest.mark.slow
@given(st.sets(st.text("abc", min_size=1, max_size=2)), st.sets(st.text("abc", min_size=1, max_size=2)))
def test_merging_twice_is_merging_once_and_its_bytes_are_the_same(before: set[str], now: set[str]) -> None:
    old = document(*map(file, before))
    new = facts(*map(file, now))
    once = merge(old, new).document
    again = merge(once, new).document
    assert again.rows == once.rows
    encoded = store.encode("files", once.rows, once.sources)
    assert encoded == store.encode("files", reversed(again.rows), again.sources)
    assert set(once.rows) >= {file(name) for name in now}


# ---------------------------------------------------------------- diff


def changed(old: Document[Any], new: Document[Any]) -> dict[str, ChangeKind]:
    return {one.key: one.kind for one in diff({"files/mmdet.json": old}, {"files/mmdet.json": new})}


def test_a_diff_tells_added_removed_and_changed() -> None:
    old, new = document(file("a"), file("b")), document(file("b", yanked=True), file("c"))
    assert changed(old, new) == {"a": ChangeKind.REMOVED, "b": ChangeKind.CHANGED, "c": ChangeKind.ADDED}
    told = list(lines(diff({"files/mmdet.json": old}, {"files/mmdet.json": new})))
    assert told == [
        "files/mmdet.json: 1 added, 1 removed, 1 changed",
        "  - a",
        "  ~ b: yanked false -> true",
        "  + c",
    ]


def test_a_lock_is_touched_by_what_it_holds_and_by_nothing_else() -> None:
    old = document(file("mmdet-3.3.0.whl"), file("mmdet-3.2.0.whl"))
    new = document(file("mmdet-3.3.0.whl", yanked=True), file("mmdet-3.2.0.whl", yanked=True))
    changes = diff({"files/mmdet.json": old}, {"files/mmdet.json": new})
    holds = LockContents(
        name="a/b", versions={PackageName("mmdet"): "3.3.0"}, files=frozenset({"mmdet-3.3.0.whl"})
    )
    other = LockContents(name="c/d", versions={PackageName("mmcv"): "2.1.0"})
    (touch,) = touched(changes, [holds, other])
    assert (touch.lock, [one.key for one in touch.facts], touch.newer) == ("a/b", ["mmdet-3.3.0.whl"], ())


def test_two_equal_states_differ_in_nothing() -> None:
    rows = document(file("a"), file("b"))
    assert diff({"files/x.json": rows}, {"files/x.json": structs.replace(rows, sources={})}) == ()


@pytest.mark.parametrize("given_", [(), (file("a"),)])
def test_a_new_file_is_all_added(given_: tuple[File, ...]) -> None:
    found = diff({}, {"files/mmdet.json": document(*given_)})
    assert [one.kind for one in found] == [ChangeKind.ADDED] * len(given_)


def test_of_a_table_only_the_keys_that_differ_are_told() -> None:
    old = next(row for row in committed().releases("mmcv") if "setup_locals_version" in row.probes)
    probes = {**old.probes, "setup_std_99": 1}
    new = structs.replace(old, probes=probes)
    path = "openmmlab/releases/mmcv.json"
    before, after = (Document(schema="releases", rows=(row,), sources={"s": "t"}) for row in (old, new))
    told = "\n".join(lines(diff({path: before}, {path: after})))
    assert "probes.setup_std_99 none -> 1" in told
    assert "setup_locals_version" not in told
