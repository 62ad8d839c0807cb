"""How far a compile is, read from what it prints."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from msgspec import Struct

from mmlock.core.progress import Progress, advance

_NINJA = re.compile(r"^\s*\[(\d+)/(\d+)\]\s+(.*)$")
_SOURCE = re.compile(r"(?:\s-c\s+)(\S+\.(?:cpp|cxx|cc|c|cu|mm))\b")
_SLOW_CC = re.compile(r"^\s*(?=\S*(?:gcc|g\+\+|clang|c\+\+|cc))\S+\s.*\s-c\s+(\S+)")
_EVERY = 2.0
_MINUTE = 60


class CompileProgress(Struct, kw_only=True):
    """Turns lines of ninja (or of setuptools' own compile) into progress with an estimate."""

    progress: Progress
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    total: int | None = None
    _started: float | None = None
    _said: float = float("-inf")

    def line(self, text: str) -> None:
        """Take one line of output."""
        if self._started is None:
            self._started = self.clock()
        if found := _NINJA.match(text):
            done, total = int(found[1]), int(found[2])
            if done == 1 and self.done > 1:  # The next extension of the same package.
                self._started = self.clock()
            self.done, self.total = done, total
            self._say(_source(found[3]))
        elif found := _SLOW_CC.match(text):
            self.done += 1
            self._say(found[1])

    def _say(self, source: str) -> None:
        now = self.clock()
        if now - self._said < _EVERY and self.done != self.total:
            return
        self._said = now
        of = f" of {self.total}" if self.total else ""
        advance(self.progress, "compiled files", self.done, self.total)
        self.progress(f"compiled {self.done}{of}{self._left(now)}: {source}")

    def _left(self, now: float) -> str:
        if self._started is None or not self.total or not self.done or self.done >= self.total:
            return ""
        seconds = (now - self._started) / self.done * (self.total - self.done)
        return f", about {_span(seconds)} left"


def _span(seconds: float) -> str:
    return f"{seconds / _MINUTE:.0f} min" if seconds >= 1.5 * _MINUTE else f"{max(1, round(seconds))} s"


def _source(command: str) -> str:
    found = _SOURCE.search(command)
    return "/".join((found[1] if found else command[-60:]).split("/")[-2:])
