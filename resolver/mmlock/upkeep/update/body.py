"""The text of a pull request, from values. Pure; what is over the forge's limit is cut where it says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote

from msgspec import Struct

from mmlock.core.names import normalize
from mmlock.upkeep.lock_diff import LockChange, LockChangeKind
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob
from mmlock.upkeep.update.markdown import code, cut, link, more_of, rows, size, text
from mmlock.upkeep.update.security_text import security
from mmlock.upkeep.update.state import PullState, tickbox, with_state
from mmlock.upkeep.update.view import Download, Facets, LockView

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
    notes: Mapping[str, str] = {}
    """Pages with the notes of releases, by package."""
    facts: tuple[str, ...] = ()
    """Changed facts that it commits, one line each."""
    files: str = ""
    """What goes before a path of the branch to make a link; empty: no link."""
    waiting: tuple[str, ...] = ()
    """Locks of it for which later releases of ordinary packages wait."""
    merges: bool = False
    """Whether the policy merges it once its locks were validated."""


def title(cause: Cause, locks: Sequence[str], *, apart: str = "") -> str:
    """One line: what moves, in how many locks."""
    where = apart or (locks[0] if len(locks) == 1 else f"{len(locks)} locks")
    if cause.kind is CauseKind.CORE:
        what = f"Update {cause.name} to {cause.version}" if cause.version else f"Remove {cause.name}"
    elif cause.kind is CauseKind.FACTS:
        what = "Follow changed facts" if locks else "Refresh the facts"
    else:
        what = f"{'Add' if cause.kind is CauseKind.NEW else 'Update'} {cause.title}"
    return f"{what} in {where}" if locks else what


def body(pull: PullText, state: PullState, limit: int) -> str:
    """The Markdown, with the hidden state, of at most `limit` characters.

    What is cut first is what the files of the branch tell as well: rows of tables, then reasons.
    """
    for most in (200, 60, 20, 8, 3, 1, 0):
        written = with_state("\n".join(_lines(pull, most)), state)
        if len(written) <= limit:
            return written
    short = "\n".join((_headline(pull), "", _CUT, "", *_footer(pull)))
    return with_state(short, state)


_CUT = (
    "*This description was cut: the forge allows no longer one. Each `why.md` of the branch has all of it.*"
)


def _lines(pull: PullText, most: int) -> Iterator[str]:
    yield _headline(pull)
    yield ""
    yield from security(pull.locks, most)
    yield from _overview(pull.locks, pull.files, most)
    yield from _each(pull, most)
    yield from _why(pull)
    yield from _stayed(pull.locks, most)
    yield from _steps(pull.locks, most)
    yield from _verdicts(pull.locks, most)
    yield from _facts(pull.facts, most)
    yield from _footer(pull)


def _headline(pull: PullText) -> str:
    count = len(pull.locks)
    if not count:
        return "The facts changed, and no lock moves with them."
    locks = "1 lock" if count == 1 else f"{count} locks"
    name = f"**{text(pull.cause.title)}**"
    said = {
        CauseKind.GROUP: f"The {name} moves {locks}",
        CauseKind.FACTS: f"**Changed facts** move {locks}",
        CauseKind.PACKAGES: f"**Ordinary packages** move {locks}",
        CauseKind.NEW: f"Adds {locks}",
    }.get(pull.cause.kind, f"{name} moves {locks}")
    led = _unique(c.why for lock in pull.locks for c in lock.changes if c.name == pull.cause.name and c.why)
    why = f": {text(led[0])}" if len(led) == 1 else ""
    return f"{said}{why}. Each lock was solved as a whole."


# ---------------------------------------------------------------- what moves


def _overview(locks: Sequence[LockView], files: str, most: int) -> Iterator[str]:
    """One row per lock: what it is built on, before and after; what stays there is folded."""
    if not locks:
        return
    yield "## Locks"
    yield ""
    moved = [lock for lock in locks if _moves_below(lock)]
    same = [lock for lock in locks if not _moves_below(lock)]
    yield from _rows_of(moved, files, most)
    if same:
        count = "1 lock stays" if len(same) == 1 else f"{len(same)} locks stay"
        yield f"<details><summary>{count} on the same Python, torch, CUDA and driver</summary>"
        yield ""
        yield from _rows_of(same, files, most)
        yield "</details>"
        yield ""


def _rows_of(locks: Sequence[LockView], files: str, most: int) -> Iterator[str]:
    if not locks:
        return
    head = ("lock", "Python", "torch", "CUDA", "GPU code in torch", "C++ ABI", "oldest driver", "download")
    lines = [
        (
            link(lock.pair, f"{files}{lock.folder}/why.md" if files else ""),
            *(_moved(lock, read) for read in _FACETS),
            _moved_size(lock),
        )
        for lock in locks[:most]
    ]
    yield from rows(head, lines)
    yield from more_of(len(locks) - most, "locks")
    yield ""


def _moves_below(lock: LockView) -> bool:
    """Whether it is built on something else now; a new lock is news, too."""
    return lock.before is None or any(read(lock.before) != read(lock.after) for read in _FACETS)


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


def _moved_size(lock: LockView) -> str:
    now = _size(lock.size_after)
    before = _size(lock.size_before) if lock.size_before is not None else now
    return now if now == before else f"{before} → **{now}**"


def _size(one: Download) -> str:
    if one.unknown and not one.known:
        return _UNKNOWN
    return size(one.known) + (f" and {one.unknown} of unknown size" if one.unknown else "")


def _each(pull: PullText, most: int) -> Iterator[str]:
    """The coupled changes: one row for each, with the locks that it is in; what facts decide goes first."""
    found: dict[tuple[str, LockChangeKind, str, str], list[tuple[str, LockChange]]] = {}
    for lock in pull.locks:
        for one in lock.changes:
            key = (one.name, one.kind, one.old or "", one.new or "")
            found.setdefault(key, []).append((lock.pair, one))
    if not found:
        return
    yield "## Changes"
    yield ""
    core = {name for lock in pull.locks for name in lock.core}
    lead = pull.cause.name
    ordered = sorted(
        found,
        key=lambda key: (key[0] != lead, key[0] not in core, key[1] is LockChangeKind.FILES, *key),
    )
    several = len(pull.locks) > 1
    head = ("package", "change", "in", "why") if several else ("package", "change", "why")
    lines = []
    for key in ordered[:most]:
        name, said, why = _change(_told(found[key]), pull.notes)
        pairs = [pair for pair, _ in found[key]]
        where = f"all {len(pairs)}" if len(pairs) == len(pull.locks) else _in(pairs)
        lines.append((name, said, where, why) if several else (name, said, why))
    yield from rows(head, lines)
    yield from more_of(len(ordered) - most, "changes")
    yield ""


def _told(same: Sequence[tuple[str, LockChange]]) -> LockChange:
    """The change with the reason that most of its locks give."""
    whys = Counter(one.why for _, one in same)
    return next(one for _, one in same if one.why == whys.most_common(1)[0][0])


def _change(one: LockChange, notes: Mapping[str, str]) -> tuple[str, str, str]:
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
    if one.new and (of := notes.get(one.name)) is not None:
        said = f"{said} ({link('notes', of, plain=True)})"
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
        yield "The facts changed; `exclude-newer` stays, so ordinary packages move only where they must."
    yield (
        "Every requirement, import-time bound, wheel tag and GPU architecture in the facts holds for the "
        "whole set, and a second check that shares no code with the solver agrees. The `why.md` beside a "
        "lock has the reason and the source of each version."
    )
    if pull.waiting:
        yield f"Later releases of ordinary packages wait until this is merged, for {_in(pull.waiting)}."
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
    yield from cut(lines, len(by_reason), most)
    yield from cut((f"- {text(reason)}" for reason in passed), len(passed), most)
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
    yield from cut((f"- {what} ({_in(pairs)})" for what, pairs in by_step.items()), len(by_step), most)
    yield ""


def _verdicts(locks: Sequence[LockView], most: int) -> Iterator[str]:
    if not locks:
        return
    yield "## Verdict"
    yield ""
    ran = [lock for lock in locks if lock.verdict is not None]
    lines = (f"- {code(lock.pair)}: {text(lock.verdict or '')}" for lock in ran)
    yield from cut(lines, len(ran), most)
    if silent := [lock.pair for lock in locks if lock.verdict is None]:
        yield f"- None for {_in(silent)}: nothing of these locks was run."
    yield ""


def _facts(lines: Sequence[str], most: int) -> Iterator[str]:
    if not lines:
        return
    yield f"<details><summary>Changed facts: {len(lines)}</summary>"
    yield ""
    yield from cut((f"- {text(line)}" for line in lines), len(lines), most)
    yield ""
    yield "</details>"
    yield ""


def _footer(pull: PullText) -> Iterator[str]:
    yield "---"
    yield ""
    yield tickbox("rebase", "", "Tick this to have the branch made again on top of the base branch, now")
    yield ""
    merged = "by mmlock, once its locks are validated" if pull.merges else "by a person"
    yield (
        f"Merging: {merged}. Close this pull request to ignore this update; a newer one will be proposed. "
        "The branch is made again when its base moves, unless somebody else pushed to it. The label "
        f"`{RECREATE}` has it made again in any case."
    )


# ---------------------------------------------------------------- helpers


def _in(pairs: Sequence[str]) -> str:
    shown = 4
    names = ", ".join(code(pair) for pair in pairs[:shown])
    return f"{names} and {len(pairs) - shown} more" if len(pairs) > shown else names


def _unique(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
