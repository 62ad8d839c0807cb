"""Reads the files that a request names. The only reading of user files in the command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mmlock.core.faults import Fault
from mmlock.files.reading import ReadProblem, UnreadableError, read_bounded, read_stream

STDIN = "-"


def read_text(path: str) -> str | Fault:
    """The text of a file (`-` is stdin), or why it cannot be had."""
    try:
        data = read_stream(sys.stdin.buffer) if path == STDIN else read_bounded(path)
    except UnreadableError as error:
        hint = "name the file in it" if error.problem is ReadProblem.FOLDER else None
        return Fault(where=path, text=error.text, hint=hint)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return Fault(where=path, text="is not UTF-8 text", hint="save it as UTF-8")


def project_file(path: str, *, asked: bool = False) -> str | None:
    """The pyproject.toml that is meant by a path: itself, or the one in that folder.

    A folder need not have one, unless parts of it are `asked` for, nor need it say what the project needs.
    """
    if not Path(path).is_dir():
        return path
    file = Path(path) / "pyproject.toml"
    if asked:
        return str(file)
    try:
        return str(file) if _HAS_PROJECT.search(read_bounded(file)) else None
    except UnreadableError:
        return None


_HAS_PROJECT = re.compile(rb"^[ \t]*\[[ \t]*project[ \t]*\]", re.MULTILINE)
