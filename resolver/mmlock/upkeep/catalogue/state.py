"""The committed locks: what lies in the folder of a pair, and how it differs from what was solved now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.catalogue import Catalogue, Pair
from mmlock.core.errors import EnvironmentFault, MmlockError
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.store import replace as put
from mmlock.lock import refused as refusal
from mmlock.lock.formats import FORMATS, build_toml, pylock
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.refused import Refused
from mmlock.lock.write import render_lock, write_lock
from mmlock.resolve.judge import judge
from mmlock.upkeep.stale import drop_verdict
from mmlock.validate.attest.trust import Trust
from mmlock.validate.digest import lock_digest
from mmlock.validate.model import Verdict
from mmlock.validate.own_verdict import own_verdict, with_verdict
from mmlock.validate.standing import Standing
from mmlock.validate.store import NAME as VERDICT
from mmlock.validate.store import VerdictBinding, bindings

_SHOWN = 6
_NOT_OURS = frozenset({Standing.UNSIGNED, Standing.FOREIGN, Standing.UNCHECKED})
"""Verdicts that say nothing here, and are no fault of the lock."""


class Entry(Struct, frozen=True, kw_only=True):
    """What lies in the folder of a pair."""

    pair: Pair
    env: LockedEnv | None
    refused: Refused | None
    verdict: Verdict | None
    """Of this very lock, by somebody who is trusted."""


class State(Struct, frozen=True, kw_only=True):
    """What became of a pair."""

    word: str
    lines: tuple[str, ...] = ()
    stale: bool = False
    failed: bool = False
    refused: bool = False


def entries(catalogue: Catalogue, trust: Trust) -> Iterator[Entry]:
    """Every pair with what is there; of verdicts, those by somebody who is trusted.

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
        return State(word="refused, as before" if not changed else "refused", lines=lines, refused=True)
    lines = drop_verdict(folder, outcome, trust)
    now = with_verdict(outcome, folder, trust)
    _remove(folder, [refusal.NAME])
    if _same_but_facts(pair, now):
        return State(word="unchanged", lines=lines)
    write_lock(now, folder, pair.request.lock_formats)
    return State(word="written", lines=(*lines, *_signed_for_others(folder, now, trust)))


def _signed_for_others(folder: Path, env: LockedEnv, trust: Trust) -> tuple[str, ...]:
    """Whether the verdict still counts and its signature is for the files that were there before."""
    record = own_verdict(folder, env, trust).record if env.verdict else None
    if record is None or VerdictBinding.CHANGED not in bindings(record, folder).values():
        return ()
    return (f"its verdict is signed for the files before: `mmlock verdict sign {folder}`",)


def _same_but_facts(pair: Pair, env: LockedEnv) -> bool:
    """Whether the folder holds this very lock, at most made from facts that were otherwise elsewhere.

    Facts change every day; a lock that they do not concern stays as it is.
    """
    folder = _folder(pair)
    try:
        held = read_lock(folder).matrix_digest
    except MmlockError:
        return False
    files = render_lock(replace(env, matrix_digest=held), pair.request.lock_formats)
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
    """Whether what is there is what was solved now, and whether the judge lets it stand."""
    folder = _folder(pair)
    try:
        held = read_lock(folder) if (folder / pylock.NAME).is_file() else None
        told = refusal.read(folder / refusal.NAME) if (folder / refusal.NAME).is_file() else None
    except MmlockError as error:
        return State(word="broken", lines=tuple(error.lines()), stale=True)
    if isinstance(outcome, Refused):
        return _compare_refusal(held, told, outcome)
    if held is None:
        return State(word="out of date: there is a solution now" if told else "missing", stale=True)
    return _compare_lock(pair, held, outcome, matrix, trust)


def _compare_refusal(held: LockedEnv | None, told: Refused | None, outcome: Refused) -> State:
    if held is not None or told is None:
        word = "out of date: there is no solution any more" if held else "missing"
        return State(word=word, lines=(outcome.error,), stale=True, refused=True)
    same = _restated(told, outcome)
    return State(word="refused" if same else "refused (explanation changed)", refused=True)


def _compare_lock(pair: Pair, held: LockedEnv, outcome: LockedEnv, matrix: Matrix, trust: Trust) -> State:
    folder = _folder(pair)
    faults = [
        f"the judge rejects {o.subject}: {o.text}" for o in judge(held, matrix) if o.severity == "refuse"
    ]
    own = own_verdict(folder, held, trust)
    if own.reason is not None and own.standing not in _NOT_OURS:
        faults.append(own.reason)
    if identity(held) != identity(outcome):
        return State(word="out of date", lines=(*_differences(held, outcome), *faults), stale=True)
    if faults:
        return State(word="rejected by the judge", lines=tuple(faults), stale=True)
    same = _same_but_facts(pair, with_verdict(outcome, folder, trust))
    return State(word="up to date" if same else "up to date (explanations changed)")


def _restated(old: Refused, new: Refused) -> bool:
    return replace(old, matrix_digest="") == replace(new, matrix_digest="")


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def identity(env: LockedEnv) -> str:
    """What a lock installs and makes, and for what, without the words about it."""
    bare = replace(
        env,
        build=tuple(replace(step, why="", reasons=(), verified=None, note=None) for step in env.build),
        fetch=(),
    )
    steps = build_toml.render(bare) or ""
    fetched = [[step.package, step.version, step.url, *step.alternatives] for step in env.fetch]
    parts = [lock_digest(env), repr(env.target), str(env.driver_floor), steps, repr(fetched)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _differences(old: LockedEnv, new: LockedEnv) -> tuple[str, ...]:
    before, after = _versions(old), _versions(new)
    found = [
        f"{name}: {before.get(name, 'none')} -> {after.get(name, 'none')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]
    if old.python != new.python:
        found.insert(0, f"Python: {old.python} -> {new.python}")
    if more := len(found) - _SHOWN:
        found[_SHOWN:] = [f"and {more} more"] if more > 0 else []
    return tuple(found) or ("same versions; other files, steps or variables",)


def _versions(env: LockedEnv) -> dict[str, str]:
    steps = [(str(step.package), f"{step.version} (to build or download)") for step in env.steps]
    return dict([*((str(package.name), package.version) for package in env.packages), *steps])


def _folder(pair: Pair) -> Path:
    assert pair.request.out is not None
    return pair.request.out
