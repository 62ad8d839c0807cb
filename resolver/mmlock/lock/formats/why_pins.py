"""What became of the versions that a project writes down: a table of `why.md`, a line of the summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mmlock.lock.model import PIN_KINDS, FindingKind, LockedEnv

__all__ = ["pins_line", "pins_rows"]

_ROLES = {
    FindingKind.PIN_BINDS: "binds",
    FindingKind.PIN_BOUNDS: "bounds",
    FindingKind.PIN_ADVISES: "advises",
    FindingKind.PIN_GUESSED: "guessed",
    FindingKind.PIN_LEFT_OUT: "left out",
}


def pins_line(env: LockedEnv) -> Iterator[str]:
    """How many pins do what; nothing without a project."""
    counts = Counter(finding.kind for finding in env.findings if finding.kind in PIN_KINDS)
    if counts:
        told = ", ".join(f"{counts[kind]} {role}" for kind, role in _ROLES.items() if counts[kind])
        yield f"note: versions in the project: {told} (each in `why.md`)"


def pins_rows(env: LockedEnv) -> list[tuple[str, str, str, str]]:
    """Pin, what it does, where it is written, why; those that bind first."""
    order = list(_ROLES)
    found = [finding for finding in env.findings if finding.kind in PIN_KINDS]
    found.sort(key=lambda one: (order.index(one.kind), one.subject, one.detail or ""))
    return [(one.detail or "", _ROLES[one.kind], one.subject, one.text) for one in found]
