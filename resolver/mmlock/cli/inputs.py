"""Reads the files that a request names. The only reading of user files in the command line."""

from __future__ import annotations

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


def project_file(path: str) -> str:
    """The pyproject.toml that is meant by a path: itself, or the one in that folder."""
    return str(Path(path) / "pyproject.toml") if Path(path).is_dir() else path
