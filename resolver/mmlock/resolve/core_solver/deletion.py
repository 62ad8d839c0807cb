"""The deletion filter: a minimal subset that still proves something, by leaving out one item at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["minimal_subset", "minimal_subset_by_halves"]

Item = TypeVar("Item")
Proof = TypeVar("Proof")


def minimal_subset(
    items: Sequence[Item], proof: Proof, prove: Callable[[tuple[Item, ...]], Proof | None]
) -> tuple[tuple[Item, ...], Proof]:
    """Items none of which can be left out, in their order, with the proof that is theirs.

    `proof` is that of all items; `prove` gives the proof of some of them, or None. What comes first is left
    out first. Minimal where fewer items never prove more.
    """
    kept = tuple(items)
    for item in items:
        rest = tuple(other for other in kept if other != item)
        if (found := prove(rest)) is not None:
            kept, proof = rest, found
    return kept, proof


def minimal_subset_by_halves(
    items: Sequence[Item], proof: Proof, prove: Callable[[tuple[Item, ...]], Proof | None]
) -> tuple[tuple[Item, ...], Proof]:
    """The same with fewer questions where few of many items matter: halves are left out first."""
    kept = tuple(items)
    size = max(1, len(kept) // 2)
    while True:
        at = 0
        while at < len(kept):
            rest = kept[:at] + kept[at + size :]
            if (found := prove(rest)) is not None:
                kept, proof = rest, found
            else:
                at += size
        if size == 1:
            return kept, proof
        size //= 2
