"""What differs between two states of the facts, fact by fact, and which locks that concerns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field, structs

from mmlock.core.names import PackageName, StrEnum, normalize
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix.advisories import Advisory, concerning
from mmlock.facts.matrix.layout import SECTIONS, Section, key_text, sort_key
from mmlock.facts.matrix.model import Breakage, Document, File, IndexRow

__all__ = [
    "Change",
    "ChangeKind",
    "ConcernedLock",
    "LockContents",
    "as_data",
    "diff",
    "lines",
    "summary",
    "touched",
]

Documents = Mapping[str, Document[Any]]
"""Relative path -> matrix file."""


class ChangeKind(StrEnum):
    """What happened to a fact."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


_MARKS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~"}


_IDLE = frozenset({"source", "note", "summary", "url"})
_IDLE_OF_FILES = frozenset({"source", "confidence", "size"})


class Change(Struct, frozen=True, kw_only=True):
    """One fact that is in one state and not, or otherwise, in the other."""

    path: str
    kind: ChangeKind
    key: str
    """What identifies the fact, for people."""
    package: PackageName | None
    old: Any = None
    new: Any = None

    @property
    def row(self) -> Any:
        return self.old if self.new is None else self.new

    @property
    def fields(self) -> tuple[tuple[str, Any, Any], ...]:
        """Name, old and new value of what differs, for a changed fact."""
        if self.kind is not ChangeKind.CHANGED:
            return ()
        names = (item.name for item in structs.fields(self.old))
        pairs = ((name, getattr(self.old, name), getattr(self.new, name)) for name in names)
        return tuple((name, old, new) for name, old, new in pairs if old != new)

    @property
    def idle(self) -> bool:
        """Whether it changes no answer: only who says it differs, or how large an index says a file is."""
        idle = _IDLE_OF_FILES if isinstance(self.row, File) else _IDLE
        names = {name for name, _, _ in self.fields}
        return self.kind is ChangeKind.CHANGED and names <= idle


def diff(old: Documents, new: Documents) -> tuple[Change, ...]:
    """All changes, in the order of files and of the rows in them."""
    found: list[Change] = []
    for path in sorted({*old, *new}):
        found += _file(path, old.get(path), new.get(path))
    return tuple(found)


def _file(path: str, old: Document[Any] | None, new: Document[Any] | None) -> Iterator[Change]:
    section = SECTIONS[next(document for document in (new, old) if document is not None).schema]
    before, after = _by_key(section, old), _by_key(section, new)
    rows = {**before, **after}
    for key in sorted(rows, key=lambda one: sort_key(section, rows[one])):
        had, has = before.get(key), after.get(key)
        if had == has:
            continue
        kind = ChangeKind.ADDED if had is None else ChangeKind.REMOVED if has is None else ChangeKind.CHANGED
        text = key_text(section.key, rows[key])
        package = _package(section, path, rows[key])
        yield Change(path=path, kind=kind, key=text, package=package, old=had, new=has)


def _by_key(section: Section, document: Document[Any] | None) -> dict[tuple[Any, ...], Any]:
    rows = document.rows if document else ()
    return {tuple(getattr(row, name) for name in section.key): row for row in rows}


def _package(section: Section, path: str, row: Any) -> PackageName | None:
    """The package a fact speaks of."""
    if (named := getattr(row, "package", None)) is not None:
        return normalize(named)
    if section.name in {"torch-builds", "cpp-extension"}:
        return PackageName("torch")
    return PackageName(path.rpartition("/")[2].rpartition(".")[0]) if section.per_package else None


# ---------------------------------------------------------------- locks


class LockContents(Struct, frozen=True, kw_only=True):
    """What a committed lock holds, as far as facts can touch it."""

    name: str
    """`openmmlab/rtx5090`."""
    versions: Mapping[PackageName, str]
    files: frozenset[str] = field(default_factory=frozenset)
    """Names and URLs of its files."""


class ConcernedLock(Struct, frozen=True, kw_only=True):
    """A lock, and what of the changes concerns it."""

    lock: str
    facts: tuple[Change, ...]
    """Facts about what it holds: changed, gone, or new."""
    newer: tuple[Change, ...]
    """Facts about newer releases of what it holds."""


def touched(changes: Sequence[Change], locks: Iterable[LockContents]) -> tuple[ConcernedLock, ...]:
    """The locks that some change concerns."""
    found = []
    for lock in locks:
        facts = tuple(one for one in changes if not one.idle and _concerns(lock, one))
        newer = tuple(one for one in changes if one.kind is ChangeKind.ADDED and _is_newer(lock, one))
        if facts or newer:
            found.append(ConcernedLock(lock=lock.name, facts=facts, newer=newer))
    return tuple(found)


def _concerns(lock: LockContents, change: Change) -> bool:
    """Whether a fact is about what a lock holds: a new one where it speaks of the very releases in it."""
    row = change.row
    if isinstance(row, Advisory):
        held = lock.versions.get(change.package) if change.package else None
        rows = [one for one in (change.old, change.new) if one is not None]
        return held is not None and next(concerning(rows, held), None) is not None
    if isinstance(row, Breakage):
        needed = {one.package for one in row.when} - _NO_PACKAGES
        return bool(needed) and needed <= lock.versions.keys()
    if isinstance(row, IndexRow):
        # A wheel of what a lock builds, for whichever torch: wheels come before builds.
        held = lock.versions.get(row.package)
        return _holds(lock, change) or (held is not None and _public(held) in row.versions)
    if change.kind is ChangeKind.ADDED:
        # A new file of a release that a lock holds is none of its files.
        return not isinstance(row, File) and _holds(lock, change) and _release(change) is not None
    return _holds(lock, change)


_NO_PACKAGES = frozenset({PackageName("python"), PackageName("gpu")})
"""What a condition of a breakage may name besides packages."""


def _holds(lock: LockContents, change: Change) -> bool:
    row = change.row
    if isinstance(row, File):
        return row.name in lock.files or row.url in lock.files
    if isinstance(row, IndexRow):
        return any(f"/{row.directory}/" in file for file in lock.files)
    release = _release(change)
    held = lock.versions.get(change.package) if change.package else None
    return held is not None and (release is None or _public(held) == _public(release))


def _is_newer(lock: LockContents, change: Change) -> bool:
    held = lock.versions.get(change.package) if change.package else None
    release = _release(change)
    if held is None or release is None:
        return False
    try:
        offered = version(release)
        return not offered.is_prerelease and version(_public(offered.public)) > version(_public(held))
    except InvalidVersion:
        return False


def _release(change: Change) -> str | None:
    """The release a fact speaks of."""
    row = change.row
    if change.package == "torch" and hasattr(row, "torch"):
        return str(row.torch)
    found = getattr(row, "version", None)
    return str(found) if found is not None else None


def _public(text: str) -> str:
    return text.partition("+")[0]


# ---------------------------------------------------------------- told

_MOST = 25
"""Lines of one file that a person is shown; the JSON form has all."""


def summary(changes: Sequence[Change]) -> str:
    """`12 facts added, 1 removed, 3 changed`."""
    counts = {kind: sum(1 for one in changes if one.kind is kind) for kind in ChangeKind}
    if not changes:
        return "no fact differs"
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def lines(changes: Sequence[Change], *, most: int = _MOST) -> Iterator[str]:
    """The changes for people, file by file."""
    by_file: dict[str, list[Change]] = {}
    for one in changes:
        by_file.setdefault(one.path, []).append(one)
    for path, found in by_file.items():
        yield f"{path}: {summary(found)}"
        for one in found[:most]:
            yield f"  {_MARKS[one.kind]} {one.key}{_told(one)}"
        if len(found) > most:
            yield f"  and {len(found) - most} more"


def _told(change: Change) -> str:
    apart = (one for name, old, new in change.fields for one in _apart(name, old, new))
    parts = (f"{name} {_word(old)} -> {_word(new)}" for name, old, new in apart)
    text = "; ".join(parts)
    return f": {text}" if text else ""


def _apart(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """What differs within a field: of a table only those of its keys."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        yield name, old, new
        return
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield f"{name}.{key}", old.get(key, ()), new.get(key, ())


def _word(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_data(change: Change) -> dict[str, Any]:
    """A change as plain values."""
    return {
        "file": change.path,
        "kind": str(change.kind),
        "package": change.package,
        "key": change.key,
        "fields": {name: {"old": _plain(old), "new": _plain(new)} for name, old, new in change.fields},
    }


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)
