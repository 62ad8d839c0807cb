"""Progress on stderr, for people who wait: bars on a terminal, else one plain line per step."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmlock.cli.terminal import printable, tell
from mmlock.core.progress import Progress, silent

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

QUICK = 0.4
"""Seconds within which nothing is drawn: a short answer needs no bar, and rich takes a tenth to load."""
_LONGEST = 60
"""Characters of a description."""


@contextmanager
def progress(*, wanted: bool | None) -> Iterator[Progress]:
    """Where a use case says what it does; what was drawn is gone at the end.

    `wanted`: None shows it where a person is looking.
    """
    looking = _person_looks()
    if wanted is False or (wanted is None and not looking):
        yield silent
    elif not looking:
        yield _line
    else:
        bars = Bars()
        try:
            yield bars
        finally:
            bars.pause()


def _person_looks() -> bool:
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):
        return False


def _line(text: str, /) -> None:
    tell(f"  {text}")


class Bars:
    """The present step, and a bar for each thing that is measured."""

    def __init__(self, *, quick: float = QUICK) -> None:
        self._from = time.monotonic() + quick
        self._shown: RichProgress | None = None
        self._step: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._plain = False

    def __call__(self, text: str, /) -> None:
        """Show a step instead of the one before."""
        shown = self._started()
        if shown is None:
            if self._plain:
                _line(text)
            return
        if self._step is None:
            self._step = shown.add_task(_short(text), total=None)
        shown.update(self._step, description=_short(text))

    def advance(self, what: str, done: int, total: int | None) -> None:
        """Show a bar, or move it; one that is full goes away."""
        shown = self._started()
        if shown is None:
            return
        if what not in self._tasks:
            self._tasks[what] = shown.add_task(_short(what), total=total)
        if total is not None and done >= total:
            shown.remove_task(self._tasks.pop(what))
        else:
            shown.update(self._tasks[what], completed=done, total=total)

    def pause(self) -> None:
        """Take everything off the screen, so that someone can be asked; the next step draws again."""
        if self._shown is not None:
            self._shown.stop()
        self._shown, self._step, self._tasks = None, None, {}

    def _started(self) -> RichProgress | None:
        if self._shown is None and not self._plain and time.monotonic() >= self._from:
            try:
                self._shown = _rich()
            except ImportError:
                self._plain = True
        return self._shown


def _short(text: str) -> str:
    """One line that rich takes as it is."""
    from rich.markup import escape

    line = " ".join(printable(text).split())
    return escape(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}...")


def _rich() -> RichProgress:
    """A started display. Raises ImportError without rich."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns: list[Any] = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24)]
    columns += [TaskProgressColumn(), TimeElapsedColumn()]
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    shown.start()
    return shown
