"""One process at a time: a lock on a file, given back by the system when its holder dies."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["BusyError", "hold"]

_BUSY = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK})
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.25


class BusyError(Exception):
    """Another process holds the lock; `holder` is its number, empty where that is not known."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"`{path}` is held by {f'process {holder}' if holder else 'another process'}")
        self.path = path
        self.holder = holder


@contextmanager
def hold(
    path: Path,
    *,
    waiting: Callable[[str], object] | None = None,
    remove: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[None]:
    """Hold the lock file, which is made in a folder that exists.

    `waiting` receives the holder once, then this waits for the lock; None: BusyError is raised at once.
    `remove`: the file goes away with the lock. Raises OSError where the disk knows no locks.
    """
    handle = _take(path, waiting, sleep)
    try:
        with suppress(OSError):
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        if remove:
            # While it is held: whoever opened the old file finds it gone and opens the next.
            with suppress(OSError):
                path.unlink()
        os.close(handle)


def _take(path: Path, waiting: Callable[[str], object] | None, sleep: Callable[[float], object]) -> int:
    pause, told = _FIRST_PAUSE, False
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            if _grab(handle) and _still_there(path, handle):
                return handle
            holder = _holder(handle)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if waiting is None:
            raise BusyError(path, holder)
        if not told:
            waiting(holder)
            told = True
        sleep(pause)
        pause = min(_LONGEST_PAUSE, pause * 2)


def _holder(handle: int) -> str:
    with suppress(OSError):
        return os.pread(handle, 32, 0).decode(errors="replace").strip() if hasattr(os, "pread") else ""
    return ""


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
        except OSError as error:
            if error.errno in _BUSY:
                return False
            raise
        return True

else:

    def _grab(handle: int) -> bool:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _BUSY:
                return False
            raise
        return True
