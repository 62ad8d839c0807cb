"""Folders that this user alone may write: what is in a cache is used, and some of it is run."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from mmlock.core.cache import cache_root
from mmlock.core.errors import EnvironmentFault

__all__ = ["open_cache", "private_folder"]

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_cache(environ: Mapping[str, str]) -> Path:
    """The folder of everything that mmlock caches, made if need be, as an absolute path.

    Raises EnvironmentFault when it cannot be used, or others could have put something into it.
    """
    return private_folder(cache_root(environ).absolute())


def private_folder(path: Path) -> Path:
    """The folder itself, made for this user alone if need be; one that exists must be nobody else's.

    Everybody trusts root's folders. Root trusts those of another user, as mounted ones in containers are,
    unless that user could have put it there: below a folder like `/tmp`. Raises EnvironmentFault.
    """
    try:
        _make(path)
        kept = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null byte in its name
        raise _unusable(path, getattr(error, "strerror", None) or str(error)) from error
    if not stat.S_ISDIR(kept.st_mode):
        raise _unusable(path, "it is not a folder")
    if hasattr(os, "geteuid") and (why := _shared(path, kept, os.geteuid())):
        raise EnvironmentFault(
            f"the cache folder `{path}` is not used: {why}",
            causes=["anyone who can write to it decides what mmlock installs and runs"],
            hints=[
                f"if you trust what is in it, make it yours alone: chown $(id -u) {path}; chmod go-w {path}",
                f"or set MMLOCK_CACHE_DIR to a new folder, for example `{path / 'mmlock'}`",
            ],
        )
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(path, "it cannot be written")
    return path


def _make(path: Path) -> None:
    """Make the folder and the parents that are missing, all for this user alone."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)


def _shared(path: Path, kept: os.stat_result, me: int) -> str | None:
    """Who else could have written into a folder; None: nobody who is not trusted anyway."""
    if kept.st_uid not in {me, 0} and (me != 0 or _anybody_may_make(path)):
        return f"it belongs to another user (uid {kept.st_uid})"
    if kept.st_mode & _OTHERS_WRITE:
        who = "everybody" if kept.st_mode & stat.S_IWOTH else "its group"
        return f"{who} can write to it (mode {stat.S_IMODE(kept.st_mode):o})"
    return None


def _anybody_may_make(path: Path) -> bool:
    """Whether one of the folders that it is in is open to everybody."""
    return any(parent.stat().st_mode & stat.S_IWOTH for parent in path.resolve().parents)


def _unusable(path: Path, why: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"the cache folder `{path}` cannot be used",
        causes=[why],
        hints=["set MMLOCK_CACHE_DIR to a folder that you can write to"],
    )
