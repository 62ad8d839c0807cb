"""The files of a project: which there are, and which are passed over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from mmlock.core.errors import UsageError

__all__ = ["Listing", "list_files"]

_SKIPPED = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".ipynb_checkpoints",
    }
    | {"__pycache__", "node_modules", "site-packages", ".eggs", ".cache"}
)
"""Folders that hold no sources of the project."""

MOST_FILES = 200_000


class Listing(Struct):
    """What lies in a project, relative to its root, with `/`."""

    root: Path
    files: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """A path and why it was not looked into."""


def list_files(root: Path) -> Listing:
    """All files below a folder, sorted. Links to folders are followed once.

    Raises UsageError for what is no readable folder.
    """
    _refuse(root)
    listing = Listing(root=root)
    seen: set[tuple[int, int]] = set()
    for path in _walk(root, "", listing, seen):
        if len(listing.files) >= MOST_FILES:
            listing.skipped.append((".", f"only the first {MOST_FILES} files were read"))
            break
        listing.files.append(path)
    listing.files.sort()
    return listing


def _refuse(root: Path) -> None:
    hint = "name the folder of a project: `mmlock scan .`"
    try:
        if not root.exists():
            raise UsageError(f"`{root}`: no such folder", hints=[hint])
        if not root.is_dir():
            raise UsageError(f"`{root}` is a file, not a folder", hints=[hint])
        with os.scandir(root):
            pass
        whole = root.resolve().parent == root.resolve()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"`{root}` cannot be read", causes=[why], hints=[hint]) from error
    if whole:
        raise UsageError(f"`{root}` is the whole machine, not a project", hints=[hint])
    if _is_environment(root):
        raise UsageError(
            f"`{root}` is a Python environment, not a project",
            hints=[f"`mmlock doctor --python {root}` looks at an environment", hint],
        )


def _walk(folder: Path, prefix: str, listing: Listing, seen: set[tuple[int, int]]) -> Iterator[str]:
    try:
        state = folder.stat()
        identity = (state.st_dev, state.st_ino)
        if identity in seen:
            listing.skipped.append((prefix or ".", "a link to a folder that was read already"))
            return
        seen.add(identity)
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        listing.skipped.append((prefix or ".", error.strerror or str(error)))
        return
    plain = [entry for entry in entries if not entry.is_symlink()]
    # Links come last, so that a folder is known by its own name where it lies in the tree.
    for entry in [*plain, *(entry for entry in entries if entry.is_symlink())]:
        path = f"{prefix}{entry.name}"
        try:
            if entry.is_dir():
                if reason := _passed_over(entry):
                    if reason != "tool":
                        listing.skipped.append((path, reason))
                    continue
                yield from _walk(Path(entry.path), f"{path}/", listing, seen)
            elif entry.is_file():
                yield path
            elif entry.is_symlink():
                listing.skipped.append((path, "a broken link"))
        except OSError as error:
            listing.skipped.append((path, error.strerror or str(error)))


def _passed_over(entry: os.DirEntry[str]) -> str | None:
    """Why a folder is not looked into; `tool` for those nobody needs to hear of."""
    if entry.name in _SKIPPED:
        return "tool"
    return "a Python environment" if _is_environment(Path(entry.path)) else None


def _is_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file() or (folder / "conda-meta").is_dir()
