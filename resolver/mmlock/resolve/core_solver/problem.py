"""The pure problem an engine solves: pick one option per slot, cheapest first by level.

All rows are integers, so that an engine is a function that others can replace: clingo in earnest,
a brute-force search as its oracle in tests. A group is a bit mask: bit N stands for option N.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from mmlock.resolve.graph.rows import Rows, by_weight, mask
from mmlock.resolve.request.objectives import Objective

Mask = int
"""A set of options: bit N stands for option N."""

Vector = tuple[int, ...]
"""What a choice costs, most important level first."""


class Problem(Struct, frozen=True, kw_only=True):
    """One problem. Option numbers are those of `Rows.options`."""

    slots: tuple[tuple[int, ...], ...]
    """Exactly one option of each is picked; best first."""
    needs: Mapping[int, tuple[Mask, ...]]
    """A picked option needs one member of each group."""
    hard: tuple[Mask, ...]
    """One member of each must be picked."""
    soft: Mapping[int, tuple[Mask, ...]]
    """A picked option pays 1 at `prefer_level` for each group without a picked member."""
    incompatibilities: tuple[tuple[Mask, ...], ...]
    """1 is paid at `breach_level` when every group has a picked member."""
    forbidden: tuple[tuple[Mask, ...], ...] = ()
    """Those that must not happen."""
    levels: tuple[Mapping[int, int], ...]
    """Option -> weight, most important level first."""
    soft_level: int
    incompatibility_level: int
    validated: tuple[tuple[Mask, ...], ...] = ()
    """Where there are any, 1 is paid at `validated_level` unless every group of one has a picked member."""
    validated_level: int = 0
    masks: tuple[Mapping[int, Mask], ...] = ()
    """Of each level: weight -> the options that pay it. Empty: to be made from `levels`."""

    def preceded(self, level: Mapping[int, int]) -> Problem:
        """The same problem with one aim before all others."""
        masks = (by_weight(level), *self.masks) if self.masks else ()
        return replace(
            self,
            levels=(level, *self.levels),
            masks=masks,
            soft_level=self.soft_level + 1,
            incompatibility_level=self.incompatibility_level + 1,
            validated_level=self.validated_level + 1,
        )

    def cost(self, picked: Iterable[int]) -> Vector:
        """What a choice costs."""
        options = tuple(picked)
        chosen = _bits(options)
        vector = [sum(level.get(o, 0) for o in options) for level in self.levels]
        vector[self.soft_level] += sum(
            1 for o in options for group in self.soft.get(o, ()) if not group & chosen
        )
        vector[self.incompatibility_level] += sum(
            1 for one in self.incompatibilities if all(group & chosen for group in one)
        )
        vector[self.validated_level] += not self.proven(options)
        return tuple(vector)

    def proven(self, picked: Iterable[int]) -> bool:
        """Whether a choice is one that was validated, or nothing was."""
        chosen = mask(frozenset(picked))
        return not self.validated or any(all(group & chosen for group in groups) for groups in self.validated)

    def holds(self, picked: Iterable[int]) -> bool:
        """Whether a choice, one option per slot, breaks no rule."""
        options = tuple(picked)
        chosen = _bits(options)
        return (
            all(group & chosen for group in self.hard)
            and all(group & chosen for o in options for group in self.needs.get(o, ()))
            and not any(all(group & chosen for group in one) for one in self.forbidden)
        )


def _bits(options: Iterable[int]) -> Mask:
    bits = 0
    for option in options:
        bits |= 1 << option
    return bits


class Engine(Protocol):
    """Finds a cheapest choice, or shows that there is none."""

    def solve(self, problem: Problem) -> tuple[int, ...] | None: ...


def make_problem(
    rows: Rows, objectives: Sequence[Objective], *, user_constraints: Iterable[int] | None = None
) -> Problem:
    """The problem of a graph: levels are the terms in order, then one tie-break level per slot.

    `user_constraints` picks which of them must hold; None means all of them.
    """
    kept = range(len(rows.user_constraints)) if user_constraints is None else user_constraints
    needs: Mapping[int, tuple[Mask, ...]] = rows.tables.needs
    if rows.own:
        merged = dict(needs)
        for link in rows.own:
            merged[link.option] = (*merged.get(link.option, ()), mask(link.members))
        needs = merged
    names = _slot_order(rows)
    return Problem(
        slots=tuple(rows.slots[slot] for slot in names),
        needs=needs,
        hard=tuple({mask(group): None for i in kept for group in rows.user_constraints[i].groups}),
        forbidden=tuple(tuple(mask(group) for group in groups) for groups in rows.nogoods),
        soft=rows.tables.soft,
        incompatibilities=tuple(
            tuple(mask(group) for group in one.groups)
            for one in rows.incompatibilities
            if not one.breakage.cured
        ),
        levels=(
            *(rows.weights(objective) for objective in objectives),
            *(rows.tables.places[slot] for slot in names),
        ),
        masks=tuple(rows.masks(objective) for objective in objectives),
        soft_level=list(objectives).index(Objective.DECLARED),
        incompatibility_level=list(objectives).index(Objective.BROKEN),
        validated=tuple(tuple(mask(group) for group in one.groups) for one in rows.validated),
        validated_level=list(objectives).index(Objective.VALIDATED),
    )


def _slot_order(rows: Rows) -> list[str]:
    """Frameworks, then what serves them, then torch, toolchain and Python: the order of tie-breaks."""
    last = ("mmcv", "mmengine", "torch", "toolchain", "python")
    frameworks = sorted(
        (s for s in rows.slots if s not in last), key=lambda slot: (slot not in rows.roots, slot)
    )
    return [*frameworks, *(slot for slot in last if slot in rows.slots)]
