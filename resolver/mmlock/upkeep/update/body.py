"""The text of a pull request, from values. Pure; what is over the forge's limit is cut where it says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar
from urllib.parse import quote

from msgspec import Struct

from mmlock.core.names import normalize
from mmlock.upkeep.lock_diff import LockChange, LockChangeKind
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob
from mmlock.upkeep.update.markdown import code, link, rows, size, text
from mmlock.upkeep.update.state import PullState, tickbox, with_state
from mmlock.upkeep.update.view import AdvisoryLine, Download, Facets, LockView

__all__ = ["RECREATE", "PullText", "body", "title"]

RECREATE = "mmlock: recreate"
"""The label that has a pull request made again."""
_PYPI = "https://pypi.org/project"
_UNKNOWN = "*unknown*"
_T = TypeVar("_T")


class PullText(Struct, frozen=True, kw_only=True):
    """What a pull request is about."""

    cause: Cause
    locks: tuple[LockView, ...]
    """In the order of the catalogue."""
    date_before: str | None = None
    """`exclude-newer` as it was, where the cause is a later date."""
    date_after: str | None = None
    facts: tuple[str, ...] = ()
    """Changed facts that it commits, one line each."""
    files: str = ""
    """What goes before a path of the branch to make a link; empty: no link."""
    waiting: tuple[tuple[str, str], ...] = ()
    """Locks of it for which more waits: pair, and for what."""


def title(cause: Cause, locks: Sequence[str], *, apart: str = "") -> str:
    """One line: what moves, in how many locks."""
    where = apart or (locks[0] if len(locks) == 1 else f"{len(locks)} locks")
    verb = {CauseKind.NEW: "Add", CauseKind.FACTS: "Refresh"}.get(cause.kind, "Update")
    return f"{verb} {cause.title} in {where}" if locks else f"{verb} {cause.title}"


def body(pull: PullText, state: PullState, limit: int) -> str:
    """The Markdown, with the hidden state, of at most `limit` characters.

    What is cut first is what the files of the branch tell as well: rows of tables, then reasons.
    """
    for most in (200, 60, 20, 8, 3, 1, 0):
        written = with_state("\n".join(_lines(pull, most)), state)
        if len(written) <= limit:
            return written
    short = "\n".join((_headline(pull), "", _CUT, "", *_footer()))
    return with_state(short, state)


_CUT = (
    "*This description was cut: the forge allows no longer one. Each `why.md` of the branch has all of it.*"
)


def _lines(pull: PullText, most: int) -> Iterator[str]:
    yield _headline(pull)
    yield ""
    yield from _security(pull, most)
    yield from _overview(pull.locks, pull.files, most)
    yield from _each(pull, most)
    yield from _why(pull)
    yield from _stayed(pull.locks, most)
    yield from _steps(pull.locks, most)
    yield from _verdicts(pull.locks, most)
    yield from _sizes(pull.locks, most)
    yield from _facts(pull.facts, most)
    yield from _footer()


def _headline(pull: PullText) -> str:
    count = len(pull.locks)
    if not count:
        return "The facts changed, and no lock moves with them."
    locks = "1 lock" if count == 1 else f"{count} locks"
    return f"**{text(pull.cause.title)}** moves {locks}. Each was solved as a whole."


# ---------------------------------------------------------------- what moves


def _security(pull: PullText, most: int) -> Iterator[str]:
    closed = _unique(one for lock in pull.locks for one in lock.closed)
    left = _unique(one for lock in pull.locks for one in lock.left)
    if not pull.locks:
        return
    if not any(lock.advisories_read for lock in pull.locks):
        yield "Known vulnerabilities: *not looked up*."
        yield ""
        return
    unread = max(lock.unread for lock in pull.locks)
    more = f" Of up to {unread} versions in a lock nobody knows: the index does not tell." if unread else ""
    yield f"Known vulnerabilities: {len(closed)} closed, {len(left)} left.{more}"
    yield from _cut((f"- closes {_advisory(one)}" for one in closed), len(closed), most)
    yield from _cut((f"- leaves {_advisory(one)}" for one in left), len(left), most)
    yield ""


def _advisory(one: AdvisoryLine) -> str:
    fixed = (
        f"; fixed in {', '.join(code(v) for v in one.fixed_in)}"
        if one.fixed_in
        else "; no fixed release is known"
    )
    return f"{link(one.id, one.url)} of {code(f'{one.package} {one.version}')}{fixed}"


def _overview(locks: Sequence[LockView], files: str, most: int) -> Iterator[str]:
    """One row per lock: what it is built on, before and after."""
    if not locks:
        return
    yield "## Locks"
    yield ""
    head = ("lock", "Python", "torch", "CUDA", "GPU code in torch", "C++ ABI", "oldest driver")
    lines = [
        (
            link(lock.pair, f"{files}{lock.folder}/why.md" if files else ""),
            *(_moved(lock, read) for read in _FACETS),
        )
        for lock in locks
    ]
    yield from rows(head, lines[:most])
    yield from _more(len(lines) - most, "locks")
    yield ""


_FACETS: tuple[Callable[[Facets], str | None], ...] = (
    lambda one: one.python,
    lambda one: one.torch,
    lambda one: one.cuda,
    lambda one: None if one.archs is None else " ".join(one.archs) or "none",
    lambda one: one.abi,
    lambda one: one.driver,
)


def _moved(lock: LockView, read: Callable[[Facets], str | None]) -> str:
    now = read(lock.after)
    before = read(lock.before) if lock.before is not None else now
    shown, old = (code(one) if one is not None else _UNKNOWN for one in (now, before))
    return shown if shown == old else f"{old} → **{shown}**"


def _each(pull: PullText, most: int) -> Iterator[str]:
    """The coupled changes; locks that move alike share a table."""
    known = [lock for lock in pull.locks if lock.changes]
    alike = sorted(known, key=lambda lock: _key(lock.changes))
    tables = [list(found) for _, found in groupby(alike, key=lambda lock: _key(lock.changes))]
    tables.sort(key=lambda found: [lock.pair for lock in pull.locks].index(found[0].pair))
    if not tables:
        return
    yield "## Changes"
    yield ""
    for found in tables[: max(most, 1)]:
        names = ", ".join(code(lock.pair) for lock in found[: max(most, 1)])
        more = len(found) - max(most, 1)
        yield f"In {names}{f' and {more} more' if more > 0 else ''}:"
        yield ""
        changes = found[0].changes
        yield from rows(("package", "change", "why"), (_change(one) for one in changes[:most]))
        yield from _more(len(changes) - most, "changes")
        yield ""
    if more := len(tables) - max(most, 1):
        yield from _more(more, "tables")
        yield ""


def _key(changes: Sequence[LockChange]) -> tuple[tuple[str, str, str, str], ...]:
    return tuple((one.kind.value, one.name, one.old or "", one.new or "") for one in changes)


def _change(one: LockChange) -> tuple[str, str, str]:
    name = normalize(one.name)
    page = f"{_PYPI}/{quote(name, safe='')}/"
    release = (one.new or "").partition("+")[0].partition(" ")[0]
    to = link(one.new or "", f"{page}{quote(release, safe='')}/") if one.new else ""
    said = {
        LockChangeKind.ADDED: f"added {to}",
        LockChangeKind.REMOVED: f"removed {code(one.old or '')}",
        LockChangeKind.CHANGED: f"{code(one.old or '')} → {to}",
        LockChangeKind.FILES: f"{to}: other files or steps",
    }[one.kind]
    return f"[{code(one.name)}]({page}#history)", said, text(one.why or "")


def _why(pull: PullText) -> Iterator[str]:
    """Why it moved, and what makes it safe."""
    if not pull.locks:
        return
    yield "## Why"
    yield ""
    if pull.cause.knob is Knob.DATE:
        before = code(pull.date_before) if pull.date_before else "no date"
        yield (
            f"`exclude-newer` moves from {before} to {code(pull.date_after or '')}: releases that came out "
            "in between may be used. The facts are those of the base branch."
        )
    else:
        yield "The facts changed; `exclude-newer` stays, so ordinary packages move only as they must."
    yield ""
    yield (
        "Safe means here: every requirement, import-time bound, wheel tag and GPU arch that the facts know "
        "of holds for the whole set, and a second check that shares nothing with the solver agrees. What "
        "each version rests on is in the `why.md` beside its lock."
    )
    for pair, reason in pull.waiting:
        yield f"- {code(pair)}: more waits: {text(reason)}"
    yield ""


# ---------------------------------------------------------------- what does not move, what is open


def _stayed(locks: Sequence[LockView], most: int) -> Iterator[str]:
    by_reason: dict[tuple[str, str, str], list[str]] = {}
    for lock in locks:
        for one in lock.stayed:
            by_reason.setdefault((one.name, one.version, one.reason), []).append(lock.pair)
    passed = _unique(reason for lock in locks for reason in lock.passed_over)
    if not by_reason and not passed:
        return
    yield "## Not updated, because"
    yield ""
    lines = (
        f"- {code(f'{name} {version}')} ({_in(pairs)}): {text(reason)}"
        for (name, version, reason), pairs in by_reason.items()
    )
    yield from _cut(lines, len(by_reason), most)
    yield from _cut((f"- {text(reason)}" for reason in passed), len(passed), most)
    yield ""


def _steps(locks: Sequence[LockView], most: int) -> Iterator[str]:
    by_step: dict[str, list[str]] = {}
    for lock in locks:
        for one in lock.steps:
            recipe = (
                "" if one.tested else ", by a recipe that nobody is known to have run for this combination"
            )
            what = (
                f"build {code(f'{one.name} {one.version}')}{recipe}"
                if one.build
                else (f"download {code(f'{one.name} {one.version}')}, whose index states no hash")
            )
            by_step.setdefault(what, []).append(lock.pair)
    if not locks:
        return
    yield "## Still to build or download"
    yield ""
    if not by_step:
        yield "Nothing: every package is a file with a hash."
    yield from _cut((f"- {what} ({_in(pairs)})" for what, pairs in by_step.items()), len(by_step), most)
    yield ""


def _verdicts(locks: Sequence[LockView], most: int) -> Iterator[str]:
    if not locks:
        return
    yield "## Verdict"
    yield ""
    ran = [lock for lock in locks if lock.verdict is not None]
    lines = (f"- {code(lock.pair)}: {text(lock.verdict or '')}" for lock in ran)
    yield from _cut(lines, len(ran), most)
    if silent := [lock.pair for lock in locks if lock.verdict is None]:
        yield f"- None for {_in(silent)}: nothing of these locks was run."
    yield ""


def _sizes(locks: Sequence[LockView], most: int) -> Iterator[str]:
    if not locks:
        return
    yield "## Download"
    yield ""
    lines = [
        (code(lock.pair), _size(lock.size_before) if lock.size_before else "", _size(lock.size_after))
        for lock in locks
    ]
    yield from rows(("lock", "before", "after"), lines[:most])
    yield from _more(len(lines) - most, "locks")
    yield ""


def _size(one: Download) -> str:
    if one.unknown and not one.known:
        return _UNKNOWN
    return size(one.known) + (f" and {one.unknown} of unknown size" if one.unknown else "")


def _facts(lines: Sequence[str], most: int) -> Iterator[str]:
    if not lines:
        return
    yield f"<details><summary>Changed facts: {len(lines)}</summary>"
    yield ""
    yield from _cut((f"- {text(line)}" for line in lines), len(lines), most)
    yield ""
    yield "</details>"
    yield ""


def _footer() -> Iterator[str]:
    yield "---"
    yield ""
    yield tickbox("rebase", "", "Tick this to have the branch made again on top of the base branch, now")
    yield ""
    yield (
        "Close this pull request to ignore this update; a newer one will be proposed. The branch is made "
        "again when its base moves, unless somebody else pushed to it. The label "
        f"`{RECREATE}` has it made again in any case."
    )


# ---------------------------------------------------------------- helpers


def _in(pairs: Sequence[str]) -> str:
    shown = 4
    names = ", ".join(code(pair) for pair in pairs[:shown])
    return f"{names} and {len(pairs) - shown} more" if len(pairs) > shown else names


def _cut(lines: Iterable[str], count: int, most: int) -> Iterator[str]:
    for place, line in enumerate(lines):
        if place >= most:
            break
        yield line
    yield from _more(count - most, "lines")


def _more(count: int, of: str) -> Iterator[str]:
    if count > 0:
        yield ""
        yield f"*and {count} more {of}, cut here; the files of the branch have them*"


def _unique(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
