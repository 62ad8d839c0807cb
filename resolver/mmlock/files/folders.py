"""Folders that a user names to write to, looked at before the work whose result goes there."""

from __future__ import annotations

import os
from pathlib import Path

from mmlock.core.errors import EnvironmentFault

__all__ = ["check_target"]

_LONGEST = 255
"""Bytes of one name, on every disk in use."""


def check_target(folder: Path) -> None:
    """Raise EnvironmentFault when no folder can ever be there: before hours of work are lost.

    Whether it can be written is only known when it is.
    """
    long = [part for part in folder.parts if len(os.fsencode(part)) > _LONGEST]
    why = f"`{long[0]}` is a name of more than {_LONGEST} bytes" if long else None
    try:
        there = [place for place in (folder, *folder.parents) if place.exists()] if why is None else []
        if there and not there[0].is_dir():
            why = f"`{there[0]}` is a file"
    except (OSError, ValueError) as error:  # ValueError: a null byte
        why = getattr(error, "strerror", None) or str(error)
    if why is not None:
        raise EnvironmentFault(
            f"`{folder}` cannot be a folder", causes=[why], hints=["name another folder with `--out`"]
        )
