"""Reads the files that a request names: text of a sensible size, from whatever the path leads to."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mmlock.core.faults import Fault
from mmlock.files.reading import ReadProblem, UnreadableError, read_bounded, read_stream

__all__ = ["STDIN", "UserFiles", "read_text"]

STDIN = "-"
_LARGEST = 16_000_000
"""Bytes of the largest requirements file, with room."""
_HINTS = {
    ReadProblem.FOLDER: "name the file in it",
    ReadProblem.SPECIAL: "name a file, or `-` for stdin",
    ReadProblem.TOO_BIG: "name the right file",
}


def read_text(path: str) -> str | Fault:
    """The text of a file (`-` is stdin), or what is wrong with it."""
    try:
        data = read_stream(sys.stdin.buffer, _LARGEST) if path == STDIN else read_bounded(path, _LARGEST)
    except UnreadableError as error:
        return Fault(where=path, text=error.text, hint=_HINTS.get(error.problem))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return Fault(where=path, text="is not UTF-8 text", hint="save it as UTF-8")


class UserFiles:
    """The files of this machine, as a request reads them."""

    def text(self, path: str, /) -> str | Fault:
        """The text of a file (`-` is stdin), or what is wrong with it."""
        return read_text(path)

    def project(self, path: str, /, *, parts: bool) -> str | None:
        """The pyproject.toml that is meant by a path: itself, or the one in that folder.

        A folder need not have one, unless `parts` of it are requested, nor need it say what the project
        needs.
        """
        if not self.is_folder(path):
            return path
        file = str(Path(path) / "pyproject.toml")
        if parts:
            return file
        if not Path(file).exists():
            return None
        text = read_text(file)
        # One that cannot be read is named, so that whoever reads it tells why.
        return file if isinstance(text, Fault) or _HAS_PROJECT.search(text) else None

    def is_folder(self, path: str, /) -> bool:
        """Whether a folder is there."""
        try:
            return Path(path).is_dir()
        except (OSError, ValueError):  # a name that no file can have
            return False


_HAS_PROJECT = re.compile(r"^[ \t]*\[[ \t]*project[ \t]*\]", re.MULTILINE)
