"""Canonical JSON files of the matrix: how rows become bytes, and bytes become files.

One row per line with sorted keys, rows sorted by their key, fields that equal their default left
out: a changed fact is a changed line.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mmlock.matrix.layout import SECTIONS, sort_key
from mmlock.matrix.model import Document

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["decode", "encode", "read", "replace", "row_text"]


def _plain(row: DataclassInstance) -> dict[str, Any]:
    """A row as a JSON object, without the fields that hold their default."""
    value: dict[str, Any] = {}
    for field in dataclasses.fields(row):
        item = getattr(row, field.name)
        if field.default is not dataclasses.MISSING and item == field.default:
            continue
        if isinstance(item, tuple):
            item = [part if isinstance(part, str) else _plain(part) for part in item]
        value[field.name] = dict(item) if isinstance(item, Mapping) else item
    return value


def row_text(row: DataclassInstance) -> str:
    """One line of a matrix file."""
    return json.dumps(_plain(row), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def encode(schema: str, rows: Iterable[Any], sources: Mapping[str, str], note: str | None = None) -> bytes:
    """The bytes of a matrix file. Only the sources that some row names are written.

    Raises KeyError when a row names a source that is not there.
    """
    section = SECTIONS[schema]
    texts = {row_text(row): row for row in rows}
    lines = sorted(texts, key=lambda text: (sort_key(section, texts[text]), text))
    used = sorted({key for row in texts.values() for key in row.source})
    head: dict[str, Any] = {"schema": schema}
    if note is not None:
        head["note"] = note
    head["sources"] = {key: sources[key] for key in used}
    opening = json.dumps(head, ensure_ascii=False, separators=(",", ":"))[:-1]
    body = ",\n".join(lines)
    return f'{opening},"rows":[\n{body}\n]}}\n'.encode()


def decode(schema: str, data: bytes) -> Document[Any]:
    """Read the bytes back, strictly.

    Raises msgspec.ValidationError.
    """
    row: Any = SECTIONS[schema].row
    document: Document[Any] = msgspec.json.decode(data, type=Document[row], strict=True)
    return document


def read(root: Path, schema: str, package: str | None = None) -> Document[Any] | None:
    """A committed matrix file; None when there is none."""
    path = root / SECTIONS[schema].path_for(package)
    return decode(schema, path.read_bytes()) if path.is_file() else None


def replace(path: Path, data: bytes) -> bool:
    """Write aside and rename. False when the file already holds these bytes."""
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    aside.write_bytes(data)
    os.replace(aside, path)  # noqa: PTH105 - an atomic rename, by its well-known name
    return True
