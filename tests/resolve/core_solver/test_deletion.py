"""The deletion filter on sets whose proofs are known."""

from __future__ import annotations

from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from mmlock.resolve.core_solver.deletion import minimal_subset, minimal_subset_by_halves

cores = st.lists(st.frozensets(st.integers(0, 6), min_size=1, max_size=3), min_size=1, max_size=4)


@given(cores)
def test_what_is_kept_proves_it_and_nothing_less_does(cores: list[frozenset[int]]) -> None:
    """A set proves its point when it holds one of the cores; the proof is the first that it holds."""

    def prove(items: tuple[int, ...]) -> frozenset[int] | None:
        return next((core for core in cores if core <= set(items)), None)

    whole = prove(tuple(range(7)))
    assert whole is not None
    kept, proof = minimal_subset(range(7), whole, prove)
    assert proof == prove(kept) == frozenset(kept)
    assert all(prove(tuple(other for other in kept if other != one)) is None for one in kept)


def test_the_first_is_left_out_first() -> None:
    assert minimal_subset("abc", 1, lambda some: 1 if some else None) == (("c",), 1)


@examples(60)
@given(
    size=st.integers(1, 30),
    causes=st.lists(st.frozensets(st.integers(0, 29), min_size=1, max_size=4), min_size=1, max_size=4),
)
def test_halves_find_a_minimal_subset_too(size: int, causes: list[frozenset[int]]) -> None:
    """Whatever is refused by any of some causes: a cause is found, and nothing besides."""
    causes = [frozenset(one % size for one in cause) for cause in causes]

    def prove(some: tuple[int, ...]) -> str | None:
        return "refused" if any(cause <= set(some) for cause in causes) else None

    kept, proof = minimal_subset_by_halves(range(size), "refused", prove)
    assert proof == "refused"
    assert any(set(kept) == cause for cause in causes)
