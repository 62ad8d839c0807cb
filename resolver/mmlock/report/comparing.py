"""`mmlock matrix diff`, `matrix why` and `mmlock lock-diff`: facts and locks, compared with each other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from mmlock.core.errors import MatrixError
from mmlock.core.report import Page
from mmlock.facts.matrix.concerned import touched
from mmlock.facts.matrix.diff import diff as changed
from mmlock.facts.matrix.layout import section_of
from mmlock.facts.matrix.load import decode, find_root, matrix_files
from mmlock.facts.matrix.model import Document
from mmlock.facts.refresh.report import diff_page
from mmlock.lock.folders import lock_folder
from mmlock.lock.read import read_lock
from mmlock.report.why_fact import find_facts, why_page
from mmlock.upkeep.committed import held_locks
from mmlock.upkeep.lock_diff import diff_lines, diff_locks

__all__ = ["diff", "documents", "lock_diff", "why_fact"]


def diff(old: Path, new: Path, *, locks: Path | None = None) -> Page:
    """What differs. Raises MatrixError for a folder without facts, or a broken file."""
    changes = changed(documents(old), documents(new))
    held = held_locks(locks or Path("lockfiles"), named=locks is not None)
    return diff_page(changes, touched(changes, held))


def why_fact(text: str, *, matrices: Path | None = None, locks: Path | None = None) -> Page:
    """A fact with its source, and the committed locks that rest on it. Raises UsageError or MatrixError."""
    facts = find_facts(documents(find_root(matrices, os.environ)), text)
    return why_page(facts, held_locks(locks or Path("lockfiles"), named=locks is not None))


def documents(folder: Path) -> dict[str, Document[Any]]:
    """Every matrix file of a folder, by its relative path. Raises MatrixError."""
    root = find_root(folder, {})
    found_files = {}
    for path in matrix_files(root):
        found = section_of(path)
        if found is None:
            continue
        try:
            found_files[str(path)] = decode(found[0], str(path), (root / path).read_bytes())
        except OSError as error:
            raise MatrixError(
                f"`{root / path}` cannot be read", causes=[error.strerror or str(error)]
            ) from error
    return found_files


def lock_diff(old: Path, new: Path) -> Page:
    """What differs between two lock folders. Raises MmlockError for one that cannot be read."""
    found = diff_locks(read_lock(lock_folder(old)), read_lock(lock_folder(new)))
    data = {"differs": found.differs, **msgspec.to_builtins(found)}
    return Page(text="\n".join(diff_lines(found)) + "\n", data=data)
