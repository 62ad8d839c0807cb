"""What a path means that was given as a lock, and whether a lock may be written there."""

from __future__ import annotations

from pathlib import Path

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.lock.formats import pylock
from mmlock.lock.refused import NAME as REFUSED

__all__ = ["VERDICT", "lock_folder", "require_place"]

VERDICT = "verdict.json"
"""What a validation found, beside the lock that it is about."""


def lock_folder(path: Path) -> Path:
    """The lock folder that is meant by a path: itself, or the one that holds that `pylock.toml`."""
    return path.parent if path.name == pylock.NAME else path


def require_place(folder: Path) -> None:
    """Raise unless a lock may be written there: nothing is there, an empty folder, or a lock.

    Raises UsageError for anything else, EnvironmentFault where the system refuses to look.
    """
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise _in_the_way(folder, "it is a file")
        if any((folder / name).is_file() for name in (pylock.NAME, REFUSED)):
            return
        if any(folder.iterdir()):
            raise _in_the_way(folder, f"it has files, and none of them is a `{pylock.NAME}`")
    except (OSError, ValueError) as error:
        raise EnvironmentFault(
            f"cannot use `{folder}`",
            causes=[getattr(error, "strerror", None) or str(error)],
            hints=["name a folder that you can write to with `--out DIR`"],
        ) from error


def _in_the_way(folder: Path, why: str) -> UsageError:
    return UsageError(
        f"`{folder}` is not a lock folder",
        causes=[f"{why}; mmlock writes a lock only into a new folder, an empty one or a lock"],
        hints=["name another folder with `--out DIR`, or write nothing: `--dry-run`"],
    )
