"""Questions about paths that always have an answer: what cannot be looked at counts as absent."""

from __future__ import annotations

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


def is_link(path: Path) -> bool:
    """Whether a link is there, whatever it points to."""
    with suppress(OSError, ValueError):
        return path.is_symlink()
    return False
