"""Faults of a request, collected so that all of them are shown at once."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from mmlock.core.errors import UsageError


class Fault(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a request, and where it is."""

    where: str
    """`requirements.txt:3`, `--python`."""
    text: str
    """What is wrong, as a clause that can follow the place."""
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def usage_error(faults: Iterable[Fault]) -> UsageError:
    """The error that tells all faults: one as its message, several as its causes."""
    found = tuple(dict.fromkeys(faults))
    if len(found) == 1:
        return UsageError(str(found[0]), hints=[fault.hint for fault in found if fault.hint])
    placed: dict[str, list[str]] = {}
    for fault in found:
        if fault.hint:
            placed.setdefault(fault.hint, []).append(fault.where)
    hints = [f"{', '.join(dict.fromkeys(places))}: {hint}" for hint, places in placed.items()]
    message = f"the request has {len(found)} faults"
    return UsageError(message, causes=[str(fault) for fault in found], hints=hints)
