"""What differs between two sweeps, and for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from mmlock.core.names import StrEnum
from mmlock.farm.sweep import Sweep, points
from mmlock.resolve.loop.grid import CellState
from mmlock.resolve.loop.sweep import PointAnswer

__all__ = ["Differences", "PlanChange", "Turn", "differences"]

_ORDER = {state: place for place, state in enumerate(CellState)}


class Turn(StrEnum):
    """Which way an answer went, best first."""

    BETTER = "better"
    OTHER = "other"  # as good as before, with other versions
    WORSE = "worse"


class PlanChange(Struct, frozen=True, kw_only=True):
    """Points of one stack whose answers changed in the same way."""

    turn: Turn
    stack: str
    before: PointAnswer
    after: PointAnswer
    gpus: tuple[str, ...]
    pythons: tuple[str, ...]
    torches: tuple[str, ...]
    points: int


class Differences(Struct, frozen=True, kw_only=True):
    """Two sweeps compared where both asked."""

    changes: tuple[PlanChange, ...]
    same: int
    only_old: int
    """Points that the new sweep did not ask for."""
    only_new: int


def differences(old: Sweep, new: Sweep) -> Differences:
    """What changed: better first, then by stack, then what concerns most points."""
    before = {point.place: point.answer for point in points(old)}
    after = {point.place: point.answer for point in points(new)}
    common = [place for place in after if place in before]
    moved: dict[tuple[str, PointAnswer, PointAnswer], list[tuple[str, str, str, str]]] = {}
    for place in common:
        if before[place] != after[place]:
            moved.setdefault((place[0], before[place], after[place]), []).append(place)
    changes = [
        PlanChange(
            turn=_turn(was, now),
            stack=stack,
            before=was,
            after=now,
            gpus=_column(places, 1),
            pythons=_column(places, 2),
            torches=_column(places, 3),
            points=len(places),
        )
        for (stack, was, now), places in moved.items()
    ]
    turns: Mapping[Turn, int] = {turn: place for place, turn in enumerate(Turn)}
    changes.sort(
        key=lambda one: (turns[one.turn], one.stack, -one.points, one.gpus, one.pythons, one.torches)
    )
    return Differences(
        changes=tuple(changes),
        same=len(common) - sum(one.points for one in changes),
        only_old=len(before) - len(common),
        only_new=len(after) - len(common),
    )


def _turn(before: PointAnswer, after: PointAnswer) -> Turn:
    was, now = _ORDER[before.state], _ORDER[after.state]
    if was == now:
        return Turn.OTHER
    return Turn.BETTER if now < was else Turn.WORSE


def _column(places: Iterable[tuple[str, str, str, str]], number: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place[number] for place in places))
