"""What a solution says of itself: what it pays, why it is not newer, in which order the aims come."""

from __future__ import annotations

import pytest
from examples import examples
from hypothesis import given
from made_rows import constraint, graphs, link, option, rows_of
from msgspec.structs import replace
from solved import Solved, facts, solved

from mmlock.core.versions import is_prerelease, version
from mmlock.resolve.core_solver.alternatives import not_newer
from mmlock.resolve.core_solver.brute import BruteEngine
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.problem import make_problem
from mmlock.resolve.core_solver.solution import describe, solve_core
from mmlock.resolve.graph.rows import Cost, LinkKind, Rows, by_weight, mask
from mmlock.resolve.plan.reasons import why_not_newer
from mmlock.resolve.request.objectives import DEFAULT_OBJECTIVES, MEANING, Objective, ordered_objectives

REQUESTS = {
    "default on rtx5090": ((), {"gpu": "rtx5090"}),
    "default on t4": ((), {"gpu": "t4"}),
    "legacy": ((), {"gpu": "t4", "stack": "openmmlab-legacy"}),
    "dinov2": ((), {"gpu": "a100", "stack": "dinov2-racformer"}),
    "newest torch": ((), {"gpu": "a100", "prefer": ("newest-torch",)}),
    "cpu": (("mmpose",), {"gpu": "cpu"}),
    "companions": (("torch==2.1.2", "torchvision", "xformers", "mmcv"), {"gpu": "a100"}),
    "old python": (("mmengine", "mmcv"), {"gpu": "v100", "python": "3.8"}),
}


@pytest.fixture(params=REQUESTS, scope="module")
def real(request: pytest.FixtureRequest) -> Solved:
    words, more = REQUESTS[request.param]
    return solved(*words, **more)  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_is_told_is_what_was_minimised(real: Solved) -> None:
    picked = [o.index for o in real.solution.picked.values()]
    problem = make_problem(real.rows, real.asked.objectives)
    assert problem.holds(picked)
    assert [dict(m) for m in problem.masks] == [
        by_weight(one) for one in problem.levels[: len(problem.masks)]
    ]
    told = [paid.value for paid in real.solution.objectives]
    assert told == list(problem.cost(picked))[: len(told)]


def test_every_payment_names_its_payers(real: Solved) -> None:
    assert [paid.objective for paid in real.solution.objectives] == list(real.asked.objectives)
    for paid in real.solution.objectives:
        assert paid.meaning == MEANING[paid.objective]
        assert bool(paid.detail) == bool(paid.value)


@pytest.mark.slow
@examples(60)
@given(graphs())
def test_the_price_told_is_the_price_paid(rows: Rows) -> None:
    problem = make_problem(rows, DEFAULT_OBJECTIVES)
    # A choice that breaks a rule has its price, too.
    picked = BruteEngine().solve(problem) or tuple(slot[0] for slot in problem.slots)
    told = describe(rows, frozenset(picked), DEFAULT_OBJECTIVES)
    assert tuple(paid.value for paid in told.objectives) == problem.cost(picked)[: len(DEFAULT_OBJECTIVES)]


def test_two_declared_bounds_that_want_the_same_are_paid_once() -> None:
    slots = {"a": [option(0, "a", "1.0")], "b": [option(1, "b", "2.0"), option(2, "b", "1.0")]}
    links = [
        link(slots["a"][0], "b", frozenset({2}), kind, hard=False)
        for kind in (LinkKind.DECLARES, LinkKind.CUDA)
    ]
    rows = rows_of(slots, links, [constraint("b>=2", "b", frozenset({1}))])
    solution = solve_core(rows, ClingoEngine())
    assert solution is not None
    told = next(paid for paid in solution.objectives if paid.objective is Objective.DECLARED)
    problem = make_problem(rows, DEFAULT_OBJECTIVES)
    assert told.value == problem.cost((0, 1))[DEFAULT_OBJECTIVES.index(Objective.DECLARED)] == 1
    assert told.detail == ("a wheel declares b",)


def test_why_not_newer_is_true(real: Solved) -> None:
    """Each reason against a solve of its own, with another engine's rules where it is small enough."""
    rows, objectives, solution = real.rows, real.asked.objectives, real.solution
    told = {one.slot: one for one in not_newer(rows, solution, ClingoEngine(), objectives)}
    for slot in {*rows.roots, "torch", "python"}:
        taken = solution.picked[slot]
        assert taken.version is not None
        newer = [
            o.index
            for o in rows.slot_options(slot)
            if o.version
            and not is_prerelease(o.version)
            and version(o.version).public != version(taken.version).public
            and version(o.version) > version(taken.version)
        ]
        assert (slot in told) == bool(newer)
        if slot not in told:
            continue
        problem = make_problem(rows, objectives)
        picked = ClingoEngine().solve(replace(problem, hard=(*problem.hard, mask(frozenset(newer)))))
        one = told[slot]
        assert (one.best is None) == (picked is None)
        text = why_not_newer(facts(), one).text
        if picked is None:
            assert text.startswith("no ")
            continue
        mine, other = problem.cost(o.index for o in solution.picked.values()), problem.cost(picked)
        assert mine < other
        first = next(place for place, pair in enumerate(zip(mine, other, strict=True)) if pair[0] != pair[1])
        if first < len(objectives):
            assert one.worse is not None
            assert one.worse.objective is objectives[first]
            assert one.worse.value == other[first]
            assert f"`{objectives[first]}`" in text
        else:
            assert one.worse is None
            assert "satisfies" not in text


def test_a_newer_version_that_pays_the_same_is_not_called_unfit() -> None:
    """Only the last tie-break spoke against `b 2.0`: it does fit."""
    a = [option(0, "a", "1.0"), option(1, "a", "0.9")]
    b = [option(2, "b", "2.0"), option(3, "b", "1.0")]
    rows = rows_of(
        {"a": a, "b": b, "torch": [option(4, "torch", "1.0")], "python": [option(5, "python", "3.12")]},
        [link(a[0], "b", frozenset({3}), LinkKind.REQUIRES)],
        [],
    )
    solution = solve_core(rows, ClingoEngine())
    assert solution is not None
    assert solution.picked["b"].version == "1.0"
    (one,) = not_newer(rows, solution, ClingoEngine(), DEFAULT_OBJECTIVES)
    assert one.best is not None
    assert one.best.version == "2.0"
    assert "satisfies" not in why_not_newer(facts(), one).text


def test_a_newer_version_that_cannot_be_is_told_so() -> None:
    torch = [option(0, "torch", "2.0"), option(1, "torch", "1.0")]
    python = [option(2, "python", "3.12")]
    requested = constraint("torch<2", "torch", frozenset({1}))
    rows = rows_of({"torch": torch, "python": python}, [], [requested])
    solution = solve_core(rows, ClingoEngine())
    assert solution is not None
    (one,) = not_newer(rows, solution, ClingoEngine(), DEFAULT_OBJECTIVES)
    assert (one.slot, one.best, one.worse) == ("torch", None, None)


def test_the_first_aim_that_suffers_is_the_reason() -> None:
    torch = [option(0, "torch", "2.0"), option(1, "torch", "1.0")]
    python = [option(2, "python", "3.12")]
    costs = (
        Cost(option=0, objective=Objective.BUILDS, weight=1),
        Cost(option=1, objective=Objective.TORCH, weight=1),
        Cost(option=0, objective=Objective.PYTHON, weight=7),
    )
    rows = rows_of({"torch": torch, "python": python}, [], [], costs=costs)
    solution = solve_core(rows, ClingoEngine())
    assert solution is not None
    (one,) = not_newer(rows, solution, ClingoEngine(), DEFAULT_OBJECTIVES)
    assert one.worse is not None
    assert (one.worse.objective, one.worse.value) == (Objective.BUILDS, 1)
    turned = solve_core(
        rows, ClingoEngine(), (Objective.TORCH, *[t for t in Objective if t is not Objective.TORCH])
    )
    assert turned is not None
    assert turned.picked["torch"].version == "2.0"


def test_preferred_aims_come_first_and_none_is_lost() -> None:
    objectives = ordered_objectives(["newest-torch", "wheels-first", "newest-torch"])
    assert not isinstance(objectives, str)
    assert objectives[:2] == (Objective.TORCH, Objective.BUILDS)
    assert sorted(objectives) == sorted(Objective)
    assert ordered_objectives([]) == DEFAULT_OBJECTIVES
    assert ordered_objectives(["newest-torch", "fastest"]) == "fastest"
