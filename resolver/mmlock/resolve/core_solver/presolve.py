"""Settles what is clear before clingo is asked, level by level, without changing the answer.

At each level the least that could be paid is tried: every slot keeps only its cheapest options. When that
leaves every need with a member, it stays, for no choice can pay less. When it does not, no choice pays so
little; where one slot alone pays at that level, the least it must pay is found by bisection. The first
level that several slots pay and that cannot be had at its least ends the work. What is left, usually one
option a slot, goes to clingo; if that has no solution after all, the whole problem does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mmlock.resolve.core_solver.problem import Instance, Mask
from mmlock.resolve.core_solver.propagate import supported
from mmlock.resolve.graph.rows import by_weight


class _Work(Struct):
    instance: Instance
    alive: Mask
    slots: list[Mask]
    needy: list[int]

    def trial(self, among: Mask) -> Mask | None:
        """What is left when only these options are."""
        return supported(self.instance, among, self.slots, self.needy)

    def keep(self, alive: Mask) -> None:
        """Go on with these options."""
        if alive != self.alive:
            self.alive = alive
            self.needy = [option for option in self.needy if alive >> option & 1]


def settle(instance: Instance) -> Instance | None:
    """A part of the problem that holds its cheapest choice, if that part has a choice at all.

    None when the problem has no choice.
    """
    slots = [_bits(slot) for slot in instance.slots]
    alive = supported(instance, slots=slots)
    if alive is None:
        return None
    needy = [option for option in instance.needs if alive >> option & 1]
    work = _Work(instance=instance, alive=alive, slots=slots, needy=needy)
    for place, level in enumerate(instance.levels):
        own = [  # what is paid at this level besides the weights
            rule
            for rule, at, any_ in (
                (_keep_preferences, instance.prefer_level, instance.prefers),
                (_forbid_breaches, instance.breach_level, instance.breaches),
            )
            if at == place and any_
        ]
        masks = instance.masks[place] if place < len(instance.masks) else by_weight(level)
        # Two kinds of payment at one level can be traded for each other: not clear, then.
        if len(own) + bool(masks) > 1:
            break
        if not all(rule(work) for rule in own) or not _least(work, masks):
            break
    return replace(
        work.instance,
        slots=tuple(tuple(o for o in slot if work.alive >> o & 1) for slot in instance.slots),
    )


def _bits(options: Sequence[int]) -> Mask:
    bits = 0
    for option in options:
        bits |= 1 << option
    return bits


def _keep_preferences(work: _Work) -> bool:
    """Make every preference a need, if that leaves something."""
    needs = dict(work.instance.needs)
    for option, groups in work.instance.prefers.items():
        needs[option] = (*needs.get(option, ()), *groups)
    strict = replace(work.instance, needs=needs, prefers={})
    alive = supported(strict, work.alive, work.slots)
    if alive is None:
        return False
    work.instance = strict
    work.needy = [option for option in needs if work.alive >> option & 1]
    work.keep(alive)
    return True


def _forbid_breaches(work: _Work) -> bool:
    """Forbid every breach; what only one group brings about is taken out at once."""
    alone = 0
    for groups in work.instance.breaches:
        if len(groups) == 1:
            alone |= groups[0]
    alive = work.trial(work.alive & ~alone)
    if alive is None:
        return False
    work.keep(alive)
    several = tuple(groups for groups in work.instance.breaches if len(groups) > 1)
    work.instance = replace(work.instance, breaches=(), forbidden=(*work.instance.forbidden, *several))
    return True


def _least(work: _Work, masks: Mapping[int, Mask]) -> bool:
    """Keep what pays least at a level; False when that least is not known."""
    paying = []
    for slot in work.slots:
        weights = _weights(masks, slot & work.alive)
        if len(weights) > 1:
            paying.append((slot, weights))
    if not paying:
        return True
    cheap = work.alive
    for slot, weights in paying:
        cheap &= ~slot | weights[min(weights)]
    alive = work.trial(cheap)
    if alive is None:
        if len(paying) > 1:
            return False
        alive = _bisect(work, *paying[0])
    work.keep(alive)
    return True


def _weights(masks: Mapping[int, Mask], options: Mask) -> dict[int, Mask]:
    """Weight -> which of these options pay it."""
    found = {}
    free = options
    for weight, mask in masks.items():
        paying = mask & options
        if paying:
            found[weight] = paying
            free &= ~paying
    if free:
        found[0] = free
    return found


def _bisect(work: _Work, slot: Mask, weights: Mapping[int, Mask]) -> Mask:
    """The least that one slot must pay: with all its options something is left, with the cheapest nothing."""
    order = sorted(weights)
    low, high = 0, len(order) - 1
    best = work.alive
    while high - low > 1:
        middle = (low + high) // 2
        allowed = 0
        for weight in order[: middle + 1]:
            allowed |= weights[weight]
        alive = work.trial(work.alive & (~slot | allowed))
        if alive is None:
            low = middle
        else:
            high, best = middle, alive
    # All that is cheaper was shown impossible.
    only = work.trial(best & (~slot | weights[order[high]]))
    return best if only is None else only
