"""How a long use case says what it is doing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Takes one short line per step (`reading matrices/`); the caller decides who sees it."""

    def __call__(self, text: str, /) -> None: ...


def silent(text: str, /) -> None:
    """The progress of a caller who wants none."""
    del text
