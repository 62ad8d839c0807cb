"""What a refresh and a comparison tell: lines for people, plain values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from mmlock.core.names import StrEnum
from mmlock.core.report import Page
from mmlock.facts.matrix.concerned import ConcernedLock
from mmlock.facts.matrix.diff import Change, as_data, lines, summary
from mmlock.facts.refresh.state import age
from mmlock.net.credentials import bare
from mmlock.net.http import Traffic

__all__ = ["IndexAge", "IndexOutcome", "diff_page", "page"]

_MOST = 5
"""Warnings and unread pages of one index that a person is shown; the JSON form has all."""


class IndexState(StrEnum):
    """How much of an index could be read."""

    READ = "read"
    PARTLY = "partly"
    OUTAGE = "outage"


class IndexOutcome(Struct, frozen=True, kw_only=True):
    """How one index fared."""

    name: str
    place: str
    read: int
    """Pages that were read, or what `unit` says."""
    stale: tuple[str, ...]
    warnings: tuple[str, ...]
    last: str | None
    """When its facts were last read, for what is stale."""
    requests: int
    received: int
    seconds: float
    unit: str = "pages"
    recorded: bool = True
    """Whether there were any facts of it before."""

    @property
    def state(self) -> IndexState:
        if not self.stale:
            return IndexState.READ
        return IndexState.PARTLY if self.read else IndexState.OUTAGE


class IndexAge(Struct, frozen=True, kw_only=True):
    """How old the facts of an index are."""

    last: str | None
    """When it was last read whole, or the newest day that its facts name; None: they name none."""
    recorded: bool
    """Whether there are any."""


def _age_lines(ages: Mapping[str, IndexAge]) -> Iterator[str]:
    told = [f"{name} {age(one.last) if one.recorded else 'not recorded'}" for name, one in ages.items()]
    yield f"facts by index: {', '.join(told)}"


def page(
    outcomes: Sequence[IndexOutcome],
    changes: Sequence[Change],
    touches: Sequence[ConcernedLock],
    *,
    refused: Sequence[str],
    written: Sequence[str],
    root: Path,
    dry_run: bool,
    traffic: Traffic,
    seconds: float,
    ages: Mapping[str, IndexAge],
) -> Page:
    """The report of a refresh. `ages`: of every index there is, read now or not."""
    text = [line for outcome in outcomes for line in _outcome_lines(outcome)]
    text += ["", *_age_lines(ages)]
    text += [f"refused, for it does not fit the other facts: {fault}" for fault in refused]
    text += ["", *_change_lines(changes, touches)]
    if dry_run:
        text.append("nothing was written (`--dry-run`)")
    elif changes:
        text.append(f"{len(written)} files written in {root}")
    megabytes = traffic.received / 1e6
    text.append(f"{traffic.requests} requests, {megabytes:.2f} MB, {seconds:.1f} s")
    data = {
        "indexes": [_outcome_data(outcome) for outcome in outcomes],
        "refused": list(refused),
        **_change_data(changes, touches),
        "ages": {name: {"last_read": one.last, "recorded": one.recorded} for name, one in ages.items()},
        "written": list(written),
        "dry_run": dry_run,
        "requests": traffic.requests,
        "received": traffic.received,
        "seconds": round(seconds, 3),
    }
    return Page(text="\n".join(text), data=data)


def diff_page(changes: Sequence[Change], touches: Sequence[ConcernedLock]) -> Page:
    """The report of a comparison."""
    return Page(text="\n".join(_change_lines(changes, touches)), data=_change_data(changes, touches))


def _outcome_lines(outcome: IndexOutcome) -> Iterator[str]:
    seconds = f"{outcome.requests} requests, {outcome.received / 1e6:.2f} MB, {outcome.seconds:.1f} s"
    if outcome.state is IndexState.OUTAGE:
        stay = f"its facts stay, {age(outcome.last)}" if outcome.recorded else "no facts of it are recorded"
        yield f"{outcome.name}: could not be read; {stay}"
    elif outcome.state is IndexState.PARTLY:
        count = len(outcome.stale)
        read = f"{outcome.read} {outcome.unit} read"
        yield f"{outcome.name}: {read}, {count} not; their facts stay, {age(outcome.last)}"
    else:
        yield f"{outcome.name}: {outcome.read} {outcome.unit} read ({seconds})"
    # Of a host that is down one line says all.
    yield from _some(outcome.stale, "not read", most=1 if outcome.state is IndexState.OUTAGE else _MOST)
    yield from _some(outcome.warnings, "warning")


def _some(texts: Sequence[str], label: str, *, most: int = _MOST) -> Iterator[str]:
    for text in texts[:most]:
        yield f"  {label}: {text}"
    if len(texts) > most:
        yield f"  {label}: and {len(texts) - most} more"


def _change_lines(changes: Sequence[Change], touches: Sequence[ConcernedLock]) -> Iterator[str]:
    yield summary(changes)
    yield from lines(changes)
    for touch in touches:
        if touch.facts:
            told = ", ".join(sorted({f"{one.path} {one.key}" for one in touch.facts})[:_MOST])
            yield f"touches lock {touch.lock}: {told}"
        if touch.newer:
            told = ", ".join(sorted({f"{one.package}" for one in touch.newer})[:_MOST])
            yield f"newer than lock {touch.lock} holds: {told}"


def _outcome_data(outcome: IndexOutcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "place": bare(outcome.place),
        "state": outcome.state,
        "pages": outcome.read,
        "stale": list(outcome.stale),
        "warnings": list(outcome.warnings),
        "last_read": outcome.last,
        "requests": outcome.requests,
        "received": outcome.received,
        "seconds": round(outcome.seconds, 3),
    }


def _change_data(changes: Sequence[Change], touches: Sequence[ConcernedLock]) -> dict[str, Any]:
    return {
        "changes": [as_data(change) for change in changes],
        "locks": [
            {
                "lock": touch.lock,
                "touched": [as_data(change) for change in touch.facts],
                "newer": [as_data(change) for change in touch.newer],
            }
            for touch in touches
        ],
    }
