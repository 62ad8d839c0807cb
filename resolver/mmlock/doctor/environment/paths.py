"""Questions about paths that always have an answer: what cannot be looked at counts as absent.

Whoever made the environment wrote its names: a record may name a pipe, and a folder may have no end.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def exists(path: Path) -> bool:
    """Whether something is there, links followed."""
    with suppress(OSError, ValueError):
        return path.exists()
    return False


def is_dir(path: Path) -> bool:
    """Whether a folder is there."""
    with suppress(OSError, ValueError):
        return path.is_dir()
    return False


def is_file(path: Path) -> bool:
    """Whether an ordinary file is there, links followed: no pipe, no device."""
    with suppress(OSError, ValueError):
        return path.is_file()
    return False


def is_below(path: Path, folder: Path) -> bool:
    """Whether a path is in a folder, links followed."""
    with suppress(OSError, ValueError):
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    return False


def is_link(path: Path) -> bool:
    """Whether a link is there, whatever it points to."""
    with suppress(OSError, ValueError):
        return path.is_symlink()
    return False
