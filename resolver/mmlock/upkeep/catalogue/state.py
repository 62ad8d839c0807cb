"""The committed locks: what is in the folder of a pair, and how it differs from what was solved now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.catalogue import Catalogue, Pair
from mmlock.core.errors import EnvironmentFault, MmlockError
from mmlock.core.names import StrEnum
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.store import replace as put
from mmlock.lock import refused as refusal
from mmlock.lock.formats import FORMATS, pylock
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.refused import Refused
from mmlock.lock.write import render_lock, write_lock
from mmlock.resolve.judge import judge
from mmlock.upkeep.catalogue.freshness import differences, identity, same_facts, with_sizes_of
from mmlock.upkeep.stale import drop_verdict
from mmlock.validate.attest.trust import Trust
from mmlock.validate.model import Verdict
from mmlock.validate.own_verdict import own_verdict, with_verdict
from mmlock.validate.standing import Standing
from mmlock.validate.store import NAME as VERDICT
from mmlock.validate.store import VerdictBinding, bindings

_NOT_OURS = frozenset({Standing.UNSIGNED, Standing.FOREIGN, Standing.UNCHECKED})
"""Verdicts that say nothing here, and are no fault of the lock."""


class Entry(Struct, frozen=True, kw_only=True):
    """What is in the folder of a pair."""

    pair: Pair
    env: LockedEnv | None
    refused: Refused | None
    verdict: Verdict | None
    """Of this very lock, by someone who is trusted."""


class StateKind(StrEnum):
    """What became of a pair, or what was found of it."""

    FRESH = "fresh"  # what lies there is what was solved now, to the byte
    EXPLANATIONS = "explanations"  # it installs the same; only what is said about it differs
    FACTS = "facts"  # another environment, because a fact changed
    INDEX = "index"  # another environment, because the index has other files or versions than before
    MISSING = "missing"  # nothing lies there
    SOLVABLE = "solvable"  # a refusal lies there, and there is a solution now
    UNSOLVABLE = "unsolvable"  # a lock lies there, and there is no solution any more
    REJECTED = "rejected"  # the judge, or the standing of its verdict, does not let it stand
    BROKEN = "broken"  # what lies there cannot be read
    REFUSED = "refused"  # there is no solution, and the reason is there
    REFUSED_OTHERWISE = "refused-otherwise"  # there is none, for reasons that are told otherwise now
    FAILED = "failed"  # it could not be asked about
    WRITTEN = "written"
    UNCHANGED = "unchanged"


_WORDS = {
    StateKind.FRESH: "up to date",
    StateKind.EXPLANATIONS: "up to date (explanations changed)",
    StateKind.FACTS: "out of date: a fact changed",
    StateKind.INDEX: "out of date: the index moved",
    StateKind.SOLVABLE: "out of date: there is a solution now",
    StateKind.UNSOLVABLE: "out of date: it has no solution any more",
    StateKind.REJECTED: "rejected by the judge",
    StateKind.REFUSED_OTHERWISE: "refused (explanation changed)",
}
_STALE = frozenset(
    {
        StateKind.FACTS,
        StateKind.INDEX,
        StateKind.MISSING,
        StateKind.SOLVABLE,
        StateKind.UNSOLVABLE,
        StateKind.REJECTED,
        StateKind.BROKEN,
    }
)


class State(Struct, frozen=True, kw_only=True):
    """What became of a pair, with lines for people about it."""

    kind: StateKind
    lines: tuple[str, ...] = ()
    refused: bool = False
    """Whether there is no solution now."""

    @property
    def word(self) -> str:
        """For people."""
        return _WORDS.get(self.kind, self.kind.value)

    @property
    def stale(self) -> bool:
        """Whether what is there must be made again."""
        return self.kind in _STALE

    @property
    def failed(self) -> bool:
        return self.kind is StateKind.FAILED


def entries(catalogue: Catalogue, trust: Trust) -> Iterator[Entry]:
    """Every pair with what is there; of verdicts, those by someone who is trusted.

    Raises MmlockError for a file that cannot be used.
    """
    for pair in catalogue.pairs:
        folder = _folder(pair)
        env = read_lock(folder) if (folder / pylock.NAME).is_file() else None
        held = refusal.read(folder / refusal.NAME) if (folder / refusal.NAME).is_file() else None
        own = own_verdict(folder, env, trust) if env is not None else None
        verdict = own.record.verdict if own is not None and own.counts and own.record is not None else None
        yield Entry(pair=pair, env=env, refused=held, verdict=verdict)


def strays(catalogue: Catalogue) -> tuple[str, ...]:
    """Locks below the folder that no pair names."""
    known = {pair.name for pair in catalogue.pairs}
    names = (pylock.NAME, refusal.NAME)
    found = {path.parent for name in names for path in catalogue.folder.glob(f"*/*/{name}")}
    return tuple(sorted({p.relative_to(catalogue.folder).as_posix() for p in found} - known))


# ---------------------------------------------------------------- writing


def write_entry(pair: Pair, outcome: LockedEnv | Refused, trust: Trust) -> State:
    """Put a lock or a refusal into the folder, and take away what it replaces."""
    folder = _folder(pair)
    if isinstance(outcome, Refused):
        gone = [item.file for item in FORMATS.values() if (folder / item.file).is_file()]
        changed = not _told_before(folder, outcome)
        if changed:
            _put(folder / refusal.NAME, refusal.render(outcome))
        _remove(folder, [*gone, VERDICT])
        lines = (outcome.error, *([f"removed the lock that was there: {', '.join(gone)}"] if gone else []))
        kind = StateKind.REFUSED if changed else StateKind.UNCHANGED
        return State(kind=kind, lines=lines, refused=True)
    lines = drop_verdict(folder, outcome, trust)
    now = with_verdict(outcome, folder, trust)
    _remove(folder, [refusal.NAME])
    if _same_but_facts(pair, now):
        return State(kind=StateKind.UNCHANGED, lines=lines)
    write_lock(now, folder, pair.request.lock_formats)
    return State(kind=StateKind.WRITTEN, lines=(*lines, *_signed_for_others(folder, now, trust)))


def _signed_for_others(folder: Path, env: LockedEnv, trust: Trust) -> tuple[str, ...]:
    """Whether the verdict still counts and its signature is for the files that were there before."""
    record = own_verdict(folder, env, trust).record if env.verdict else None
    if record is None or VerdictBinding.CHANGED not in bindings(record, folder).values():
        return ()
    return (f"its verdict is signed for the files before: `mmlock verdict sign {folder}`",)


def _same_but_facts(pair: Pair, env: LockedEnv) -> bool:
    """Whether the folder holds this very lock, at most made from facts that were otherwise elsewhere.

    Facts change every day; a lock that they do not concern stays as it is, whatever sizes of files an index
    states: the hash says more.
    """
    folder = _folder(pair)
    try:
        held = read_lock(folder)
    except MmlockError:
        return False
    same = with_sizes_of(replace(env, matrix_digest=held.matrix_digest), held)
    files = render_lock(same, pair.request.lock_formats)
    return all(_bytes(folder / name) == (text and text.encode()) for name, text in files.items())


def _told_before(folder: Path, outcome: Refused) -> bool:
    path = folder / refusal.NAME
    try:
        return path.is_file() and _restated(refusal.read(path), outcome)
    except MmlockError:
        return False


def _put(path: Path, text: str) -> None:
    try:
        put(path, text.encode())
    except OSError as error:
        raise _unwritable(path, error) from error


def _remove(folder: Path, names: list[str]) -> None:
    try:
        for name in names:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(path: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"cannot write `{path}`",
        causes=[error.strerror or str(error)],
        hints=["run it where you can write, on a disk with free space, or write nothing: `--check`"],
    )


# ---------------------------------------------------------------- comparing


def compare(pair: Pair, outcome: LockedEnv | Refused, matrix: Matrix, trust: Trust) -> State:
    """Whether what is there is what was solved now, and whether the judge lets it are."""
    folder = _folder(pair)
    try:
        held = read_lock(folder) if (folder / pylock.NAME).is_file() else None
        told = refusal.read(folder / refusal.NAME) if (folder / refusal.NAME).is_file() else None
    except MmlockError as error:
        return State(kind=StateKind.BROKEN, lines=tuple(error.lines()))
    if isinstance(outcome, Refused):
        return _compare_refusal(held, told, outcome)
    if held is None:
        return State(kind=StateKind.SOLVABLE if told else StateKind.MISSING)
    return _compare_lock(pair, held, outcome, matrix, trust)


def _compare_refusal(held: LockedEnv | None, told: Refused | None, outcome: Refused) -> State:
    if held is not None or told is None:
        kind = StateKind.UNSOLVABLE if held else StateKind.MISSING
        return State(kind=kind, lines=(outcome.error,), refused=True)
    kind = StateKind.REFUSED if _restated(told, outcome) else StateKind.REFUSED_OTHERWISE
    return State(kind=kind, refused=True)


def _compare_lock(pair: Pair, held: LockedEnv, outcome: LockedEnv, matrix: Matrix, trust: Trust) -> State:
    folder = _folder(pair)
    faults = [
        f"the judge rejects {o.subject}: {o.text}" for o in judge(held, matrix) if o.severity == "refuse"
    ]
    own = own_verdict(folder, held, trust)
    if own.reason is not None and own.standing not in _NOT_OURS:
        faults.append(own.reason)
    if identity(held) != identity(outcome):
        kind = StateKind.INDEX if same_facts(held, outcome) else StateKind.FACTS
        return State(kind=kind, lines=(*differences(held, outcome), *faults))
    if faults:
        return State(kind=StateKind.REJECTED, lines=tuple(faults))
    same = _same_but_facts(pair, with_verdict(outcome, folder, trust))
    return State(kind=StateKind.FRESH if same else StateKind.EXPLANATIONS)


def _restated(old: Refused, new: Refused) -> bool:
    return replace(old, matrix_digest="") == replace(new, matrix_digest="")


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _folder(pair: Pair) -> Path:
    assert pair.request.out is not None
    return pair.request.out
