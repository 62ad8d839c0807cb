"""How a long use case says what it is doing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Progress(Protocol):
    """Takes one short line per step (`reading matrices/`); the caller decides who sees it."""

    def __call__(self, text: str, /) -> None: ...


@runtime_checkable
class Measured(Protocol):
    """A progress that can show how much of something is done, as a bar."""

    def advance(self, what: str, done: int, total: int | None) -> None:
        """`done` of `total` bytes or things; None: nobody knows how many there will be."""
        ...


def silent(text: str, /) -> None:
    """The progress of a caller who wants none."""
    del text


def advance(progress: Progress, what: str, done: int, total: int | None = None) -> None:
    """Say how much of something is done, to whoever can show it. Cheap enough for every block of a file."""
    if isinstance(progress, Measured):
        progress.advance(what, done, total)
