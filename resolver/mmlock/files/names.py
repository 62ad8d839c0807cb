"""A name that comes from outside and is to become one file in one folder, on any system."""

from __future__ import annotations

import re

from mmlock.core.names import StrEnum

__all__ = ["NameProblem", "UnsafeNameError", "bare_file_name"]

_LONGEST = 255
"""Bytes that a name may have on ext4, xfs, APFS and NTFS (there 255 UTF-16 units, which are no fewer)."""

_SHOWN = 80

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file: with or without an extension.
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE
)
_FORBIDDEN_ON_WINDOWS = frozenset('<>"|?*')


class NameProblem(StrEnum):
    """Why a text is not the name of one file in one folder."""

    EMPTY = "empty"
    FOLDER = "folder"  # `.` or `..`
    SEPARATOR = "separator"  # a slash or a backslash: it would be a path
    DRIVE = "drive"  # a colon: a drive, or a second stream of a file on NTFS
    CONTROL = "control"  # NUL, control or format characters, or what is not Unicode
    RESERVED = "reserved"  # a device on Windows, or a name that Windows would change or refuse
    TOO_LONG = "too-long"


_SAID = {
    NameProblem.EMPTY: "it is empty",
    NameProblem.FOLDER: "it names a folder",
    NameProblem.SEPARATOR: "it contains a path separator",
    NameProblem.DRIVE: "it contains a colon",
    NameProblem.CONTROL: "it contains control or invisible characters",
    NameProblem.RESERVED: "Windows reserves it or cannot store it",
    NameProblem.TOO_LONG: f"it is longer than {_LONGEST} bytes",
}


class UnsafeNameError(ValueError):
    """A text that is not the name of one file in one folder: `problem` says why, `shown` is safe to print."""

    def __init__(self, text: str, problem: NameProblem) -> None:
        self.problem = problem
        self.shown = ascii(text[:_SHOWN])[1:-1] + ("..." if len(text) > _SHOWN else "")
        super().__init__(f"`{self.shown}` is not a safe file name: {_SAID[problem]}")


def bare_file_name(text: str) -> str:
    """The text itself, when it names one file in one folder on Linux, macOS and Windows.

    It is not decoded first: whoever unquotes a URL does so before. Raises UnsafeNameError.
    """
    problem = _problem(text)
    if problem is not None:
        raise UnsafeNameError(text, problem)
    return text


def _problem(text: str) -> NameProblem | None:
    if not text:
        return NameProblem.EMPTY
    if text in {".", ".."}:
        return NameProblem.FOLDER
    if len(text) > _LONGEST:
        return NameProblem.TOO_LONG
    found = _problem_of_characters(text)
    if found is None and len(text.encode()) > _LONGEST:
        return NameProblem.TOO_LONG
    return found


def _problem_of_characters(text: str) -> NameProblem | None:
    if "/" in text or "\\" in text:
        return NameProblem.SEPARATOR
    if ":" in text:
        return NameProblem.DRIVE
    if not text.isprintable():  # also format characters, which can turn a name around on the screen
        return NameProblem.CONTROL
    # Windows drops dots and spaces at the end, and spaces before the extension: `nul .txt` is the device.
    stem = text.partition(".")[0].rstrip(" ")
    if text[-1] in ". " or not _FORBIDDEN_ON_WINDOWS.isdisjoint(text) or _RESERVED.fullmatch(stem):
        return NameProblem.RESERVED
    return None
