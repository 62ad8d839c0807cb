"""What holds of every graph: who needs whom, why, and who says so."""

from __future__ import annotations

import pytest
from solved import Solved, facts, solved

from mmlock.core.names import Form
from mmlock.core.versions import allows, assert_holds, is_prerelease, version
from mmlock.resolve.graph.build import _base, build_graph
from mmlock.resolve.graph.builder import readable
from mmlock.resolve.graph.rows import BuildChoice, IndexChoice, LinkKind, Rows, TorchBuildChoice, mask
from mmlock.resolve.request.objectives import Objective

REQUESTS = {
    "default": ((), {"gpu": "rtx5090"}),
    "legacy": ((), {"gpu": "t4", "stack": "openmmlab-legacy"}),
    "cpu": (("mmpose",), {"gpu": "cpu"}),
    "windows": (("mmdet",), {"gpu": "rtx4090", "platform": "windows"}),
    "companions": (("torchvision", "xformers", "flash-attn", "spconv-cu118", "mmdet3d"), {"gpu": "a100"}),
    "orin": (("mmcv",), {"gpu": "orin"}),
    "rocm": (("mmcv",), {"gpu": "mi250x"}),
}


@pytest.fixture(params=REQUESTS, scope="module")
def graph(request: pytest.FixtureRequest) -> Solved:
    words, more = REQUESTS[request.param]
    return solved(*words, **more)  # type: ignore[arg-type]


@pytest.fixture
def rows(graph: Solved) -> Rows:
    return graph.rows


@pytest.mark.slow
def test_options_are_numbered_in_place_and_labelled_apart(rows: Rows) -> None:
    assert [o.index for o in rows.options] == list(range(len(rows.options)))
    labels = [(o.slot, o.label) for o in rows.options]
    assert len(set(labels)) == len(labels)
    assert sorted(i for indices in rows.slots.values() for i in indices) == list(range(len(rows.options)))
    assert all(rows.options[i].slot == slot for slot, indices in rows.slots.items() for i in indices)


@pytest.mark.slow
def test_every_edge_stays_in_its_slot_and_says_why(rows: Rows) -> None:
    assert len(rows.links) > 20
    for link in rows.links:
        assert link.members <= set(rows.slots[link.slot]), link.reason
        assert rows.options[link.option].slot != link.slot, f"{link.reason}: a need of itself"
        assert link.reason
        assert link.source, link.reason


def test_every_citation_leads_to_a_source(rows: Rows) -> None:
    cited = {key for link in rows.links for key in link.source} | {k for o in rows.options for k in o.source}
    for key in cited:
        assert readable(facts(), [key]) != (key,), f"nothing is known of source {key}"


def test_wishes_speak_of_options_that_exist(rows: Rows) -> None:
    names = [constraint.name for constraint in rows.user_constraints]
    assert len(set(names)) == len(names)
    for constraint in rows.user_constraints:
        for slot, members in (*constraint.parts, *constraint.loose):
            assert members <= set(rows.slots[slot])


@pytest.mark.slow
def test_the_tables_are_the_links_and_costs_again(rows: Rows) -> None:
    for option in rows.options:
        shared = [link for link in rows.shared if link.option == option.index]
        assert set(rows.tables.needs.get(option.index, ())) == {mask(k.members) for k in shared if k.hard}
        assert set(rows.tables.soft.get(option.index, ())) == {mask(k.members) for k in shared if not k.hard}
        assert set(rows.tables.links_of.get(option.index, ())) == set(shared)
    for objective in Objective:
        paid: dict[int, int] = {}
        for cost in rows.costs:
            if cost.objective is objective:
                paid[cost.option] = paid.get(cost.option, 0) + cost.weight
        assert rows.tables.weights[objective] == paid


def test_import_checks_are_kept_as_openmmlab_compares_them(rows: Rows) -> None:
    checked = 0
    for link in rows.links:
        if link.kind is not LinkKind.ASSERTS:
            continue
        release = rows.options[link.option].choice.release  # type: ignore[union-attr]
        checks = [c for c in release.asserts if c.module == link.slot]
        for option in rows.slot_options(link.slot):
            holds = option.version is not None and all(
                assert_holds(c.op, c.version, option.version) for c in checks
            )
            assert (option.index in link.members) == holds
            checked += 1
        if checked > 20_000:
            break
    frameworks = set(rows.slots) - {"python", "torch", "toolchain", "mmcv", "mmengine", "torchvision"}
    assert checked or not frameworks, "nothing was checked"


def test_wheels_of_the_index_go_with_their_own_torch_minor_and_variant(rows: Rows) -> None:
    for option in rows.options:
        if not isinstance(option.choice, IndexChoice):
            continue
        variant, _, torch = option.choice.row.directory.partition("/torch")
        minor = version(torch).release[:2]
        (link,) = [k for k in rows.links_of(option.index) if k.slot == "torch" and k.kind is LinkKind.WHEEL]
        for index in link.members:
            choice = rows.options[index].choice
            assert isinstance(choice, TorchBuildChoice)
            assert choice.build.variant == variant
            assert version(choice.build.torch).release[:2] == minor


def test_builds_go_with_a_torch_whose_headers_they_accept(rows: Rows) -> None:
    for option in rows.options:
        if not isinstance(option.choice, BuildChoice):
            continue
        recipe = option.choice.recipe
        assert option.form is Form.BUILD
        for link in rows.links_of(option.index):
            if link.slot != "torch" or link.kind is not LinkKind.BUILD or link in rows.own:
                continue
            for index in link.members:
                choice = rows.options[index].choice
                assert isinstance(choice, TorchBuildChoice)
                header = facts().cpp_extension[choice.build.torch].header_std
                assert recipe.std is None or header is None or recipe.std >= header
                assert allows(recipe.torch, choice.build.torch)


def test_newer_comes_first_in_every_slot(rows: Rows) -> None:
    for slot in ("torch", "python"):
        found = [version(o.version).release for o in rows.slot_options(slot) if o.version]
        assert found == sorted(found, reverse=True)
    for slot in set(rows.slots) - {"torch", "python", "toolchain"}:
        wheels = [
            o.version
            for o in rows.slot_options(slot)
            if o.version and o.form is Form.WHEEL and isinstance(o.choice, IndexChoice)
        ]
        finals = [version(text) for text in wheels if not is_prerelease(text)]
        assert finals == sorted(finals, reverse=True)


def test_only_what_was_asked_for_must_be_there(rows: Rows) -> None:
    for slot in set(rows.slots) - {"torch", "python", "toolchain"}:
        empty = [o for o in rows.slot_options(slot) if o.form is Form.LEFT_OUT]
        assert len(empty) == 1
        demanded = [m for constraint in rows.user_constraints for s, m in constraint.parts if s == slot]
        assert (slot in rows.roots) == any(empty[0].index not in members for members in demanded)


@pytest.mark.slow
def test_the_shared_part_is_not_touched_by_the_next_request() -> None:
    first = solved("mmdet", gpu="rtx5090")
    before = (
        len(first.rows.shared),
        len(first.rows.own),
        len(first.rows.user_constraints),
        first.rows.tables,
    )
    other = solved("mmdet", gpu="t4", python="3.10", torch=">=2.0,<2.2", no_build=True)
    again = solved("mmdet", gpu="rtx5090")
    assert first.rows.options is other.rows.options  # shared, or this test shows nothing
    assert (
        len(again.rows.shared),
        len(again.rows.own),
        len(again.rows.user_constraints),
        again.rows.tables,
    ) == before
    assert [a.name for a in other.rows.user_constraints] != [a.name for a in first.rows.user_constraints]
    assert [a.parts for a in again.rows.user_constraints] == [a.parts for a in first.rows.user_constraints]


@pytest.mark.slow
def test_the_shared_part_gives_the_same_graph_as_a_fresh_one() -> None:
    from mmlock.resolve.loop.loop import graph_request
    from mmlock.resolve.loop.nogoods import LoopState

    one = solved("mmcv", gpu=("rtx4090", "rtx5090"))
    _base.cache_clear()
    fresh = build_graph(facts(), graph_request(one.asked, LoopState()))
    assert fresh.options == one.rows.options
    assert fresh.links == one.rows.links
    assert [a.parts for a in fresh.user_constraints] == [a.parts for a in one.rows.user_constraints]
    assert fresh.incompatibilities == one.rows.incompatibilities
