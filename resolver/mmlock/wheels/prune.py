"""Frees what a wheelhouse and its builds no longer need."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from mmlock.files.locking import BusyError, hold
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.wheelhouse import Wheelhouse

_DAY = 86400.0


class Pruned(Struct, frozen=True, kw_only=True):
    """One thing that goes, and why."""

    path: Path
    size: int
    why: str


def candidates(wheelhouse: Wheelhouse, builds: Path, *, days: float | None, now: float) -> Iterator[Pruned]:
    """What can go: stopped builds, half downloads, damaged entries, and wheels older than `days`.

    A build that is running is left alone.
    """
    for folder in sorted(builds.glob("*/")) if builds.is_dir() else []:
        if not _busy(folder):
            yield Pruned(path=folder, size=_size(folder), why="a build that was stopped or kept")
    for part in sorted(wheelhouse.files.glob("urls/*.part")):
        yield Pruned(path=part, size=_size(part), why="a download that was stopped")
    for entry in wheelhouse.entries():
        folder = wheelhouse.root / "wheels" / entry.key
        if not isinstance(entry, BuiltWheel):
            yield Pruned(path=folder, size=_size(folder), why=f"damaged: {entry.why}")
        elif days is not None and now - entry.path.stat().st_mtime > days * _DAY:
            yield Pruned(path=folder, size=_size(folder), why=f"older than {days:g} days")


def prune(wheelhouse: Wheelhouse, builds: Path, *, days: float | None, dry_run: bool) -> list[Pruned]:
    """Remove them; with `dry_run` only tell."""
    found = list(candidates(wheelhouse, builds, days=days, now=time.time()))
    for item in () if dry_run else found:
        if item.path.is_dir():
            shutil.rmtree(item.path, ignore_errors=True)
        else:
            item.path.unlink(missing_ok=True)
    return found


def lock_of(folder: Path) -> Path:
    """The file that whoever builds in a folder holds."""
    return folder.parent / f"{folder.name}.lock"


def _busy(folder: Path) -> bool:
    """Whether someone builds there now."""
    if not lock_of(folder).is_file():
        return False
    try:
        with hold(lock_of(folder)):
            return False
    except (BusyError, OSError):
        return True


def _size(path: Path) -> int:
    """Bytes on disk; a file with other names elsewhere frees nothing and counts nothing."""
    total = 0
    for file in [path] if path.is_file() else path.rglob("*"):
        with suppress(OSError):
            stat = file.lstat()
            if file.is_file() and stat.st_nlink == 1:
                total += stat.st_size
    return total
