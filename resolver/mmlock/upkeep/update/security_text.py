"""Known vulnerabilities in a description: what it closes first, what it leaves folded. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from mmlock.core.versions import InvalidVersion, version
from mmlock.upkeep.update.markdown import code, cut, link, text
from mmlock.upkeep.update.view import AdvisoryLine, LockView

__all__ = ["security"]

_Version = tuple[str, list[AdvisoryLine]]
"""`torch 2.1.2`, and what is known of it."""
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
    closed = _by_version(one for lock in locks for one in lock.closed)
    left = _by_version(one for lock in locks for one in lock.left)
    unread = max(lock.unread for lock in locks)
    more = f" For up to {unread} versions in a lock neither the index nor the facts say." if unread else ""
    yield f"Known vulnerabilities: {_count(closed)} closed, {_count(left)} left.{more}"
    yield ""
    lines = (f"- closes {len(rows)} of {code(held)}: {_links(rows, most)}" for held, rows in closed)
    yield from cut(lines, len(closed), most)
    if closed:
        yield ""
    if left:
        yield from _left(left, most)


def _left(versions: Sequence[_Version], most: int) -> Iterator[str]:
    """Folded: they are no news, and an old torch has dozens."""
    names = ", ".join(held for held, _ in versions[:_NAMED])
    more = f" and {len(versions) - _NAMED} more" if len(versions) > _NAMED else ""
    yield f"<details><summary>{_count(versions)} left, in {text(names)}{more}</summary>"
    yield ""
    lines = (f"- {code(held)}, {_mended(rows)}: {_links(rows, most)}" for held, rows in versions)
    yield from cut(lines, len(versions), most)
    yield ""
    yield "</details>"
    yield ""


def _by_version(found: Iterable[AdvisoryLine]) -> list[_Version]:
    """Each once, by package and version."""
    ordered = sorted(set(found), key=lambda one: (one.package, one.version, one.id))
    return [
        (f"{package} {held}", [*rows])
        for (package, held), rows in groupby(ordered, key=lambda one: (one.package, one.version))
    ]


def _count(versions: Sequence[_Version]) -> int:
    return sum(len(rows) for _, rows in versions)


def _links(rows: Sequence[AdvisoryLine], most: int) -> str:
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return f"{', '.join(link(one.id, one.url) for one in rows[:most])}{more}"


def _mended(rows: Sequence[AdvisoryLine]) -> str:
    """The first release that mends all that can be mended, and how many nothing mends."""
    first = []
    for one in rows:
        try:
            first += [min(version(fixed) for fixed in one.fixed_in)] if one.fixed_in else []
        except InvalidVersion:
            return "see each for its fix"
    if not first:
        return "no fixed release is known"
    without = len(rows) - len(first)
    told = f"fixed in {code(str(max(first)))}"
    return f"{told} but for {without} without a known fix" if without else told
