"""Canonical matrix files: how rows become bytes, bytes become files, and who may write.

One row per line with sorted keys, rows sorted by their key, fields that equal their default left
out: a changed fact is a changed line.
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import NODEFAULT, Struct, structs

from mmlock.core.errors import EnvironmentFault
from mmlock.facts.matrix.layout import SECTIONS, sort_key
from mmlock.facts.matrix.model import Document
from mmlock.files.atomic import write_aside, write_together
from mmlock.files.locking import BusyError, hold

__all__ = ["decode", "encode", "only_writer", "read", "replace", "row_text", "write_all"]

LOCK_NAME = ".refresh.lock"


def _plain(row: Struct) -> dict[str, Any]:
    """A row as a JSON object, without the fields that hold their default."""
    value: dict[str, Any] = {}
    for name, default in _defaults(type(row)):
        item = getattr(row, name)
        if default is not NODEFAULT and item == default:
            continue
        if isinstance(item, tuple):
            item = [part if isinstance(part, str) else _plain(part) for part in item]
        value[name] = dict(item) if isinstance(item, Mapping) else item
    return value


@cache
def _defaults(kind: type[Struct]) -> tuple[tuple[str, Any], ...]:
    """The fields of a kind of row, each with its default: once a kind, for `structs.fields` is slow."""
    return tuple((field.name, field.default) for field in structs.fields(kind))


def row_text(row: Struct) -> str:
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
    import msgspec

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
    write_aside(path, data, mode=None, durable=True)
    return True


def write_all(root: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Write several matrix files and name those that changed. The caller is the only writer.

    All bytes are on the disk before the first file is renamed, so that a full disk changes nothing. Renaming
    is not interrupted, so that facts which belong together change together.
    Raises EnvironmentFault.
    """
    changed: dict[str, bytes] = {}
    try:
        for name, data in sorted(files.items()):
            path = root / name
            if path.is_file() and path.read_bytes() == data:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            changed[name] = data
        write_together({root / name: data for name, data in changed.items()}, renaming=_uninterrupted)
    except OSError as error:
        raise EnvironmentFault(
            f"the matrix folder `{root}` cannot be written",
            causes=[f"{error.filename}: {error.strerror or error}"],
            hints=["give a folder that you may write with `--matrices`, or only look with `--dry-run`"],
        ) from error
    return tuple(changed)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back, where that can be done, until what is short and must be whole is done."""
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, lambda number, _: held.append(number)) for kind in kinds}
    try:
        yield
    finally:
        for kind, handler in before.items():
            # None: it was not set from Python, and cannot be set back from there.
            signal.signal(kind, handler if handler is not None else signal.SIG_DFL)
        for number in held:
            signal.raise_signal(number)


# ---------------------------------------------------------------- one writer at a time


@contextmanager
def only_writer(root: Path) -> Iterator[None]:
    """Hold the matrix folder for writing. Raises EnvironmentFault when another process does."""
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(root / LOCK_NAME, remove=True))
        except BusyError as error:
            held = f"process {error.holder} holds `{LOCK_NAME}`" if error.holder else f"`{LOCK_NAME}` is held"
            raise EnvironmentFault(
                f"another refresh is writing `{root}`",
                causes=[held],
                hints=["wait until it has ended, or only look with `--dry-run`"],
            ) from error
        except OSError as error:
            raise EnvironmentFault(
                f"the matrix folder `{root}` cannot be written",
                causes=[error.strerror or str(error)],
                hints=["give a folder that you may write with `--matrices`, or only look with `--dry-run`"],
            ) from error
        yield
