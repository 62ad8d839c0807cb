"""The parts of the cache: how large each is, and what of it can go."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

__all__ = ["CachePart", "parts", "prune"]

DISPOSABLE = {
    "answers": "answers of earlier solves",
    "closure": "what uv resolved",
    "inspected": "what was read of wheels",
    "pages": "index pages",
    "refresh": "pages and parts of wheels for `matrix refresh`",
    "symbols": "symbol tables of torch builds",
}
"""Folders that can be downloaded or computed again. Nothing else is ever removed: a cache folder may have
been named that holds other things, too."""
KEPT = {
    "builds": "build folders; `mmlock wheelhouse prune` removes those of interrupted builds",
    "validate": "environments of validations that run now",
    "wheelhouse": "wheels that were built, and downloads; `mmlock wheelhouse prune` is for them",
}
_DAY = 86400.0


class CachePart(Struct, frozen=True, kw_only=True):
    """One folder of the cache."""

    name: str
    path: Path
    holds: str
    size: int
    """Bytes of its files."""
    files: int
    disposable: bool


def parts(root: Path) -> Iterator[CachePart]:
    """The parts that are there, by name."""
    for name, holds in sorted({**DISPOSABLE, **KEPT}.items()):
        path = root / name
        if path.is_dir():
            sizes = [stat.st_size for _, stat in _files(path)]
            yield CachePart(
                name=name,
                path=path,
                holds=holds,
                size=sum(sizes),
                files=len(sizes),
                disposable=name in DISPOSABLE,
            )


def prune(root: Path, *, days: float | None, dry_run: bool) -> Iterator[CachePart]:
    """Remove the files of disposable parts; `days`: only those not used for so long. Yields what went.

    A file that vanishes meanwhile, or cannot be removed, is passed over: someone else uses the cache, too.
    """
    before = None if days is None else time.time() - days * _DAY
    for name, holds in sorted(DISPOSABLE.items()):
        path = root / name
        size = count = 0
        for file, stat in _files(path):
            if before is not None and max(stat.st_mtime, stat.st_atime) >= before:
                continue
            if not dry_run:
                try:
                    file.unlink()
                except OSError:
                    continue
            size += stat.st_size
            count += 1
        if not dry_run:
            _remove_empty(path)
        if count:
            yield CachePart(name=name, path=path, holds=holds, size=size, files=count, disposable=True)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file below, links not followed."""
    for top, _, names in os.walk(folder):
        for name in names:
            path = Path(top) / name
            with suppress(OSError):
                yield path, path.lstat()


def _remove_empty(folder: Path) -> None:
    for top, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(top).rmdir()
