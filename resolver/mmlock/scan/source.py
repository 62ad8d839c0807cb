"""The text of a Python file, and its syntax tree, or why it has none."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings

from mmlock.scan.left_out import LeftOutReason, UnreadSourceError

__all__ = ["parse", "to_text"]

_PYTHON2 = re.compile(
    r"^[ \t]*(?:print\s+[\"'\w]|exec\s+[\"'\w]|raise\s+\w+\s*,|except\s+[\w.]+\s*,\s*\w+\s*:)", re.MULTILINE
)


def to_text(data: bytes) -> str:
    """Python source as text, by its own encoding line. Raises UnreadSourceError."""
    if b"\0" in data:
        raise UnreadSourceError(LeftOutReason.NULL_BYTES)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        raise UnreadSourceError(LeftOutReason.ENCODING) from None


def parse(text: str) -> ast.Module:
    """The syntax tree. Raises UnreadSourceError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Invalid escapes in the strings of others.
            return ast.parse(text)
    except SyntaxError as error:
        if _PYTHON2.search(text):
            raise UnreadSourceError(LeftOutReason.PYTHON_2) from None
        raise UnreadSourceError(LeftOutReason.SYNTAX, line=error.lineno) from None
    except (ValueError, RecursionError, MemoryError):
        raise UnreadSourceError(LeftOutReason.TOO_COMPLEX) from None
