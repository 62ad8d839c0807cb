"""The dashboard: everything that an update found, in one issue whose boxes people tick. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from mmlock.upkeep.forges.model import Pull
from mmlock.upkeep.update.markdown import code, link, text
from mmlock.upkeep.update.memory import RunMemory, with_memory
from mmlock.upkeep.update.plan import Fate, Outcome
from mmlock.upkeep.update.policy import Policy
from mmlock.upkeep.update.state import tickbox

__all__ = ["LABEL", "TITLE", "DashboardText", "Numbered", "dashboard", "fate_text"]

LABEL = "mmlock: dashboard"
TITLE = "mmlock dashboard"


class Numbered(Struct, frozen=True, kw_only=True):
    """Where a pull request can be looked at."""

    number: int
    url: str = ""


class DashboardText(Struct, frozen=True, kw_only=True):
    """What a run found."""

    outcomes: tuple[Outcome, ...]
    numbers: Mapping[str, Numbered]
    """By branch: those that are open now."""
    left: tuple[Pull, ...] = ()
    waiting: tuple[str, ...] = ()
    """Locks for which later releases of ordinary packages wait until another move is in."""
    refused: tuple[tuple[str, str, bool], ...] = ()
    """Pairs without a solution: pair, reason, and whether a lock of former facts is committed."""
    failed: tuple[tuple[str, str], ...] = ()
    """Pairs that could not be solved: pair, and the error."""
    indexes: tuple[str, ...] = ()
    """Indexes that could not be read."""
    pairs: int = 0


def fate_text(fate: Fate, policy: Policy, *, held_back: str | None = None) -> str:
    """Why a proposal is where it is; Markdown."""
    return {
        Fate.OPEN: "open",
        Fate.UPDATE: "open",
        Fate.KEEP: "open",
        Fate.EDITED: "somebody else pushed to the branch: left alone",
        Fate.IGNORED: "closed by a person: ignored",
        Fate.SCHEDULE: f"waits for its schedule: {', '.join(code(one) for one in policy.schedule)}",
        Fate.LIMIT_OPEN: f"waits: {policy.limit_open} pull requests may be open at once",
        Fate.LIMIT_HOUR: f"waits: {policy.limit_hour} pull requests may be opened within an hour",
        Fate.TAKEN: "waits: a lock of it is in another open pull request",
        Fate.POLICY: f"not proposed: {text(held_back or '')}",
    }[fate]


def dashboard(found: DashboardText, policy: Policy, limit: int, memory: RunMemory | None = None) -> str:
    """The Markdown, of at most `limit` characters; longer lists are cut where it says so.

    `memory`: for the next run, hidden; it is left out where there is no room.
    """
    for most in (500, 100, 30, 10, 3):
        written = "\n".join(_lines(found, policy, most)).rstrip() + "\n"
        whole = written if memory is None else with_memory(written, memory)
        for text_ in (whole, written):
            if len(text_) <= limit:
                return text_
    return f"{_HEAD}\n\n*The lists are too long for the forge; run `mmlock update --dry-run` to read them.*\n"


_HEAD = "What `mmlock update` found in the locks of this repository. Tick a box, and the next run does it."


def _lines(found: DashboardText, policy: Policy, most: int) -> Iterator[str]:
    yield _HEAD
    yield ""
    held = {fate: [one for one in found.outcomes if one.fate is fate] for fate in Fate}
    here = [*held[Fate.UPDATE], *held[Fate.KEEP], *held[Fate.OPEN]]
    late = [one for one in (*held[Fate.SCHEDULE], *held[Fate.TAKEN]) if one.pull is not None]
    opened = sorted([*here, *late], key=lambda one: one.proposal.branch)
    yield from _section("Open", [_open(one, found) for one in opened], most)
    if len(opened) > 1:
        yield tickbox("rebase-all", "", "**Make all branches again**")
        yield ""
    waiting = [one for fate in (Fate.SCHEDULE, Fate.LIMIT_OPEN, Fate.LIMIT_HOUR) for one in held[fate]]
    waiting = [one for one in waiting if one.pull is None]
    lines = [
        tickbox("open", one.proposal.branch, f"{_what(one)}: {fate_text(one.fate, policy)}")
        for one in waiting
    ]
    lines += [  # no tick can hurry these
        f"- {_what(one)}: {fate_text(one.fate, policy)}" for one in held[Fate.TAKEN] if one.pull is None
    ]
    lines += _later(found)
    yield from _section("Pending", lines, most)
    edited = [
        tickbox("rebase", one.proposal.branch, f"{_open_name(one, found)}: {fate_text(one.fate, policy)}")
        for one in held[Fate.EDITED]
    ]
    edited += [f"- {link(f'#{pull.number}', pull.url)} {text(pull.title)}: left alone" for pull in found.left]
    yield from _section("Edited or left alone", edited, most)
    ignored = [
        tickbox("recreate", one.proposal.branch, f"{_what(one)}: {fate_text(one.fate, policy)}")
        for one in held[Fate.IGNORED]
    ]
    ignored += [
        f"- {_what(one)}: {fate_text(one.fate, policy, held_back=one.proposal.held_back)}"
        for one in held[Fate.POLICY]
    ]
    yield from _section("Ignored", ignored, most)
    refused = [
        f"- {code(pair)}: {text(reason)}{'; the committed lock stays' if kept else ''}"
        for pair, reason, kept in found.refused
    ]
    yield from _section("Without a solution", refused, most)
    yield from _section("Errors", [f"- {code(pair)}: {text(error)}" for pair, error in found.failed], most)
    yield from _section("Indexes that could not be read", [f"- {text(one)}" for one in found.indexes], most)
    fresh = found.pairs - len({pair for one in found.outcomes for pair in one.proposal.pairs})
    yield f"{found.pairs} locks, {max(fresh - len(found.refused) - len(found.failed), 0)} of them up to date."


def _later(found: DashboardText) -> Iterator[str]:
    """What waits for each proposal."""
    for one in found.outcomes:
        if held := [pair for pair in one.proposal.pairs if pair in found.waiting]:
            at = found.numbers.get(one.proposal.branch)
            name = link(f"#{at.number}", at.url) if at is not None else text(one.proposal.title)
            yield f"- Later releases of ordinary packages wait until {name} is merged ({_listed(held)})"


def _open(one: Outcome, found: DashboardText) -> str:
    return tickbox("rebase", one.proposal.branch, f"{_open_name(one, found)} ({_pairs(one)})")


def _open_name(one: Outcome, found: DashboardText) -> str:
    at = found.numbers.get(one.proposal.branch)
    if at is None:
        return _what(one)
    return f"{link(f'#{at.number}', at.url)} {text(one.proposal.title)}"


def _what(one: Outcome) -> str:
    return f"{text(one.proposal.title)} ({_pairs(one)})"


def _pairs(one: Outcome) -> str:
    return _listed(one.proposal.pairs) or "facts only"


def _listed(pairs: Sequence[str]) -> str:
    shown = 3
    names = ", ".join(code(pair) for pair in pairs[:shown])
    return f"{names} and {len(pairs) - shown} more" if len(pairs) > shown else names


def _section(title: str, lines: Sequence[str] | Iterable[str], most: int) -> Iterator[str]:
    known = list(lines)
    if not known:
        return
    yield f"## {title}"
    yield ""
    yield from known[:most]
    if len(known) > most:
        yield f"- *and {len(known) - most} more, cut here*"
    yield ""
