"""What presolving settles before clingo runs, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from mmlock.resolve.core_solver.brute import BruteEngine
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.presolve import presolve
from mmlock.resolve.core_solver.problem import Problem
from mmlock.resolve.core_solver.propagate import propagate, supported
from mmlock.resolve.graph.rows import mask


def group(*options: int) -> int:
    return mask(frozenset(options))


def problem(**more: Any) -> Problem:
    """Two slots of two options each."""
    given: dict[str, Any] = {
        "slots": ((0, 1), (2, 3)),
        "needs": {},
        "hard": (),
        "soft": {},
        "incompatibilities": (),
        "levels": ({}, {}, {1: 1}, {3: 1}),
        "soft_level": 0,
        "incompatibility_level": 1,
    }
    return Problem(**{**given, **more})


def settled(one: Problem) -> tuple[tuple[int, ...], ...]:
    clear = presolve(one)
    assert clear is not None
    return clear.slots


def test_what_every_slot_can_have_at_its_least_is_settled() -> None:
    assert settled(problem()) == ((0,), (2,))
    assert settled(
        problem(levels=({0: 5}, {2: 5}, {1: 1}, {3: 1}), soft_level=2, incompatibility_level=3)
    ) == (
        (1,),
        (3,),
    )


def test_slots_that_trade_with_each_other_are_left_to_the_search() -> None:
    """0 and 2 are the cheapest of their slots and exclude each other; 1 is the cheaper way out."""
    trade = problem(needs={0: (group(3),), 2: (group(1),)}, levels=({1: 1, 3: 3}, {}, {1: 1}, {3: 1}))
    assert settled(trade) == ((0, 1), (2, 3))
    assert ClingoEngine().solve(trade) == (1, 2) == BruteEngine().solve(trade)


def test_the_least_of_one_slot_is_found_between_its_extremes() -> None:
    one = Problem(
        slots=(tuple(range(8)), (8,)),
        needs=dict.fromkeys(range(5), (0,)),  # a need that nothing meets
        hard=(),
        soft={},
        incompatibilities=(),
        levels=({option: option for option in range(8)},),
        soft_level=0,
        incompatibility_level=0,
    )
    assert settled(one) == ((5,), (8,))


def test_soft_requirements_that_can_all_be_kept_become_needs() -> None:
    assert settled(problem(soft={0: (group(3),), 2: (group(1),)})) == ((0,), (3,))
    kept = problem(soft={2: (group(1),)}, levels=({}, {}, {1: 1}, {}))
    assert ClingoEngine().solve(kept) == (0, 3) == BruteEngine().solve(kept)


def test_a_incompatibility_that_one_option_brings_about_takes_it_out() -> None:
    assert settled(problem(incompatibilities=((group(0),),))) == ((1,), (2,))


def test_a_incompatibility_that_cannot_be_avoided_is_left_to_the_search() -> None:
    one = problem(incompatibilities=((group(0, 1),),))
    assert settled(one) == ((0, 1), (2, 3))
    assert ClingoEngine().solve(one) == (0, 2)


def test_support_sees_what_a_forbidden_incompatibility_rules_out() -> None:
    """Slot one holds nothing outside the incompatibility, so slot two must stay outside."""
    one = problem(forbidden=((group(0, 1), group(2)),))
    assert supported(one) == group(0, 1, 3)
    assert supported(problem(forbidden=((group(0, 1), group(2, 3)),))) is None


def test_an_equal_option_that_is_nowhere_cheaper_goes() -> None:
    small = propagate(problem())
    assert small is not None
    assert small.slots == ((0,), (2,))
    bound = propagate(problem(forbidden=((group(0), group(2)),)))  # what stands in a rule is not equal
    assert bound is not None
    assert bound.slots == ((0, 1), (2, 3))


def test_no_choice_is_seen_at_once() -> None:
    assert presolve(problem(hard=(group(9),))) is None
    assert ClingoEngine().solve(problem(needs={0: (0,), 1: (0,)})) is None
    assert ClingoEngine().solve(problem(forbidden=((group(0),), (group(1),)))) is None


def test_what_an_option_needs_counts_at_every_level() -> None:
    """3 is the cheapest of its slot at the second level, and needs what the first level took away."""
    one = problem(needs={3: (group(1),)}, levels=({1: 1}, {2: 1}, {}, {}))
    assert settled(one) == ((0,), (2,))


def test_to_pay_nothing_is_to_pay_a_weight_of_nothing() -> None:
    small = propagate(problem(levels=({0: 0, 1: 0}, {0: 0}, {2: 0}, {})))
    assert small is not None
    assert small.slots == ((0,), (2,))
    # Of two options each cheaper at another level both stay.
    apart = propagate(problem(levels=({0: 1}, {1: 1}, {}, {})))
    assert apart is not None
    assert apart.slots == ((0, 1), (2,))


@pytest.mark.parametrize(
    "more",
    [
        {"needs": {0: (group(2),)}},  # the first needs what the second does not
        {"soft": {0: (group(2),)}},
        {"soft": {0: (group(2), group(2)), 1: (group(2),)}},  # each unmet wish is paid on its own
        {"needs": {2: (group(0),)}},  # the second is no member of what is needed
        {"soft": {2: (group(0),)}},
        {"incompatibilities": ((group(0), group(2)),)},
        {"hard": (group(0, 2),)},
    ],
)
def test_options_that_rules_tell_apart_both_stay(more: dict[str, Any]) -> None:
    small = propagate(problem(**more))
    assert small is not None
    assert small.slots[0] == (0, 1)


def test_options_that_need_the_same_in_another_order_are_equal() -> None:
    needs, wishes = (group(2), group(3)), (group(2), group(3), group(2))
    small = propagate(
        problem(
            needs={0: needs[:1], 1: needs[:1]},
            soft={0: wishes, 1: wishes[::-1][1:] + wishes[:1]},
            hard=(group(2, 3),),
        )
    )
    assert small is not None
    assert small.slots[0] == (0,)
