"""clingo, with and without what comes before it, against a search that tries every choice."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from examples import examples
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace

from mmlock.resolve.core_solver.brute import BruteEngine
from mmlock.resolve.core_solver.engine import ClingoEngine, _run, facts
from mmlock.resolve.core_solver.presolve import presolve
from mmlock.resolve.core_solver.problem import Problem
from mmlock.resolve.core_solver.propagate import propagate, supported
from mmlock.resolve.graph.rows import by_weight, mask


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    slots: list[tuple[int, ...]] = []
    for size in sizes:
        start = sum(len(slot) for slot in slots)
        slots.append(tuple(range(start, start + size)))
    count = sum(sizes)
    # Groups as numbers: bit N of one stands for option N. Groups of one slot, with or without members.
    group = st.integers(0, 2**count - 1).map(lambda bits: bits & mask(frozenset(slots[bits % len(slots)])))
    anywhere = st.integers(1, 2**count - 1)  # a hard group may be met in any of several slots
    options = st.integers(0, count - 1)
    table = st.lists(st.tuples(options, group), max_size=7).map(_grouped)
    incompatibilities = st.lists(st.lists(group, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)
    weights = st.dictionaries(options, st.integers(0, 3), max_size=4)
    levels = draw(st.lists(weights, min_size=1, max_size=4))
    ties = tuple({option: place for place, option in enumerate(slot)} for slot in slots)
    return Problem(
        slots=tuple(slots),
        needs=draw(table),
        hard=tuple(draw(st.lists(group.filter(bool) | anywhere, max_size=2))),
        soft=draw(table),
        incompatibilities=draw(incompatibilities),
        forbidden=draw(incompatibilities),
        levels=(*levels, *ties),
        soft_level=draw(st.integers(0, len(levels) - 1)),
        incompatibility_level=draw(st.integers(0, len(levels) - 1)),
    )


def _grouped(pairs: list[tuple[int, int]]) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for option, group in pairs:
        found[option] = (*found.get(option, ()), group)
    return found


@st.composite
def with_validations(draw: st.DrawFn) -> Problem:
    """A problem of which some choices were validated."""
    problem = draw(problems())
    groups = st.lists(st.sampled_from(problem.slots).flatmap(_some), min_size=1, max_size=3).map(tuple)
    return replace(
        problem,
        validated=draw(st.lists(groups, min_size=1, max_size=3).map(tuple)),
        validated_level=draw(st.integers(0, len(problem.levels) - len(problem.slots) - 1)),
    )


def _some(slot: tuple[int, ...]) -> st.SearchStrategy[int]:
    return st.sets(st.sampled_from(slot), min_size=1).map(lambda options: mask(frozenset(options)))


@pytest.mark.slow
@examples(200)
@given(with_validations())
def test_what_was_validated_goes_before_all_that_comes_after_it(problem: Problem) -> None:
    found, expected = ClingoEngine().solve(problem), BruteEngine().solve(problem)
    assert found == expected


@pytest.mark.slow
@examples(200)
@given(problems())
def test_the_engine_finds_what_trying_everything_finds(problem: Problem) -> None:
    found, expected = ClingoEngine().solve(problem), BruteEngine().solve(problem)
    assert found == expected
    if found is not None:
        assert problem.holds(found)


@pytest.mark.slow
@examples(100)
@given(problems())
def test_the_program_alone_finds_it_too(problem: Problem) -> None:
    assert _run(problem) == BruteEngine().solve(problem)


@pytest.mark.slow
@examples(150)
@given(problems())
def test_reduction_keeps_the_answer(problem: Problem) -> None:
    small = propagate(problem)
    expected = BruteEngine().solve(problem)
    assert (BruteEngine().solve(small) if small else None) == expected


@pytest.mark.slow
@examples(150)
@given(problems())
def test_support_takes_away_only_what_no_choice_has(problem: Problem) -> None:
    alive = supported(problem)
    found = BruteEngine().solve(problem)
    if found is not None:
        assert alive is not None
        assert all(alive >> option & 1 for option in found)


@pytest.mark.slow
@examples(200)
@given(problems())
def test_settling_never_loses_the_best(problem: Problem) -> None:
    clear = presolve(problem)
    expected = BruteEngine().solve(problem)
    if clear is None:
        assert expected is None
        return
    found = BruteEngine().solve(clear)
    event("settled to nothing" if found is None else "settled")
    with_masks = presolve(replace(problem, masks=tuple(by_weight(level) for level in problem.levels)))
    assert with_masks is not None
    assert with_masks.slots == clear.slots
    # A part without any choice sends the engine back to the whole problem; a part with one holds the best.
    assert found in {None, expected}
    whole = sum(len(slot) for slot in problem.slots)
    assert sum(len(slot) for slot in clear.slots) <= whole


SAMPLE = """
import sys
sys.path.insert(0, sys.argv[1])
from solved import solved
from mmlock.resolve.core_solver.engine import ClingoEngine, facts
from mmlock.resolve.core_solver.problem import make_problem
told = []
asked = [(("mmcv", "mmdet"), {"gpu": "rtx5090"}), (("mmcv-full",), {"gpu": "t4", "python": "3.8"})]
for words, more in asked:
    one = solved(*words, **more)
    told.append(facts(make_problem(one.rows, one.asked.objectives)))
    told += [f"{slot}={option.label}" for slot, option in one.solution.picked.items()]
    told += [f"{paid.objective}={paid.value} {paid.detail}" for paid in one.solution.objectives]
sys.stdout.write("\\n".join(told))
"""


@pytest.mark.slow
def test_the_same_problem_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    support = Path(__file__).parents[1] / "support"
    digests = set()
    for seed in ("1", "2"):
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        ran = subprocess.run(
            [sys.executable, "-c", SAMPLE, str(support)], env=environ, capture_output=True, check=True
        )
        assert len(ran.stdout) > 10_000
        digests.add(hashlib.sha256(ran.stdout).hexdigest())
    assert len(digests) == 1


@pytest.mark.slow
@examples(40)
@given(problems())
def test_the_facts_are_the_same_twice(problem: Problem) -> None:
    assert facts(problem) == facts(problem)
    assert ClingoEngine().solve(problem) == ClingoEngine().solve(problem)


@pytest.mark.slow
@examples(100)
@given(with_validations(), st.integers(0, 5))
def test_an_aim_put_before_all_others_is_the_first_and_shifts_the_rest(problem: Problem, at: int) -> None:
    """With the masks that graphs bring, which must move with their levels."""
    masked = replace(problem, masks=tuple(by_weight(level) for level in problem.levels))
    options = [option for slot in problem.slots for option in slot]
    first = {options[at % len(options)]: 1}
    moved = masked.preceded(first)
    picked = tuple(slot[0] for slot in problem.slots)
    assert moved.cost(picked) == (sum(first.get(o, 0) for o in picked), *problem.cost(picked))
    assert ClingoEngine().solve(moved) == BruteEngine().solve(moved)
