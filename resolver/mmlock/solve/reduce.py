"""Makes a problem smaller without changing its answer.

Two steps, each exact. *Support*: an option that needs a group with no member left cannot be picked.
*Dominance*: of two options of a slot that stand in the same groups and need the same ones, the one
that is nowhere cheaper and comes later is never picked by the cheapest choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mmlock.graph.rows import Group
from mmlock.solve.instance import Instance


def reduce(instance: Instance) -> Instance | None:
    """The same problem over fewer options; None when a slot or a must has nothing left."""
    alive = supported(instance)
    if alive is None:
        return None
    narrowed = _restrict(instance, alive)
    kept = _undominated(narrowed)
    return narrowed if len(kept) == len(alive) else _restrict(narrowed, kept)


def supported(instance: Instance) -> frozenset[int] | None:
    """Options that can still be picked when every need must have a member left."""
    domains = [set(slot) for slot in instance.slots]
    slot_of = {option: place for place, slot in enumerate(instance.slots) for option in slot}
    for group in instance.musts:
        places = {slot_of[o] for o in group if o in slot_of}
        if len(places) == 1:
            domains[places.pop()] &= group
        elif not places:
            return None
    alive = set().union(*domains)
    changed = True
    while changed:
        if not all(domains):
            return None
        empty: dict[Group, bool] = {}
        gone = set()
        for option in alive:
            for group in instance.needs.get(option, ()):
                lost = empty.get(group)
                if lost is None:
                    lost = empty[group] = alive.isdisjoint(group)
                if lost:
                    gone.add(option)
                    break
        changed = bool(gone)
        alive -= gone
        for option in gone:
            domains[slot_of[option]].discard(option)
    return frozenset(alive)


def _restrict(instance: Instance, alive: frozenset[int]) -> Instance:
    cut: dict[Group, Group] = {}

    def narrow(group: Group) -> Group:
        found = cut.get(group)
        if found is None:
            found = cut[group] = group & alive
        return found

    whole = [frozenset(slot) & alive for slot in instance.slots]

    def useful(groups: tuple[Group, ...]) -> tuple[Group, ...]:
        """Groups that still say something: a group holding a whole slot is always met."""
        small = dict.fromkeys(narrow(group) for group in groups)
        return tuple(group for group in small if not any(slot <= group for slot in whole))

    def table(source: Mapping[int, tuple[Group, ...]]) -> dict[int, tuple[Group, ...]]:
        pairs = ((option, useful(groups)) for option, groups in source.items() if option in alive)
        return {option: groups for option, groups in pairs if groups}

    breaches = (tuple(narrow(group) for group in breach) for breach in instance.breaches)
    return replace(
        instance,
        slots=tuple(tuple(o for o in slot if o in alive) for slot in instance.slots),
        needs=table(instance.needs),
        prefers=table(instance.prefers),
        musts=useful(instance.musts),
        nogoods=tuple(nogood for nogood in instance.nogoods if nogood <= alive),
        breaches=tuple(breach for breach in breaches if all(breach)),
        levels=tuple({o: w for o, w in level.items() if o in alive} for level in instance.levels),
    )


def _undominated(instance: Instance) -> frozenset[int]:
    member_of: dict[int, list[int]] = {}
    groups: dict[Group, int] = {}
    for group in _all_groups(instance):
        if group not in groups:
            groups[group] = len(groups)
            for option in group:
                member_of.setdefault(option, []).append(groups[group])
    kept: set[int] = set()
    for slot in instance.slots:
        best: dict[object, list[tuple[int, ...]]] = {}
        for option in slot:  # best first: only an earlier one can dominate
            key = (
                frozenset(member_of.get(option, ())),
                frozenset(instance.needs.get(option, ())),
                frozenset(instance.prefers.get(option, ())),
            )
            cost = tuple(level.get(option, 0) for level in instance.levels)
            rivals = best.setdefault(key, [])
            if not any(all(a <= b for a, b in zip(rival, cost, strict=True)) for rival in rivals):
                rivals.append(cost)
                kept.add(option)
    return frozenset(kept)


def _all_groups(instance: Instance) -> list[Group]:
    return [
        *(group for table in instance.needs.values() for group in table),
        *(group for table in instance.prefers.values() for group in table),
        *(group for breach in instance.breaches for group in breach),
        *instance.musts,
        *instance.nogoods,
    ]
