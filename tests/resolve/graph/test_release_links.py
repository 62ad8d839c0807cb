"""What releases need of other slots, and what their extras add, on facts made by hand."""

from __future__ import annotations

from typing import Any

import pytest
from made_graph import MadeFacts, builder, put_pythons, put_releases, put_torch, release, torch_build, wish

from mmlock.core.names import Confidence, Form, PackageName, Platform
from mmlock.facts.matrix.curated import Module
from mmlock.facts.matrix.model import Assert, Release, Requires
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.extras import declared, link_extras, link_requires_python, pulled
from mmlock.resolve.graph.openmmlab_rows import add_costs, link_release
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import Link, LinkKind, NothingChoice
from mmlock.resolve.request.objectives import Objective

A, B = PackageName("a"), PackageName("b")


def module(name: str, *packages: str) -> Module:
    return Module(
        module=name,
        packages=tuple(map(PackageName, packages or (name,))),
        with_ops=(),
        core=True,
        source=("page",),
        confidence=Confidence.MEASURED,
    )


def metadata(version: str, *requires: str, **more: Any) -> Requires:
    given: dict[str, Any] = {
        "version": version,
        "requires": requires,
        "requires_python": None,
        "source": ("page",),
        "confidence": Confidence.CAPTURED,
    }
    return Requires(**{**given, **more})


B_ROWS = (
    release("3.0", asserts=(Assert(module="mmengine", op=">=", version="0.1"),)),
    release("2.0"),
    release("1.0"),
)


def graph(requires: dict[str, tuple[Requires, ...]] | None = None, **more: Any) -> GraphBuilder:
    """0-1 Pythons, 2-3 torch, 4-6 releases of b, 7 none of it, 8 b-other 2.0, 9 c 1.0, 10 a 1.0."""
    facts = MadeFacts(
        {
            "modules": (module("a"), module("b", "b", "b-other"), module("c"), module("z")),
            "packages": {},
            "releases": {"b": B_ROWS, "a": (release("1.0"), release("0.9", asserts=B_CHECK))},
            "requires": requires or {},
        }
    )
    made = builder(facts, **more)
    put_pythons(made, "3.12", "3.8")
    put_torch(made, torch_build(), torch_build("2.3.0"))
    put_releases(made, "b", *B_ROWS)
    made.option("b", "no b", NothingChoice(), form=Form.LEFT_OUT)
    put_releases(made, "b-other", release("2.0"), slot="b")
    put_releases(made, "c", release("1.0"))
    put_releases(made, "a", release("1.0"))
    return made


B_CHECK = (Assert(module="b", op=">=", version="1"),)


def linked(row: Release) -> list[Link]:
    made = graph()
    link_release(made, SlotCatalog(made), made.options[10], row)
    assert all(link.option == 10 for link in made.links)
    assert all(link.source == ("releases/a#scan",) for link in made.links)
    assert all(link.confidence is row.confidence for link in made.links)
    return made.links


def check(name: str, op: str, version: str) -> Assert:
    return Assert(module=name, op=op, version=version)


def test_all_checks_of_a_module_are_one_need_and_one_of_no_slot_hides_none() -> None:
    row = release(
        "1.0",
        asserts=(
            check("aaa", ">=", "1"),
            check("b", ">=", "1.0"),
            check("b", "<", "3.0"),
            check("zzz", ">", "0"),
        ),
    )
    (link,) = linked(row)
    assert (link.slot, link.members, link.kind, link.hard) == ("b", {5, 6, 8}, LinkKind.ASSERTS, True)
    assert link.reason == "a 1.0 fails to import unless b >=1.0, <3.0"


def test_requirements_name_a_distribution_and_lift_where_their_marker_does_not_hold() -> None:
    texts = ("numpy", "z", "b>=2; python_version < '3.9'", "torch>=2.4", "b-other")
    b, torch, other = linked(release("1.0", requires=texts))
    assert (b.slot, b.members, b.kind) == ("b", {4, 5, 0}, LinkKind.REQUIRES)
    assert b.reason == 'a 1.0 requires b>=2; python_version < "3.9"'
    assert (torch.slot, torch.members) == ("torch", {2})
    assert (other.slot, other.members) == ("b", {8})


def test_what_is_declared_for_mim_is_a_wish() -> None:
    (link,) = [
        one for one in linked(release("1.0", mim=("numpy", "z", "c<2", "mmengine"))) if one.slot == "c"
    ]
    assert (link.members, link.kind, link.hard) == ({9}, LinkKind.DECLARES, False)
    assert link.reason == "a 1.0 declares c<2 in extra `mim`"


def test_a_wish_is_met_by_an_empty_slot() -> None:
    links = [one for one in linked(release("1.0", mim=("b>=3",))) if one.kind is LinkKind.DECLARES]
    assert [one.members for one in links] == [{4, 7}]


def test_what_is_imported_without_a_check_is_needed_in_its_own_generation() -> None:
    (old,) = linked(release("1.0", undeclared=("b", "z", "nowhere")))
    assert (old.slot, old.members, old.kind, old.hard) == ("b", {5, 6, 8}, LinkKind.REQUIRES, True)
    assert old.reason == "a 1.0 imports b without checking its version"
    links = linked(release("1.0", undeclared=("b", "c"), asserts=(check("mmengine", ">", "0"),)))
    # No c of its generation is there: then any will do, but one must be.
    assert {link.slot: link.members for link in links} == {"b": {4}, "c": {9}}


def test_what_its_makers_declare_for_mim_is_presumed_where_another_release_checks_it() -> None:
    presumed = [one for one in linked(release("1.0", mim=("b",))) if one.kind is LinkKind.REQUIRES]
    assert [(one.slot, one.members) for one in presumed] == [("b", {5, 6, 8})]


@pytest.mark.parametrize(("spec", "members"), [(">=3.8.1,<3.12", {1}), (">=3.7", {0, 1}), (None, None)])
def test_a_python_is_needed_of_which_a_patch_release_will_do(
    spec: str | None, members: set[int] | None
) -> None:
    links = linked(release("1.0", requires_python=spec))
    assert [one.members for one in links] == ([] if members is None else [members])
    if spec:
        assert (links[0].slot, links[0].kind, links[0].hard) == ("python", LinkKind.REQUIRES, True)
        assert links[0].reason == f"a 1.0 requires Python {spec}"


def test_what_somebody_asked_for_pays_for_its_age_and_generation() -> None:
    made = graph()
    put_releases(made, "b", release("4.0rc1"))
    add_costs(made, "b")
    assert [one for one in made.costs if one.objective is Objective.FRAMEWORKS] == []
    made.roots.add("b")
    add_costs(made, "b")
    paid = {
        objective: {one.option: one.weight for one in made.costs if one.objective is objective}
        for objective in (Objective.FRAMEWORKS, Objective.GENERATION)
    }
    assert paid[Objective.FRAMEWORKS] == {5: 1, 6: 2, 8: 1}
    assert paid[Objective.GENERATION] == {5: 1, 6: 1, 8: 1, 11: 1}


# ---------------------------------------------------------------- metadata and extras


def test_the_metadata_of_a_platform_comes_before_that_of_none_and_of_another() -> None:
    linux, windows = Platform.LINUX_X86_64, Platform.WINDOWS_X86_64
    rows = [
        metadata("1.0", "mac", platform=Platform.MACOS_ARM64),
        metadata("1.0", "any"),
        metadata("1.0", "linux", platform=linux),
        metadata("1.0", "cu118", platform=linux, variant="cu118"),
        metadata("2.0", "mac", platform=Platform.MACOS_ARM64),
        metadata("3.0", "cu118", platform=linux, variant="cu118"),
    ]
    facts = MadeFacts({"requires": {"a": rows}})

    def found(version: str, platform: Platform, variant: str | None = None) -> str | None:
        row = declared(facts, "a", version, platform, variant)
        return row.requires[0] if row else None

    assert found("1.0", linux) == "linux"
    assert found("1.0", windows) == "any"
    assert found("1.0", linux, "cu118") == "cu118"
    assert found("1.0", linux, "cu121") == "linux"
    assert found("1.0", windows, "cu118") == "any"
    assert found("2.0", linux) == "mac"
    assert found("3.0", linux) is None
    assert found("4.0", linux) is None


@pytest.mark.parametrize(
    ("row", "members"),
    [
        (metadata("1.0", requires_python="<3.12"), {1}),
        (metadata("1.0", requires_python=">=3.6"), None),  # all of them: nothing to say
        (metadata("1.0"), None),
        (metadata("2.0", requires_python="<3.12"), None),
    ],
)
def test_recorded_metadata_bounds_the_python(row: Requires, members: set[int] | None) -> None:
    made = graph({"a": (row,)})
    link_requires_python(made, made.options[10])
    link_requires_python(made, made.options[7])  # nothing in the slot
    assert [link.members for link in made.links] == ([] if members is None else [members])
    for link in made.links:
        assert (link.option, link.slot, link.kind) == (10, "python", LinkKind.REQUIRES)
        assert (link.source, link.confidence) == (("requires/a#page",), Confidence.CAPTURED)
        assert link.reason == "a 1.0 requires Python <3.12"


def extra_links(*requires: str, extras: tuple[str, ...] = ("x",), marker: str | None = None) -> list[Link]:
    made = graph({"a": (metadata("1.0", *requires),)})
    link_extras(made, SlotCatalog(made), "a", wish("a", extras=extras, marker=marker))
    return made.links


def test_what_an_extra_asks_of_a_slot_is_needed() -> None:
    (link,) = extra_links('b>=2; extra == "x"', 'c; extra == "y"', "c>=1", 'numpy; extra == "x"')
    assert (link.option, link.slot, link.members) == (10, "b", {4, 5})
    assert (link.kind, link.hard) == (LinkKind.REQUIRES, True)
    assert link.reason == "a 1.0 requires b>=2 for its extra `x`"
    assert (link.source, link.confidence) == (("requires/a#page",), Confidence.CAPTURED)


def test_an_extra_asks_nothing_of_its_own_slot_or_of_one_that_is_not_there() -> None:
    assert extra_links('a>=1; extra == "x"', 'z; extra == "x"') == []
    assert len(extra_links('a>=1; extra == "x"', 'z; extra == "x"', 'b; extra == "x"')) == 1
    assert extra_links('b; extra == "x"', extras=()) == []


def test_markers_lift_what_an_extra_asks() -> None:
    (own,) = extra_links("b>=3; extra == 'x' and python_version < '3.9'")
    assert own.members == {4, 0}
    (asked,) = extra_links("b>=3; extra == 'x'", marker="python_version > '3.9'")
    assert asked.members == {4, 1}


def test_extras_of_any_release_pull_slots_in() -> None:
    made = graph({"a": (metadata("1.0", 'b; extra == "x"'), metadata("0.9", 'c; extra == "x"', "z"))})
    assert pulled(SlotCatalog(made), "a", ("x",)) == {"b", "c"}
    assert pulled(SlotCatalog(made), "a", ("y",)) == set()
    assert pulled(SlotCatalog(made), "a", ()) == set()
