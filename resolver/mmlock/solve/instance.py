"""The pure problem an engine solves: pick one option per slot, cheapest first by level.

All rows are integers, so that an engine is a function that others can replace: clingo in earnest,
a brute-force search as its oracle in tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mmlock.graph.rows import Group, Rows, Term

Vector = tuple[int, ...]
"""What a choice costs, most important level first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One problem. Option numbers are those of `Rows.options`."""

    slots: tuple[tuple[int, ...], ...]
    """Exactly one option of each is picked; best first."""
    needs: Mapping[int, tuple[Group, ...]]
    """A picked option needs one member of each group."""
    musts: tuple[Group, ...]
    """One member of each must be picked."""
    nogoods: tuple[Group, ...]
    """Not all members of one may be picked."""
    prefers: Mapping[int, tuple[Group, ...]]
    """A picked option pays 1 at `prefer_level` for each group without a picked member."""
    breaches: tuple[tuple[Group, ...], ...]
    """1 is paid at `breach_level` when every group has a picked member."""
    levels: tuple[Mapping[int, int], ...]
    """Option -> weight, most important level first."""
    prefer_level: int
    breach_level: int

    def cost(self, picked: Iterable[int]) -> Vector:
        """What a choice costs."""
        chosen = frozenset(picked)
        vector = [sum(level.get(o, 0) for o in chosen) for level in self.levels]
        vector[self.prefer_level] += sum(
            1 for o in chosen for group in self.prefers.get(o, ()) if not group & chosen
        )
        vector[self.breach_level] += sum(
            1 for breach in self.breaches if all(group & chosen for group in breach)
        )
        return tuple(vector)

    def holds(self, picked: Iterable[int]) -> bool:
        """Whether a choice, one option per slot, breaks no rule."""
        chosen = frozenset(picked)
        return (
            all(group & chosen for group in self.musts)
            and all(group & chosen for o in chosen for group in self.needs.get(o, ()))
            and not any(nogood <= chosen for nogood in self.nogoods)
        )


class Engine(Protocol):
    """Finds a cheapest choice, or shows that there is none."""

    def solve(self, instance: Instance) -> tuple[int, ...] | None: ...


def make_instance(rows: Rows, terms: Sequence[Term], *, asks: Iterable[int] | None = None) -> Instance:
    """The problem of a graph: levels are the terms in order, then one tie-break level per slot.

    `asks` picks which asks must hold; None means all of them.
    """
    kept = range(len(rows.asks)) if asks is None else asks
    needs: dict[int, list[Group]] = {}
    prefers: dict[int, list[Group]] = {}
    for link in rows.links:
        (needs if link.hard else prefers).setdefault(link.option, []).append(link.members)
    weights: dict[Term, dict[int, int]] = {term: {} for term in terms}
    for cost in rows.costs:
        if cost.term in weights:
            level = weights[cost.term]
            level[cost.option] = level.get(cost.option, 0) + cost.weight
    names = _slot_order(rows)
    ties: list[Mapping[int, int]] = [
        {index: place for place, index in enumerate(rows.slots[slot]) if place} for slot in names
    ]
    return Instance(
        slots=tuple(rows.slots[slot] for slot in names),
        needs={option: tuple(dict.fromkeys(groups)) for option, groups in needs.items()},
        musts=tuple(dict.fromkeys(group for i in kept for _, group in rows.asks[i].parts)),
        nogoods=rows.nogoods,
        prefers={option: tuple(dict.fromkeys(groups)) for option, groups in prefers.items()},
        breaches=tuple(breach.groups for breach in rows.breaches if not breach.breakage.cured),
        levels=(*(weights[term] for term in terms), *ties),
        prefer_level=list(terms).index(Term.DECLARED),
        breach_level=list(terms).index(Term.BROKEN),
    )


def _slot_order(rows: Rows) -> list[str]:
    """Frameworks, then what serves them, then torch, toolchain and Python: the order of tie-breaks."""
    last = ("mmcv", "mmengine", "torch", "toolchain", "python")
    frameworks = sorted(
        (s for s in rows.slots if s not in last), key=lambda slot: (slot not in rows.roots, slot)
    )
    return [*frameworks, *(slot for slot in last if slot in rows.slots)]
