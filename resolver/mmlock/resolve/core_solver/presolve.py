"""Settles what is clear before clingo runs, level by level, without changing the answer.

At each level the least that could be paid is tried: every slot keeps only its cheapest options. When that
leaves every need with a member, it stays, for no choice can pay less. When it does not, no choice pays so
little; where one slot alone pays at that level, the least it must pay is found by bisection. The first
level that several slots pay and that cannot be at its least ends the work. What is left, usually one
option a slot, goes to clingo; if that has no solution after all, the whole problem does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mmlock.resolve.core_solver.problem import Mask, Problem
from mmlock.resolve.core_solver.propagate import supported
from mmlock.resolve.graph.rows import by_weight


class _Work(Struct):
    problem: Problem
    alive: Mask
    slots: list[Mask]
    needy: list[int]

    def trial(self, among: Mask) -> Mask | None:
        """What is left when only these options are."""
        return supported(self.problem, among, self.slots, self.needy)

    def keep(self, alive: Mask) -> None:
        """Go on with these options."""
        if alive != self.alive:
            self.alive = alive
            self.needy = [option for option in self.needy if alive >> option & 1]


def presolve(problem: Problem) -> Problem | None:
    """A part of the problem that holds its cheapest choice, if that part has a choice at all.

    None when the problem has no choice.
    """
    slots = [_bits(slot) for slot in problem.slots]
    alive = supported(problem, slots=slots)
    if alive is None:
        return None
    needy = [option for option in problem.needs if alive >> option & 1]
    work = _Work(problem=problem, alive=alive, slots=slots, needy=needy)
    for place, level in enumerate(problem.levels):
        own = [  # what is paid at this level besides the weights
            rule
            for rule, at, any_ in (
                (_keep_soft, problem.soft_level, problem.soft),
                (_forbid_incompatibilities, problem.incompatibility_level, problem.incompatibilities),
            )
            if at == place and any_
        ]
        masks = problem.masks[place] if place < len(problem.masks) else by_weight(level)
        # Two kinds of payment at one level can be traded for each other: not clear, then.
        if len(own) + bool(masks) > 1:
            break
        if not all(rule(work) for rule in own) or not _least(work, masks):
            break
    return replace(
        work.problem,
        slots=tuple(tuple(o for o in slot if work.alive >> o & 1) for slot in problem.slots),
    )


def _bits(options: Sequence[int]) -> Mask:
    bits = 0
    for option in options:
        bits |= 1 << option
    return bits


def _keep_soft(work: _Work) -> bool:
    """Make every preference a need, if that leaves something."""
    needs = dict(work.problem.needs)
    for option, groups in work.problem.soft.items():
        needs[option] = (*needs.get(option, ()), *groups)
    strict = replace(work.problem, needs=needs, soft={})
    alive = supported(strict, work.alive, work.slots)
    if alive is None:
        return False
    work.problem = strict
    work.needy = [option for option in needs if work.alive >> option & 1]
    work.keep(alive)
    return True


def _forbid_incompatibilities(work: _Work) -> bool:
    """Forbid every incompatibility; what only one group brings about is taken out at once."""
    alone = 0
    for groups in work.problem.incompatibilities:
        if len(groups) == 1:
            alone |= groups[0]
    alive = work.trial(work.alive & ~alone)
    if alive is None:
        return False
    work.keep(alive)
    several = tuple(groups for groups in work.problem.incompatibilities if len(groups) > 1)
    work.problem = replace(work.problem, incompatibilities=(), forbidden=(*work.problem.forbidden, *several))
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
    by_weight = {}
    free = options
    for weight, mask in masks.items():
        paying = mask & options
        if paying:
            by_weight[weight] = paying
            free &= ~paying
    if free:
        by_weight[0] = free
    return by_weight


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
