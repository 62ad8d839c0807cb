"""Canonical matrix files: how rows become bytes, bytes become files, and who may write.

One row per line with sorted keys, rows sorted by their key, fields that equal their default left
out: a changed fact is a changed line.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import NODEFAULT, Struct, structs

from mmlock.core.errors import EnvironmentFault
from mmlock.facts.matrix.layout import SECTIONS, sort_key
from mmlock.facts.matrix.model import Document

__all__ = ["decode", "encode", "only_writer", "read", "replace", "row_text", "write_all"]

LOCK_NAME = ".refresh.lock"


def _plain(row: Struct) -> dict[str, Any]:
    """A row as a JSON object, without the fields that hold their default."""
    value: dict[str, Any] = {}
    for field in structs.fields(row):
        item = getattr(row, field.name)
        if field.default is not NODEFAULT and item == field.default:
            continue
        if isinstance(item, tuple):
            item = [part if isinstance(part, str) else _plain(part) for part in item]
        value[field.name] = dict(item) if isinstance(item, Mapping) else item
    return value


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
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return True


def write_all(root: Path, files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Write several matrix files and name those that changed. The caller is the only writer.

    All bytes are on the disk before the first file is renamed, so that a full disk changes nothing. Renaming
    is not interrupted, so that facts which belong together change together.
    Raises EnvironmentFault.
    """
    asides: dict[Path, Path] = {}
    changed: list[str] = []
    try:
        for name, data in sorted(files.items()):
            path = root / name
            if path.is_file() and path.read_bytes() == data:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            asides[path] = path.with_name(f".{path.name}.new")
            asides[path].write_bytes(data)
            changed.append(name)
        with _uninterrupted():
            for path, aside in asides.items():
                aside.replace(path)
    except OSError as error:
        raise EnvironmentFault(
            f"the matrix folder `{root}` cannot be written",
            causes=[f"{error.filename}: {error.strerror or error}"],
            hints=["give a folder that you may write with `--matrices`, or only look with `--dry-run`"],
        ) from error
    finally:
        for aside in asides.values():
            with suppress(OSError):
                aside.unlink(missing_ok=True)
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
    path = root / LOCK_NAME
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise EnvironmentFault(
            f"the matrix folder `{root}` cannot be written",
            causes=[error.strerror or str(error)],
            hints=["give a folder that you may write with `--matrices`, or only look with `--dry-run`"],
        ) from error
    try:
        if not _grab(handle) or not _still_there(path, handle):
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() if hasattr(os, "pread") else ""
            raise EnvironmentFault(
                f"another refresh is writing `{root}`",
                causes=[f"process {holder} holds `{path.name}`" if holder else f"`{path.name}` is held"],
                hints=["wait until it has ended, or only look with `--dry-run`"],
            )
        os.truncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        try:
            yield
        finally:
            # Removed while it is held: whoever opened the old file finds it gone and says so.
            with suppress(OSError):
                path.unlink()
    finally:
        os.close(handle)


def _still_there(path: Path, handle: int) -> bool:
    """Whether the file that is held is the one with that name, not one just removed by its holder."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except OSError:
        return False


if os.name == "nt":

    def _grab(handle: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

else:

    def _grab(handle: int) -> bool:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
