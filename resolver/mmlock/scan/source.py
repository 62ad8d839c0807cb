"""One Python file as a syntax tree, or why it cannot be one."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from pathlib import Path

from mmlock.files.reading import ReadProblem, UnreadableError, read_bounded

__all__ = ["LARGEST", "Unread", "parse", "read_bytes", "to_text"]

LARGEST = 8_000_000
"""Bytes of the largest file that is read; generated tables can be larger."""

_PYTHON2 = re.compile(
    r"^[ \t]*(?:print\s+[\"'\w]|exec\s+[\"'\w]|raise\s+\w+\s*,|except\s+[\w.]+\s*,\s*\w+\s*:)", re.MULTILINE
)


class Unread(Exception):
    """A file that cannot be used; the message says why, in a few words."""


def read_bytes(path: Path, limit: int = LARGEST) -> bytes:
    """The bytes of a file. Raises Unread."""
    try:
        return read_bounded(path, limit)
    except UnreadableError as error:
        large = error.problem is ReadProblem.TOO_BIG
        raise Unread(f"larger than {limit // 1_000_000} MB" if large else error.text) from error


def to_text(data: bytes) -> str:
    """Python source as text, by its own encoding line. Raises Unread."""
    if b"\0" in data:
        raise Unread("holds null bytes")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        raise Unread("is not text in the encoding it states") from None


def parse(text: str) -> ast.Module:
    """The syntax tree. Raises Unread."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Invalid escapes in the strings of others.
            return ast.parse(text)
    except SyntaxError as error:
        if _PYTHON2.search(text):
            raise Unread("is Python 2") from None
        raise Unread(f"syntax error in line {error.lineno}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unread(f"cannot be parsed: {type(error).__name__}") from None
