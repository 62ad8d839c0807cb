"""Propagation: makes a problem smaller without changing its answer.

Two steps, each exact. *Support*: an option that needs a group with no member left cannot be picked.
*Dominance*: of two options of a slot that are in the same groups and need the same ones, the one
that is nowhere cheaper and comes later is never picked by the cheapest choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from mmlock.resolve.core_solver.problem import Mask, Problem


def propagate(problem: Problem) -> Problem | None:
    """The same problem over fewer options; None when a slot or a hard group has nothing left."""
    alive = supported(problem)
    if alive is None:
        return None
    narrowed = _restrict(problem, alive)
    kept = _undominated(narrowed)
    return narrowed if kept == alive else _restrict(narrowed, kept)


def supported(
    problem: Problem,
    among: Mask | None = None,
    slots: Sequence[Mask] | None = None,
    needy: Iterable[int] | None = None,
) -> Mask | None:
    """Options (of those `among`) that can still be picked when every need must have a member left.

    `slots` are the slots as masks and `needy` the options with needs, where the caller has them at hand.
    """
    slots = slots or [_mask(slot) for slot in problem.slots]
    alive = _start(problem, slots, among)
    if alive is None:
        return None
    needs = problem.needs
    open_ = [o for o in (needs if needy is None else needy) if alive >> o & 1]
    while all(slot & alive for slot in slots):
        kept = []
        gone = 0
        for option in open_:
            for group in needs[option]:
                if not group & alive:
                    gone |= 1 << option
                    break
            else:
                kept.append(option)
        gone |= _ruled_out(problem, slots, alive)
        if not gone:
            return alive
        alive &= ~gone
        open_ = kept
    return None


def _start(problem: Problem, slots: Sequence[Mask], among: Mask | None) -> Mask | None:
    """Options that the hard groups leave, as far as one slot alone can satisfy them."""
    alive = 0
    for slot in slots:
        alive |= slot
    if among is not None:
        alive &= among
    for group in problem.hard:
        touched = [slot for slot in slots if slot & group]
        if not touched:
            return None
        if len(touched) == 1:
            alive &= ~touched[0] | group
    return alive


def _ruled_out(problem: Problem, slots: Sequence[Mask], alive: Mask) -> Mask:
    """Options that would complete a forbidden combination, whose other groups hold all left of a slot."""
    gone = 0
    for one in problem.forbidden:
        loose = [group for group in one if not any(slot & alive & ~group == 0 for slot in slots)]
        if len(loose) == 1:
            gone |= loose[0] & alive
        elif not loose:
            return alive  # it happens whatever is picked
    return gone


def _mask(options: tuple[int, ...]) -> Mask:
    bits = 0
    for option in options:
        bits |= 1 << option
    return bits


def _restrict(problem: Problem, alive: Mask) -> Problem:
    slots = tuple(tuple(o for o in slot if alive >> o & 1) for slot in problem.slots)
    whole = [_mask(slot) for slot in slots]
    options = [o for slot in slots for o in slot]
    says: dict[Mask, Mask] = {}

    def useful(groups: tuple[Mask, ...]) -> tuple[Mask, ...]:
        """Groups that still say something: a group holding a whole slot is always met.

        Equal groups stay apart: each unmet preference is paid on its own.
        """
        cuts = []
        for group in groups:
            cut = says.get(group)
            if cut is None:
                narrow = group & alive
                always = any(slot & narrow == slot for slot in whole)
                cut = says[group] = -1 if always else narrow
            if cut != -1:
                cuts.append(cut)
        return tuple(cuts)

    def table(source: Mapping[int, tuple[Mask, ...]]) -> dict[int, tuple[Mask, ...]]:
        return {o: groups for o in options if o in source and (groups := useful(source[o]))}

    incompatibilities = (tuple(group & alive for group in one) for one in problem.incompatibilities)
    forbidden = (tuple(group & alive for group in one) for one in problem.forbidden)
    return replace(
        problem,
        slots=slots,
        needs=table(problem.needs),
        soft=table(problem.soft),
        hard=useful(problem.hard),
        incompatibilities=tuple(one for one in incompatibilities if all(one)),
        forbidden=tuple(one for one in forbidden if all(one)),
        levels=tuple({o: level[o] for o in options if o in level} for level in problem.levels),
    )


def _undominated(problem: Problem) -> Mask:
    member_of = dict.fromkeys((o for slot in problem.slots for o in slot), 0)
    for place, group in enumerate(dict.fromkeys(_all_groups(problem))):
        bit = 1 << place
        for option in member_of:
            if group >> option & 1:
                member_of[option] |= bit
    kept = 0
    for slot in problem.slots:
        best: dict[object, list[tuple[int, ...]]] = {}
        for option in slot:  # best first: only an earlier one can dominate
            key = (
                member_of[option],
                frozenset(problem.needs.get(option, ())),
                tuple(sorted(problem.soft.get(option, ()))),
            )
            cost = tuple(level.get(option, 0) for level in problem.levels)
            rivals = best.setdefault(key, [])
            if not any(all(a <= b for a, b in zip(rival, cost, strict=True)) for rival in rivals):
                rivals.append(cost)
                kept |= 1 << option
    return kept


def _all_groups(problem: Problem) -> list[Mask]:
    return [
        *(group for table in problem.needs.values() for group in table),
        *(group for table in problem.soft.values() for group in table),
        *(group for one in (*problem.incompatibilities, *problem.forbidden) for group in one),
        *problem.hard,
    ]
