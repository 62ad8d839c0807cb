"""Reads a file that a user named: it may be a folder, a device without end, a pipe that nobody fills."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mmlock.core.names import StrEnum

__all__ = ["LARGEST", "ReadProblem", "UnreadableError", "read_bounded", "read_stream"]

LARGEST = 64 * 1024 * 1024
"""Bytes of the largest file that a person writes, with room."""


_MEGABYTE = 1_000_000


class ReadProblem(StrEnum):
    """Why a file is not read."""

    MISSING = "missing"
    FOLDER = "folder"
    SPECIAL = "special"  # a device, a pipe, a socket: it may never end, or never begin
    TOO_BIG = "too-big"
    REFUSED = "refused"  # the system says no


class UnreadableError(Exception):
    """A file that is not read: `problem` says why as a value, the text in a few words ("is a folder")."""

    def __init__(self, problem: ReadProblem, text: str) -> None:
        super().__init__(text)
        self.problem = problem
        self.text = text


_SPECIAL: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISFIFO, "is a named pipe, not a file"),
    (stat.S_ISSOCK, "is a socket, not a file"),
    (stat.S_ISCHR, "is a device, not a file"),
    (stat.S_ISBLK, "is a device, not a file"),
)


def read_bounded(path: Path | str, limit: int = LARGEST) -> bytes:
    """The bytes of an ordinary file of at most `limit` bytes.

    A pipe that the shell made for the command (`<(...)`, `/dev/stdin`) is read, too, and the null device is
    empty. Raises UnreadableError.
    """
    given = _is_given(path)
    try:
        _check(Path(path).stat(), limit, given=given)
        # Without O_NONBLOCK, opening a named pipe that came here just now waits for a writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise _refused(error) from error
    with os.fdopen(handle, "rb", buffering=0) as stream:
        _check(os.fstat(handle), limit, given=given)
        if given and hasattr(os, "set_blocking"):
            os.set_blocking(handle, True)
        return read_stream(stream, limit)


def read_stream(stream: BinaryIO, limit: int = LARGEST) -> bytes:
    """The bytes of an open stream, such as stdin, up to its end. Raises UnreadableError."""
    read = bytearray()
    try:
        while block := stream.read(min(1 << 20, limit + 1 - len(read))):
            read += block
            if len(read) > limit:
                raise _too_big(limit)
    except (OSError, ValueError) as error:
        raise _refused(error) from error
    return bytes(read)


def _is_given(path: Path | str) -> bool:
    """Whether a path means what this process was given open: nobody else can keep it waiting."""
    text = os.fsdecode(path)
    return text == "/dev/stdin" or text.startswith(("/dev/fd/", "/proc/self/fd/"))


def _check(kept: os.stat_result, limit: int, *, given: bool) -> None:
    if stat.S_ISDIR(kept.st_mode):
        raise UnreadableError(ReadProblem.FOLDER, "is a folder")
    if stat.S_ISCHR(kept.st_mode) and kept.st_rdev == Path(os.devnull).stat().st_rdev:
        return
    for holds, text in _SPECIAL:
        if holds(kept.st_mode) and not (given and holds is stat.S_ISFIFO):
            raise UnreadableError(ReadProblem.SPECIAL, text)
    if kept.st_size > limit:
        raise _too_big(limit)


def _too_big(limit: int) -> UnreadableError:
    size = f"{limit // _MEGABYTE} MB" if limit >= _MEGABYTE else f"{limit} bytes"
    return UnreadableError(ReadProblem.TOO_BIG, f"is larger than {size}")


def _refused(error: Exception) -> UnreadableError:
    if isinstance(error, FileNotFoundError):
        return UnreadableError(ReadProblem.MISSING, "no such file")
    return UnreadableError(
        ReadProblem.REFUSED, f"cannot be read: {getattr(error, 'strerror', None) or error}"
    )
