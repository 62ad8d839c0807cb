"""What differs between two states of the facts, fact by fact. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct, structs

from mmlock.core.names import PackageName, StrEnum, normalize
from mmlock.facts.matrix.layout import SECTIONS, Section, key_text, section_of, sort_key
from mmlock.facts.matrix.model import Document, File

__all__ = [
    "Change",
    "ChangeKind",
    "as_data",
    "diff",
    "lines",
    "package_of",
    "summary",
]

Documents = Mapping[str, Document[Any]]
"""Relative path -> matrix file."""


class ChangeKind(StrEnum):
    """What happened to a fact."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


_MARKS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~"}


_IDLE = frozenset({"source", "note", "summary"})
"""What of a row tells people something and decides nothing."""
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


def package_of(path: str, row: Any) -> PackageName | None:
    """The package that a row of a file is about; None: none."""
    found = section_of(PurePosixPath(path))
    return _package(found[0], path, row) if found is not None else None


def _package(section: Section, path: str, row: Any) -> PackageName | None:
    """The package a fact speaks of."""
    if (named := getattr(row, "package", None)) is not None:
        return normalize(named)
    if section.name in {"torch-builds", "cpp-extension"}:
        return PackageName("torch")
    return PackageName(path.rpartition("/")[2].rpartition(".")[0]) if section.per_package else None


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
