"""Folders for one run each. What a run that was killed has left is removed by the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmlock.core.errors import EnvironmentFault

_OWNER = ".owner"
"""Held for as long as the run lives: the system lets go of it when the process dies, however it dies."""


@contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """A new folder below `place`, gone afterwards. Raises EnvironmentFault where none can be made."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        with _held(
            place.with_name(f"{place.name}.gate")
        ):  # nobody takes a folder that is being made for one that was left
            left = [*_left(place)]
            folder = Path(tempfile.mkdtemp(dir=place))
            owner = _open(folder / _OWNER)
            _lock(owner, wait=True)
    except OSError as error:
        raise EnvironmentFault(
            f"no folder can be made in `{place}`",
            causes=[error.strerror or str(error)],
            hints=["set MMLOCK_CACHE_DIR to a folder that you can write to"],
        ) from error
    try:
        for path, handle in left:
            shutil.rmtree(path, ignore_errors=True)
            os.close(handle)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(owner)


def _left(place: Path) -> Iterator[tuple[Path, int]]:
    """Folders whose owner is dead, with the hold on them."""
    for path in sorted(place.glob(f"*/{_OWNER}")):
        with suppress(OSError):
            handle = _open(path)
            if _lock(handle, wait=False):
                yield path.parent, handle
            else:
                os.close(handle)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    handle = _open(path)
    try:
        _lock(handle, wait=True)
        yield
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)


if os.name == "nt":

    def _lock(handle: int, *, wait: bool) -> bool:
        """Nothing is held and nothing is taken away: locks are installed on Linux and macOS only."""
        del handle
        return wait

else:

    def _lock(handle: int, *, wait: bool) -> bool:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
