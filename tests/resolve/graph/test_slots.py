"""Which slots are needed and what may fill them, of modules made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from made_graph import MadeFacts, builder, release

from mmlock.core.names import Confidence, PackageName
from mmlock.facts.matrix.curated import Module
from mmlock.facts.matrix.model import Assert, Release
from mmlock.facts.matrix.packages import Offer, Provider
from mmlock.resolve.graph.packages import SlotCatalog, generation, needed_slots, newest_first

A, B, FORK, LEAF = (PackageName(name) for name in ("a", "b", "a-fork", "leaf"))


def module(name: str, *packages: str, core: bool = True, on_request: Sequence[str] = ()) -> Module:
    names = tuple(map(PackageName, packages or (name,)))
    return Module(
        module=name,
        packages=names,
        with_ops=(),
        core=core,
        source=("page",),
        confidence=Confidence.MEASURED,
        on_request=tuple(map(PackageName, on_request)),
    )


MODULES = (
    module("a", "a", "a-fork", "a-other", on_request=("a-fork", "a-other")),
    module("b", "b", "b-fork", on_request=("b-fork",)),
    module("leaf"),
    module("spare"),
    module("plain", core=False),
    module("many", "many-cu118", "many-cu121", "many-own", on_request=("many-own",)),
)


def provider(name: str, *packages: str) -> Provider:
    return Provider(
        name=name,
        title=name,
        home="https://x.example",
        kind=next(iter(Offer)),
        takes=True,
        packages=tuple(map(PackageName, packages)),
        offers="wheels",
        source=("page",),
        confidence=Confidence.CAPTURED,
    )


def check(name: str, op: str = ">=", version: str = "1") -> Assert:
    return Assert(module=name, op=op, version=version)


def catalog(releases: Mapping[str, Sequence[Release]] | None = None, **more: Any) -> SlotCatalog:
    made: dict[str, Any] = {
        "modules": MODULES,
        "packages": {},
        "releases": releases or {},
        "provider-names": (provider("forge", "a-other"), provider("mill", "a-fork")),
    }
    return SlotCatalog(builder(MadeFacts(made), **more))


@pytest.mark.parametrize(
    ("package", "slot"),
    [("a", "a"), ("A_Fork", "a"), ("many-cu118", "many"), ("many", "many"), ("plain", None), ("x", None)],
)
def test_a_distribution_fills_the_slot_of_its_module(package: str, slot: str | None) -> None:
    assert catalog().slot_of(package) == slot


@pytest.mark.parametrize(
    ("slot", "named", "allowed", "offered"),
    [
        ("leaf", [], (), ["leaf"]),
        ("a", [], (), ["a"]),
        ("a", ["a-fork"], (), ["a", "a-fork"]),
        ("a", [], ("forge",), ["a", "a-other"]),
        ("a", ["leaf"], (), ["a"]),
        ("a", ["b-fork"], (), ["a", "a-fork"]),  # its release requires it by name
        ("b", ["a-fork"], (), ["b"]),
    ],
)
def test_other_packages_come_where_they_are_named_allowed_or_required(
    slot: str, named: list[str], allowed: tuple[str, ...], offered: list[str]
) -> None:
    releases = {"b-fork": [release("1.0", requires=("a-fork>=1",))]}
    found = catalog(releases, providers=allowed).offered(slot, map(PackageName, named))
    assert found == offered


def test_only_what_is_at_hand_anyway_stands_for_its_module() -> None:
    assert catalog().stands_for("a", A)
    assert not catalog().stands_for("a", FORK)
    assert catalog(providers=("mill",)).stands_for("a", FORK)


def test_releases_come_newest_first_without_yanked_ones() -> None:
    rows = [release("1.2"), release("1.10"), release("2.0", yanked=True), release("1.9")]
    assert [row.version for row in catalog({"a": rows}).releases(A)] == ["1.10", "1.9", "1.2"]
    assert catalog({"a": rows}).released(A)
    assert not catalog({"a": rows}).released(B)


OLD_AND_NEW = [
    release("3.0", asserts=(check("b"),)),
    release("2.5"),  # between those that check, so its bounds are known to be none
    release("2.0", asserts=(check("b"),)),
    release("1.0"),
    release("0.9"),
]


@pytest.mark.parametrize(
    ("named", "unknown"),
    [
        ([], {"1.0", "0.9"}),
        ([(A, "")], {"1.0", "0.9"}),
        ([(A, ">=0.9")], {"1.0", "0.9"}),
        ([(A, "==2.0")], {"1.0", "0.9"}),
        ([(A, "<2.0")], set()),
        ([(A, "==2.5")], set()),
        ([(A, ">=1"), (A, "<2")], set()),  # one word is enough
        ([(B, "<2.0")], {"1.0", "0.9"}),  # said of another package
    ],
)
def test_releases_from_before_all_checks_have_unknown_bounds(
    named: list[tuple[PackageName, str]], unknown: set[str]
) -> None:
    made = catalog({"a": OLD_AND_NEW})
    assert made.unknown_bounds(A, named) == unknown
    kept = [row.version for row in OLD_AND_NEW if row.version not in unknown]
    assert [row.version for row in made.on_offer(A, named)] == kept


def test_where_no_release_checks_anything_all_are_known() -> None:
    assert catalog({"a": [release("1.0")]}).unknown_bounds(A, []) == frozenset()


def test_what_is_imported_without_a_check_is_presumed_and_what_some_release_checks_where_it_is_declared() -> (
    None
):
    rows = [
        release("3.0", asserts=(check("b"),), undeclared=("b", "leaf", "elsewhere")),
        release("2.0", mim=("b>=1", "leaf>=1", "numpy")),
    ]
    made = catalog({"a": rows})
    assert made.presumed(rows[0], A) == ["leaf"]
    assert made.presumed(rows[1], A) == ["b"]  # nobody ever checks leaf


@pytest.mark.parametrize(
    ("row", "number"),
    [
        (release("1", asserts=(check("mmengine"),)), 0),
        (release("1", asserts=(check("mmcv"),)), 1),
        (release("1", requires=("mmengine>=0.7",)), 0),
        (release("1", requires=("onedl-mmengine",)), 0),
        (release("1", mim=("mmengine",)), 0),
        (release("1", requires=("mmengine-plus",)), 1),
        (release("1"), 1),
    ],
)
def test_a_generation_is_told_by_what_is_checked_or_declared(row: Release, number: int) -> None:
    assert generation(row) == number


def test_slots_are_needed_with_all_that_they_can_pull_in() -> None:
    releases = {
        "a": [release("2.0", asserts=(check("b"), check("nowhere"))), release("1.0", requires=("torch>=1",))],
        "a-fork": [release("1.0", requires=("many-cu118", "numpy"))],
        "b": [release("1.0", requires=("a>=1", "leaf>=1"))],
        "leaf": [release("1.0", undeclared=("b",))],
    }
    assert needed_slots(catalog(releases), ["a", "torch"]) == ["a", "b", "many", "leaf"]
    assert needed_slots(catalog(releases), ["leaf", "b"]) == ["b", "leaf", "a", "many"]
    assert needed_slots(catalog(releases), ["spare", "python", "toolchain"]) == ["spare"]


def test_versions_come_newest_first_and_prereleases_last() -> None:
    assert newest_first(["1.9", "1.10", "2.0rc1", "2.0rc2"]) == ["1.10", "1.9", "2.0rc2", "2.0rc1"]
