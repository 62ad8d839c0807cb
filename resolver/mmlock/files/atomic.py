"""Files that are there whole or not at all: written under another name beside their place, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

__all__ = ["PRIVATE", "aside", "sync", "write_aside", "write_together"]

PRIVATE = 0o600
"""For this user alone: what a cache holds."""

_USUAL = 0o666
"""What `open` gives: the umask takes from it."""

_PREFIX = ".aside-"
_TRIES = 100


def write_aside(path: Path, data: bytes, *, mode: int | None = PRIVATE, durable: bool = False) -> None:
    """Write a file so that a reader sees the old bytes or the new ones, never a part. Its folder is made.

    `mode`: None is what the umask gives, as for a file that the user asked for. `durable`: also after a power
    cut. Raises OSError; then nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with aside(path, mode=mode, durable=durable) as place:
        place.write_bytes(data)


@contextmanager
def aside(path: Path, *, mode: int | None = None, durable: bool = False) -> Iterator[Path]:
    """An empty file beside `path`, in a folder that exists; it takes the place of `path` when all went well.

    `mode`: of the file; None is what the umask gives. Whoever fills it may put a link there instead.
    Raises OSError.
    """
    place = _create(path.parent, mode)
    try:
        yield place
        if durable:
            sync(place)
        place.replace(path)
        if durable:
            sync(path.parent)
    except BaseException:
        with suppress(OSError):
            place.unlink(missing_ok=True)
        raise


def write_together(
    files: Mapping[Path, bytes],
    *,
    last: Callable[[Path], bool] = lambda path: False,  # noqa: ARG005
    renaming: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Write several files: all bytes are on the disk before the first one is renamed.

    So a full disk changes nothing. `last` names the files that are renamed after the others: a crash in
    between must not leave what looks whole. The renames are done within `renaming()`. The folders exist.
    Raises OSError.
    """
    places: dict[Path, Path] = {}
    try:
        for path, data in files.items():
            places[path] = _create(path.parent, None)
            places[path].write_bytes(data)
            sync(places[path])
        with renaming():
            for path in sorted(places, key=lambda path: (last(path), path)):
                places[path].replace(path)
        for folder in {path.parent for path in places}:
            sync(folder)
    finally:
        for place in places.values():
            with suppress(OSError):
                place.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the bytes of a file, or the names in a folder, reach the disk, where the system can do that."""
    with suppress(OSError):  # Windows opens no folders; some network disks refuse fsync
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _create(folder: Path, mode: int | None) -> Path:
    """A new empty file that no other process has."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    for _ in range(_TRIES):
        place = folder / f"{_PREFIX}{secrets.token_hex(6)}"
        try:
            handle = os.open(place, flags, _USUAL if mode is None else mode)
        except FileExistsError:
            continue
        try:
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(handle, mode)  # the umask may have taken from it
        finally:
            os.close(handle)
        return place
    raise FileExistsError(f"no free name in `{folder}`")
