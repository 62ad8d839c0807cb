from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_plans import MMCV, one, planned, wanting
from made_sweeps import REFUSED, WHEEL, build, group, real, sweep
from msgspec.structs import replace
from solved import facts

from mmlock.core.errors import UsageError
from mmlock.core.names import PackageName, Platform
from mmlock.farm.cost import BuildRecord, Costs
from mmlock.farm.demand import Demand, demand_of
from mmlock.farm.plan import FarmPlan, chosen_builds, plan_bytes, read_plan
from mmlock.resolve.loop.sweep import PointAnswer

# ---------------------------------------------------------------- demand


def test_a_target_with_wheels_on_some_torch_needs_no_build() -> None:
    made = sweep(
        group("a100", (build(), WHEEL), (build(), REFUSED)), pythons=("3.10", "3.12"), torches=("2.11", "2.1")
    )

    demand = demand_of(facts(), made)

    assert list(demand.wants) == [("small", "a100", "3.12")]
    assert (demand.served, demand.hopeless) == (1, 0)


def test_per_torch_each_torch_is_a_target_of_its_own() -> None:
    made = sweep(
        group("a100", (build(), WHEEL), (build(), REFUSED)), pythons=("3.10", "3.12"), torches=("2.11", "2.1")
    )

    demand = demand_of(facts(), made, per_torch=True)

    assert [target[-2:] for target in demand.wants] == [("3.10", "2.11"), ("3.12", "2.11")]
    assert (demand.served, demand.hopeless) == (1, 1)


def test_a_wheel_is_for_all_archs_of_its_torch_that_nvcc_knows() -> None:
    row = next(
        b
        for b in facts().torch_builds
        if (b.torch, b.variant, b.platform) == ("2.11.0", "cu130", Platform.LINUX_X86_64)
    )
    demand = demand_of(facts(), sweep(group("a100", (build(),)), pythons=("3.12",), torches=("2.11",)))

    ((bundle,),) = demand.wants.values()
    (wheel,) = bundle

    assert wheel.archs == row.archs
    assert wheel.arch_list.startswith("7.5;8.0")


@pytest.mark.slow
def test_one_wheel_serves_cards_of_different_archs_in_the_committed_facts() -> None:
    found = real(("rtx3090", "rtx5090"), ("3.12",), ("2.11",), ("openmmlab",))

    plan = planned(demand_of(facts(), found))

    assert [(p.build.package, p.build.version, p.serves) for p in plan.builds] == [(MMCV, "2.1.0", 2)]
    assert plan.builds[0].build.verified


def test_targets_that_do_not_count_are_left_out() -> None:
    made = sweep(group("a100", (build(),)), group("t4", (build(),)), pythons=("3.12",), torches=("2.11",))

    demand = demand_of(facts(), made, counts=lambda point: point.gpu == "t4")

    assert list(demand.wants) == [("small", "t4", "3.12")]


# ---------------------------------------------------------------- cost


def test_the_cost_of_a_build_is_reckoned_from_records_and_archs() -> None:
    costs = Costs.of(
        [
            BuildRecord(package=MMCV, archs=1, cpu_seconds=3600.0),
            BuildRecord(package=MMCV, archs=0, cpu_seconds=360.0),
        ],
        base=20,
        each=4,
    )
    wheel = replace(one("mmcv"), archs=("sm_80", "sm_90", "sm_120"))

    assert costs.hours(one("mmcv")) == pytest.approx(1.0)
    assert costs.hours(wheel) == pytest.approx(32 / 24)
    assert costs.hours(replace(wheel, cuda=None, archs=())) == pytest.approx(0.1)
    assert costs.hours(one("flash-attn")) is None


def test_the_facts_have_the_costs_of_builds_that_ran() -> None:
    held = {recipe.package for recipe in facts().recipes if recipe.measured}

    assert MMCV in held
    assert all(one.cpu_seconds > 0 for recipe in facts().recipes for one in recipe.measured)


# ---------------------------------------------------------------- cover


def test_the_build_that_serves_most_for_an_hour_comes_first() -> None:
    cheap, dear = one("cheap"), one("dear")
    took = {"cheap": 3600.0, "dear": 36000.0}
    costs = Costs.of(
        [BuildRecord(package=PackageName(name), archs=1, cpu_seconds=cpu) for name, cpu in took.items()],
        base=20,
        each=4,
    )
    demand = wanting(*[[frozenset({dear})]] * 3, *[[frozenset({cheap})]] * 2)

    assert [p.name for p in planned(demand, costs).builds] == [cheap.name, dear.name]
    assert [p.name for p in planned(demand).builds] == [dear.name, cheap.name], (
        "without a cost, all are alike"
    )


def test_a_target_that_needs_two_wheels_counts_when_both_are_there() -> None:
    first, second = one("first"), one("second")

    plan = planned(wanting([frozenset({first, second})]))

    assert [(p.serves, p.covered) for p in plan.builds] == [(0, 0), (1, 1)]


def test_between_equals_a_tested_recipe_comes_first() -> None:
    tested, untested = one("z-tested", verified=True), one("a-untested")

    plan = planned(wanting([frozenset({untested}), frozenset({tested})]))

    assert [p.build for p in plan.builds] == [tested]


def test_a_budget_ends_a_plan() -> None:
    demand = wanting(*[[frozenset({one(f"p{n}")})] for n in range(5)])
    costs = Costs.of(
        [BuildRecord(package=PackageName(f"p{n}"), archs=1, cpu_seconds=3600) for n in range(5)],
        base=20,
        each=4,
    )

    assert len(planned(demand, costs, most=2).builds) == 2
    assert len(planned(demand, costs, hours=3.5).builds) == 3
    assert planned(demand, costs, hours=0.5).builds == ()


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    builds = [one(f"p{n}") for n in range(draw(st.integers(1, 5)))]
    bundle = st.frozensets(st.sampled_from(builds), min_size=1, max_size=2)
    return wanting(*draw(st.lists(st.lists(bundle, min_size=1, max_size=3, unique=True), max_size=6)))


@pytest.mark.slow
@given(demands())
def test_a_plan_without_a_budget_serves_every_target_and_builds_nothing_twice(demand: Demand) -> None:
    plan = planned(demand)
    built = [p.build for p in plan.builds]

    assert len(built) == len(set(built))
    assert all(any(bundle <= set(built) for bundle in sets) for sets in demand.wants.values())
    assert sum(p.serves for p in plan.builds) == plan.targets
    assert planned(demand) == plan


@pytest.mark.slow
@given(demands())
def test_a_plan_is_within_the_bound_of_greedy_of_the_best(demand: Demand) -> None:
    plan = planned(demand)
    every = sorted({b for sets in demand.wants.values() for one in sets for b in one}, key=lambda b: b.name)
    fewest = next(
        size
        for size in range(len(every) + 1)
        for chosen in combinations(every, size)
        if all(any(bundle <= set(chosen) for bundle in sets) for sets in demand.wants.values())
    )

    # Bundles of two cost at most twice; H(6) is 2.45.
    assert len(plan.builds) <= 2 * 2.45 * fewest


# ---------------------------------------------------------------- the file


def a_plan() -> FarmPlan:
    return planned(wanting([frozenset({one("mmcv")})]))


def test_a_plan_is_read_as_it_was_written() -> None:
    assert read_plan(plan_bytes(a_plan()), Path("plan.json")) == a_plan()


@pytest.mark.parametrize("spoil", ["name", "schema", "not JSON"])
def test_a_file_that_is_no_plan_is_refused(spoil: str) -> None:
    plan = a_plan()
    bad = {
        "name": plan_bytes(replace(plan, builds=(replace(plan.builds[0], name="x; rm -r /"),))),
        "schema": plan_bytes(replace(plan, schema=9)),
        "not JSON": b"[",
    }[spoil]

    with pytest.raises(UsageError, match=r"`plan\.json` is not a plan"):
        read_plan(bad, Path("plan.json"))


@pytest.mark.parametrize(
    "changes",
    [
        {"package": "mmcv @ https://evil.example/mmcv-2.1.0.tar.gz#"},
        {"package": "mmcv[x]"},
        {"package": "../mmcv"},
        {"package": ""},
        {"version": "2.1.0 ; python_version > '3'"},
        {"version": "2.1.0,!=9"},
        {"torch": "2.11.0+cu130/../.."},
        {"torch": "--index-url=https://evil.example"},
    ],
)
def test_a_plan_names_packages_and_versions_and_nothing_to_fetch(changes: dict[str, str]) -> None:
    """`farm run` makes requirements of them."""
    plan = a_plan()
    build = replace(plan.builds[0].build, **changes)
    bad = replace(plan, builds=(replace(plan.builds[0], build=build, name=build.name),))
    with pytest.raises(UsageError, match=r"`plan\.json` is not a plan"):
        read_plan(plan_bytes(bad), Path("plan.json"))


def test_builds_are_chosen_by_name_and_an_unknown_name_is_said() -> None:
    plan = a_plan()

    assert chosen_builds(plan, [plan.builds[0].name]) == plan.builds
    with pytest.raises(UsageError, match="has no build `other`"):
        chosen_builds(plan, ["other"])


def test_an_answer_with_ops_in_plain_pytorch_asks_for_no_build() -> None:
    from mmlock.core.names import Form
    from mmlock.resolve.loop.grid import CellState
    from mmlock.resolve.loop.sweep import SweepChoice

    plain = PointAnswer(
        state=CellState.BUILD,
        torch="2.11.0+cu130",
        cuda="13.0",
        packages=(SweepChoice(name=MMCV, version="2.1.0", form=Form.TORCH_OPS),),
    )

    demand = demand_of(facts(), sweep(group("a100", (plain,)), pythons=("3.12",), torches=("2.11",)))

    assert (dict(demand.wants), demand.hopeless) == ({}, 1)
