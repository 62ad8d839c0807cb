"""Changed facts, put apart by the packages that they speak of. Pure, but for reading a folder of facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmlock.core.names import normalize
from mmlock.facts.matrix import store
from mmlock.facts.matrix.diff import Change
from mmlock.facts.matrix.layout import SECTIONS, section_of
from mmlock.facts.matrix.load import decode, matrix_files
from mmlock.facts.matrix.model import Document, File

__all__ = ["Documents", "about", "read_documents", "sliced"]

Documents = Mapping[str, Document[Any]]


def read_documents(root: Path) -> dict[str, Document[Any]]:
    """The files that a refresh writes, by their paths below the folder. Raises MatrixError."""
    found: dict[str, Document[Any]] = {}
    for path in matrix_files(root):
        section = section_of(path)
        if section is not None and path.suffix == ".json":
            found[str(path)] = decode(section[0], str(path), (root / path).read_bytes())
    return found


def about(changes: Iterable[Change], packages: frozenset[str]) -> tuple[Change, ...]:
    """The changes that speak of one of these packages."""
    return tuple(change for change in changes if change.package in packages or _file_of(change) in packages)


def _file_of(change: Change) -> str | None:
    """The package of a file in a list of many packages' files: its name starts with it."""
    row = change.row
    return normalize(row.name.partition("-")[0]) if isinstance(row, File) else None


def sliced(old: Documents, new: Documents, changes: Sequence[Change]) -> dict[str, bytes]:
    """The files that differ when these changes, and no others, are laid over the old facts."""
    files: dict[str, bytes] = {}
    for path in dict.fromkeys(change.path for change in changes):
        before, after = old.get(path), new.get(path)
        shape = after or before
        assert shape is not None
        key = SECTIONS[shape.schema].key
        rows = {_key(row, key): row for row in (before.rows if before else ())}
        for change in changes:
            if change.path == path and change.new is None:
                rows.pop(_key(change.old, key), None)
            elif change.path == path:
                rows[_key(change.new, key)] = change.new
        sources = {**(before.sources if before else {}), **(after.sources if after else {})}
        files[path] = store.encode(shape.schema, rows.values(), sources, shape.note)
    return files


def _key(row: Any, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)
