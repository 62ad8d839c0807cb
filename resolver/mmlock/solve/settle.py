"""Settles what is clear before clingo is asked, level by level, without changing the answer.

At each level the least that could be paid is tried: every slot keeps only its cheapest options. When that
leaves every need with a member, it stays, for no choice can pay less. When it does not, no choice pays so
little; where one slot alone pays at that level, the least it must pay is found by bisection. The first
level that several slots pay and that cannot be had at its least ends the work. What is left, usually one
option a slot, goes to clingo; if that has no solution after all, the whole problem does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mmlock.solve.instance import Instance, Mask
from mmlock.solve.reduce import supported


@dataclass(slots=True)
class _Work:
    instance: Instance
    alive: Mask
    slots: list[Mask]


def settle(instance: Instance) -> Instance | None:
    """A part of the problem that holds its cheapest choice, if that part has a choice at all.

    None when the problem has no choice.
    """
    slots = [_bits(slot) for slot in instance.slots]
    alive = supported(instance, slots=slots)
    if alive is None:
        return None
    work = _Work(instance=instance, alive=alive, slots=slots)
    for place, level in enumerate(instance.levels):
        own = [  # what is paid at this level besides the weights
            rule
            for rule, at, any_ in (
                (_keep_preferences, instance.prefer_level, instance.prefers),
                (_forbid_breaches, instance.breach_level, instance.breaches),
            )
            if at == place and any_
        ]
        # Two kinds of payment at one level can be traded for each other: not clear, then.
        if len(own) + bool(any(level.values())) > 1:
            break
        if not all(rule(work) for rule in own) or not _least(work, level):
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
    work.instance, work.alive = strict, alive
    return True


def _forbid_breaches(work: _Work) -> bool:
    """Forbid every breach; what only one group brings about is taken out at once."""
    alone = 0
    for groups in work.instance.breaches:
        if len(groups) == 1:
            alone |= groups[0]
    alive = supported(work.instance, work.alive & ~alone, work.slots)
    if alive is None:
        return False
    work.alive = alive
    several = tuple(groups for groups in work.instance.breaches if len(groups) > 1)
    work.instance = replace(work.instance, breaches=(), forbidden=(*work.instance.forbidden, *several))
    return True


def _least(work: _Work, level: Mapping[int, int]) -> bool:
    """Keep what pays least at a level; False when that least is not known."""
    paying = []
    for slot in work.slots:
        weights = _by_weight(level, slot & work.alive)
        if len(weights) > 1:
            paying.append((slot, weights))
    if not paying:
        return True
    cheap = work.alive
    for slot, weights in paying:
        cheap &= ~slot | weights[min(weights)]
    alive = supported(work.instance, cheap, work.slots)
    if alive is None:
        if len(paying) > 1:
            return False
        alive = _bisect(work, *paying[0])
    work.alive = alive
    return True


def _by_weight(level: Mapping[int, int], options: Mask) -> dict[int, Mask]:
    """Weight -> the options that pay it."""
    found: dict[int, Mask] = {}
    rest = options
    while rest:
        bit = rest & -rest
        weight = level.get(bit.bit_length() - 1, 0)
        found[weight] = found.get(weight, 0) | bit
        rest ^= bit
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
        alive = supported(work.instance, work.alive & (~slot | allowed), work.slots)
        if alive is None:
            low = middle
        else:
            high, best = middle, alive
    # All that is cheaper was shown impossible.
    only = supported(work.instance, best & (~slot | weights[order[high]]), work.slots)
    return best if only is None else only
