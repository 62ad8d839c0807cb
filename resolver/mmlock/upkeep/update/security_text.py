"""Known vulnerabilities in a description: what it closes first, what it leaves folded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from mmlock.core.versions import InvalidVersion, version
from mmlock.upkeep.update.markdown import code, cut, link
from mmlock.upkeep.update.view import AdvisoryLine, LockView

__all__ = ["security"]

_NAMED = 3
"""Packages that are named where the list is folded."""


def security(locks: Sequence[LockView], most: int) -> Iterator[str]:
    """What is closed, line by line; what is left, a line for each version."""
    if not locks:
        return
    if not any(lock.advisories_read for lock in locks):
        yield "Known vulnerabilities: *not looked up*."
        yield ""
        return
    closed = tuple(dict.fromkeys(one for lock in locks for one in lock.closed))
    left = sorted({one for lock in locks for one in lock.left}, key=lambda one: (*_place(one), one.id))
    unread = max(lock.unread for lock in locks)
    more = f" Of up to {unread} versions in a lock neither the index nor the facts tell." if unread else ""
    yield f"Known vulnerabilities: {len(closed)} closed, {len(left)} left.{more}"
    yield from cut((f"- closes {_closed(one)}" for one in closed), len(closed), most)
    yield ""
    if left:
        yield from _left([(place, [*rows]) for place, rows in groupby(left, key=_place)], len(left), most)


def _left(
    versions: Sequence[tuple[tuple[str, str], list[AdvisoryLine]]], count: int, most: int
) -> Iterator[str]:
    """Folded: they are no news, and an old torch has dozens."""
    names = ", ".join(f"{package} {held}" for (package, held), _ in versions[:_NAMED])
    more = f" and {len(versions) - _NAMED} more" if len(versions) > _NAMED else ""
    yield f"<details><summary>{count} left, in {names}{more}</summary>"
    yield ""
    lines = (
        f"- {code(f'{package} {held}')}, {_mended(rows)}: "
        + ", ".join(link(one.id, one.url) for one in rows[:most])
        for (package, held), rows in versions
    )
    yield from cut(lines, len(versions), most)
    yield ""
    yield "</details>"
    yield ""


def _place(one: AdvisoryLine) -> tuple[str, str]:
    return one.package, one.version


def _closed(one: AdvisoryLine) -> str:
    fixed = f"; fixed in {', '.join(code(text) for text in one.fixed_in)}" if one.fixed_in else ""
    return f"{link(one.id, one.url)} of {code(f'{one.package} {one.version}')}{fixed}"


def _mended(rows: Sequence[AdvisoryLine]) -> str:
    """The first release that mends all that can be mended, and how many nothing mends."""
    first = []
    for one in rows:
        try:
            first += [min(version(text) for text in one.fixed_in)] if one.fixed_in else []
        except InvalidVersion:
            return "see each for its fix"
    if not first:
        return "no fixed release is known"
    without = len(rows) - len(first)
    told = f"fixed in {code(str(max(first)))}"
    return f"{told} but for {without} without a known fix" if without else told
