"""Known vulnerabilities of locked versions: what PyPI says, and what a move closes and leaves. Pure.

Source: https://docs.pypi.org/api/json/ (`vulnerabilities`, from https://osv.dev).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mmlock.lock.model import LockedEnv
from mmlock.upkeep.update.causes import Cause, CauseKind
from mmlock.upkeep.update.moves import Move
from mmlock.upkeep.update.view import AdvisoryLine, LockView

__all__ = ["Lookup", "led_by_security", "parse_advisories", "with_advisories"]

Lookup = Callable[[str, str], tuple[AdvisoryLine, ...] | None]
"""Package and version → its vulnerabilities; None: no index answered."""


class _Vulnerability(Struct, frozen=True):
    id: str
    aliases: tuple[str, ...] = ()
    fixed_in: tuple[str, ...] | None = ()
    link: str | None = None
    withdrawn: Any = None


class _Release(Struct, frozen=True):
    vulnerabilities: tuple[_Vulnerability, ...] | None = None


def parse_advisories(data: bytes, package: str, version: str) -> tuple[AdvisoryLine, ...] | None:
    """The vulnerabilities in the JSON of a release; None where it tells none, or is no such page."""
    try:
        found = msgspec.json.decode(data, type=_Release).vulnerabilities
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if found is None:
        return None
    return tuple(
        AdvisoryLine(
            id=_best_name(one),
            package=package,
            version=version,
            fixed_in=one.fixed_in or (),
            url=one.link or "",
        )
        for one in found
        if one.withdrawn is None
    )


def _best_name(one: _Vulnerability) -> str:
    """The name that people know it by."""
    return next((alias for alias in one.aliases if alias.startswith("CVE-")), one.id)


def led_by_security(moves: Iterable[Move], lookup: Lookup) -> Iterator[Move]:
    """The moves; where ordinary packages alone move and that closes a vulnerability, that is the cause."""
    for move in moves:
        package = None
        if move.cause.kind is CauseKind.PACKAGES and move.diff is not None:
            package = next(
                (
                    change.name
                    for change in move.diff.packages
                    if change.old and change.new and _closes(change.name, change.old, change.new, lookup)
                ),
                None,
            )
        if package is None:
            yield move
        else:
            cause = Cause(kind=CauseKind.SECURITY, knob=move.cause.knob, name=package)
            yield replace(move, cause=cause)


def _closes(package: str, old: str, new: str, lookup: Lookup) -> bool:
    before, after = lookup(package, _public(old)), lookup(package, _public(new))
    if before is None or after is None:
        return False
    return bool({one.id for one in before} - {one.id for one in after})


def with_advisories(seen: LockView, old: LockedEnv | None, new: LockedEnv, lookup: Lookup) -> LockView:
    """The view with what is closed and left; versions that no index answered about are counted."""
    before, _ = _of(old, lookup) if old is not None else ((), 0)
    after, unread = _of(new, lookup)
    left = {(one.package, one.id) for one in after}
    count = len(_versions(new))
    return replace(
        seen,
        closed=tuple(one for one in before if (one.package, one.id) not in left),
        left=after,
        advisories_read=unread < count,
        unread=unread,
    )


def _of(env: LockedEnv, lookup: Lookup) -> tuple[tuple[AdvisoryLine, ...], int]:
    found: list[AdvisoryLine] = []
    unread = 0
    for package, version in _versions(env):
        known = lookup(package, version)
        if known is None:
            unread += 1
        else:
            found += known
    return tuple(found), unread


def _versions(env: LockedEnv) -> tuple[tuple[str, str], ...]:
    rows = [*((p.name, p.version) for p in env.packages), *((s.package, s.version) for s in env.steps)]
    return tuple(sorted({(str(name), _public(version)) for name, version in rows}))


def _public(version: str) -> str:
    return version.partition("+")[0]
