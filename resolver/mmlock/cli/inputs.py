"""Reads the files that a request names. The only reading of user files in the command line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mmlock.core.faults import Fault

STDIN = "-"


def read_text(path: str) -> str | Fault:
    """The text of a file (`-` is stdin), or why it cannot be had."""
    try:
        data = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except FileNotFoundError:
        return Fault(where=path, text="no such file")
    except IsADirectoryError:
        return Fault(where=path, text="is a folder", hint="name the file in it")
    except (OSError, ValueError) as error:
        return Fault(where=path, text=f"cannot be read: {getattr(error, 'strerror', None) or error}")
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
        return str(file) if _HAS_PROJECT.search(file.read_bytes()) else None
    except OSError:
        return None


_HAS_PROJECT = re.compile(rb"^[ \t]*\[[ \t]*project[ \t]*\]", re.MULTILINE)
