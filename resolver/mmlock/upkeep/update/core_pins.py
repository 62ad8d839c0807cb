"""Locks whose core a person does not want moved: only what follows it may move. Pure.

Closing the pull request of a new torch ignores that torch. The releases of ordinary packages must not wait
for it for good, so these are solved with the core that is committed.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from mmlock.core.catalogue import Pair
from mmlock.core.requirements import Asked, parse_requirement
from mmlock.lock.model import LockedEnv
from mmlock.lock.view import chosen
from mmlock.upkeep.update.causes import Knob
from mmlock.upkeep.update.moves import Move
from mmlock.upkeep.update.plan import Fate, Outcome

__all__ = ["follows_only", "held_by", "with_core_of"]

_REFUSED = frozenset({Fate.IGNORED, Fate.POLICY})
_ORIGIN = "the committed lock"


def held_by(outcomes: Iterable[Outcome]) -> frozenset[str]:
    """The locks that facts would move, and that a person or the policy does not want moved like that."""
    return frozenset(
        pair
        for one in outcomes
        if one.fate in _REFUSED and one.proposal.cause.knob is Knob.FACTS
        for pair in one.proposal.pairs
    )


def with_core_of(pair: Pair, env: LockedEnv) -> Pair:
    """The pair, bound to what the facts decided in a lock of it."""
    pins = (parse_requirement(f"{one.name}=={one.version}", _ORIGIN, constraint=True) for one in chosen(env))
    bound = (*pair.request.constraints, *(one for one in pins if isinstance(one, Asked)))
    request = replace(pair.request, constraints=bound, python=env.python)
    return replace(pair, request=request)


def follows_only(move: Move) -> bool:
    """Whether nothing moves that the facts decide."""
    return move.old is not None and _core(move.old) == _core(move.new)


def _core(env: LockedEnv) -> frozenset[tuple[str, str]]:
    return frozenset((str(one.name), one.version) for one in chosen(env))
