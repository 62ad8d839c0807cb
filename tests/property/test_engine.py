"""clingo over the reduced problem against a search that tries every choice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mmlock.graph.rows import mask
from mmlock.solve.brute import BruteEngine
from mmlock.solve.engine import ClingoEngine
from mmlock.solve.instance import Instance
from mmlock.solve.reduce import reduce


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    slots: list[tuple[int, ...]] = []
    for size in sizes:
        start = sum(len(slot) for slot in slots)
        slots.append(tuple(range(start, start + size)))
    options = [option for slot in slots for option in slot]

    def group() -> st.SearchStrategy[int]:
        return st.sampled_from(slots).flatmap(lambda slot: st.frozensets(st.sampled_from(slot))).map(mask)

    def table(most: int) -> st.SearchStrategy[dict[int, tuple[int, ...]]]:
        return st.dictionaries(
            st.sampled_from(options), st.lists(group(), min_size=1, max_size=2).map(tuple), max_size=most
        )

    weights = st.dictionaries(st.sampled_from(options), st.integers(0, 3))
    ties = tuple({option: place for place, option in enumerate(slot)} for slot in slots)
    return Instance(
        slots=tuple(slots),
        needs=draw(table(6)),
        musts=tuple(draw(st.lists(group().filter(bool), max_size=2))),
        nogoods=tuple(
            draw(st.lists(st.frozensets(st.sampled_from(options), min_size=1).map(mask), max_size=2))
        ),
        prefers=draw(table(3)),
        breaches=tuple(draw(st.lists(st.lists(group(), min_size=1, max_size=2).map(tuple), max_size=2))),
        levels=(draw(weights), draw(weights), draw(weights), *ties),
        prefer_level=draw(st.integers(0, 2)),
        breach_level=draw(st.integers(0, 2)),
    )


@settings(max_examples=300, deadline=None)
@given(instances())
def test_clingo_finds_what_trying_everything_finds(instance: Instance) -> None:
    found, expected = ClingoEngine().solve(instance), BruteEngine().solve(instance)
    assert found == expected
    if found is not None:
        assert instance.holds(found)


@settings(max_examples=300, deadline=None)
@given(instances())
def test_reduction_keeps_the_answer(instance: Instance) -> None:
    small = reduce(instance)
    expected = BruteEngine().solve(instance)
    assert (BruteEngine().solve(small) if small else None) == expected
