"""Lines that are made to be slow for one pattern, out of its own structure; and how the work on them grows.

A pattern of `re` is slow on a line where the engine can try a text in many ways before it gives up: two
repeats beside each other that accept the same characters, or a search that begins anew at every place and
reads to the end each time. Such lines are: what leads to a part of the pattern, that part many times, and
then something that makes the rest fail.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from time import process_time
from typing import Any

if sys.version_info >= (3, 11):
    from re import _compiler as sre_compile  # type: ignore[attr-defined]
    from re import _constants as sre
    from re import _parser as sre_parse
else:
    import sre_compile
    import sre_constants as sre
    import sre_parse

_VARIANTS = 12
"""So many choices among the branches of a pattern are tried."""
_SIZES = (16, 64, 256, 1024, 4096, 16384)
_CLEAR, _LARGEST = 0.02, 1 << 16
"""Seconds from which on noise does not matter, and the longest line that is made to get there."""
_FLOOR = 0.002
"""Seconds below which work for the longest line counts as none."""
_LOOK = 0.0002
"""Seconds above which growth is looked at closely."""
_LONG = 0.25
"""Seconds that are enough to judge by."""
_HOPELESS = 12
"""Twice the line and so many times the work: larger lines would take forever."""
MOST = 3.0
"""Twice the line may take so many times the work: two if it is linear, four if it is quadratic."""
_ENDS = ("", "\0", "\n\0")
_WHOLE = frozenset({"findall", "finditer", "split", "sub", "subn"})
"""Methods that go on behind a match."""


@dataclass(frozen=True, slots=True)
class Pump:
    """A family of lines of any length."""

    start: str
    again: str
    end: str

    def line(self, size: int) -> str:
        return self.start + self.again * max(1, size // len(self.again)) + self.end


class Pumps:
    """All families of lines for one pattern."""

    def __init__(self, pattern: str | bytes, flags: int, *, lines: bool) -> None:
        """`lines`: whether a line break never meets it."""
        self._text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
        self._flags = flags & ~re.UNICODE if isinstance(pattern, bytes) else flags
        self._tree = sre_parse.parse(self._text, self._flags)
        self._breaks = "" if lines else "\n"

    @cached_property
    def _classes(self) -> list[Any]:
        return list(_classes(self._tree))

    @cached_property
    def _letters(self) -> dict[tuple[bool, ...], str]:
        """A character for each set of classes that characters can belong to."""
        accepting = [self._accepts(node) for node in self._classes]
        every = "aA1_" + "".join(map(chr, range(32, 127))) + "\té" + self._breaks
        found: dict[tuple[bool, ...], str] = {}
        for letter in every:
            found.setdefault(tuple(accepts(letter) for accepts in accepting), letter)
        return found

    def _accepts(self, node: Any) -> Callable[[str], bool]:
        one = sre_compile.compile(sre_parse.SubPattern(self._tree.state, [node]), self._flags)
        return lambda letter: one.fullmatch(letter) is not None

    def _sample(self, node: Any, *, common: bool) -> str:
        """A character of a class: one that many other classes accept, too, or few."""
        accepts = self._accepts(node)
        fitting = [(sum(where), letter) for where, letter in self._letters.items() if accepts(letter)]
        if not fitting:
            return ""
        return (max if common else min)(fitting, key=lambda pair: pair[0])[1]

    def _parts(self, nodes: Sequence[Any], variant: int, *, common: bool) -> Iterator[str]:
        """A text that fits, in parts: runs of literals, one character of each class."""
        run = ""
        for node in nodes:
            kind, value = node
            if kind is sre.LITERAL:
                run += chr(value)
                continue
            if run:
                yield run
                run = ""
            if kind in {sre.IN, sre.ANY, sre.NOT_LITERAL}:
                yield self._sample(node, common=common)
            elif kind is sre.BRANCH:
                branches = value[1]
                yield from self._parts(branches[variant % len(branches)], variant, common=common)
            else:
                yield from self._parts(_inside(kind, value), variant, common=common)
        if run:
            yield run

    def __iter__(self) -> Iterator[Pump]:
        """Each family once."""
        seen: set[Pump] = set()
        for pump in self._all():
            if pump.again and pump not in seen:
                seen.add(pump)
                yield pump

    def _all(self) -> Iterator[Pump]:
        letters = list(self._letters.values())
        for variant in range(min(_VARIANTS, _branches(self._tree))):
            for common in (True, False):
                parts = [part for part in self._parts(self._tree, variant, common=common) if part]
                for first in range(len(parts) + 1):
                    start = "".join(parts[:first])
                    again = ["".join(parts[first:last]) for last in range(first + 1, len(parts) + 1)]
                    spaced = [f"{text} " for text in again] + [f"\n{text}" for text in again if self._breaks]
                    for text in (*again, *spaced, *letters):
                        yield from (Pump(start, text, end) for end in _ENDS)


def _inside(kind: Any, value: Any) -> Sequence[Any]:
    """What a node holds, as a sequence; nothing for what takes no text."""
    name = str(kind)
    if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        return value[2]
    if name == "SUBPATTERN":
        return value[3]
    if name == "ATOMIC_GROUP":
        return value
    if name in {"ASSERT", "ASSERT_NOT"}:
        return value[1] if value[0] > 0 else ()
    return ()


def _classes(nodes: Sequence[Any]) -> Iterator[Any]:
    for node in nodes:
        kind, value = node
        if kind in {sre.IN, sre.ANY, sre.NOT_LITERAL}:
            yield node
        elif kind is sre.BRANCH:
            for branch in value[1]:
                yield from _classes(branch)
        else:
            yield from _classes(_inside(kind, value))


def _branches(nodes: Sequence[Any]) -> int:
    """The most alternatives that stand at one place."""
    most = 1
    for kind, value in nodes:
        inner = value[1] if kind is sre.BRANCH else [_inside(kind, value)]
        most = max(most, len(inner), *map(_branches, inner))
    return most


@dataclass(frozen=True, slots=True)
class Growth:
    """A family of lines on which work grows faster than the line."""

    pump: Pump
    size: int
    seconds: float
    ratio: float
    """Of the work for the line to that for half of it."""

    def __str__(self) -> str:
        again = f"{self.pump.start!r} + {self.pump.again!r} * n + {self.pump.end!r}"
        took = f"{self.seconds * 1000:.1f} ms for {self.size} characters, {self.ratio:.1f} times half of it"
        return f"{again}: {took}"


def steepest(work: Callable[[str], object], pumps: Iterator[Pump]) -> Growth | None:
    """The first family of lines of which twice the length takes more than MOST times the work."""
    for pump in pumps:
        if (found := _growth(work, pump)) is not None:
            return found
    return None


def growth(work: Callable[[str], object], pump: Pump, size: int) -> Growth | None:
    """How work grows at one large length, or at the first that takes long, when that is more than it may."""
    at = _SIZES[0]
    while at < size and _seconds(work, pump.line(at), runs=1) < _LONG:
        at *= 2
    return _measured(work, pump, at, larger=False)


def _growth(work: Callable[[str], object], pump: Pump) -> Growth | None:
    before = 0.0
    for size in _SIZES:
        took = _seconds(work, pump.line(size), runs=1)
        if took > 8 * before + _LOOK and (found := _measured(work, pump, size)) is not None:
            return found
        before = took
    return None


def _measured(work: Callable[[str], object], pump: Pump, size: int, *, larger: bool = True) -> Growth | None:
    """The growth at a length where it can be told from noise. A bounded repeat grows to its bound only."""
    half = _seconds(work, pump.line(size // 2), runs=3)
    whole = _seconds(work, pump.line(size), runs=3)
    while larger and whole < _CLEAR and whole < _HOPELESS * max(half, _LOOK) and size < _LARGEST:
        size *= 2
        half, whole = whole, _seconds(work, pump.line(size), runs=3)
    for _ in range(2):  # again, to be sure
        if whole <= MOST * half or whole <= _FLOOR:
            return None
        half = min(half, _seconds(work, pump.line(size // 2), runs=5))
        whole = min(whole, _seconds(work, pump.line(size), runs=5))
    if whole <= MOST * half:
        return None
    shorter, longer = whole, size * 2
    # A busy machine, or a bound that is soon reached, does not show at the next lengths, too.
    while shorter * MOST < _LONG:
        took = _seconds(work, pump.line(longer), runs=5)
        if took <= MOST * shorter:
            return None
        shorter, longer = took, longer * 2
    return Growth(pump, size, whole, whole / half)


def _seconds(work: Callable[[str], object], line: str, runs: int) -> float:
    """The least processor time of some runs."""
    best = float("inf")
    for _ in range(runs):
        start = process_time()
        work(line)
        best = min(best, process_time() - start)
    return best


def work_of(pattern: re.Pattern[Any], method: str) -> Callable[[str], object]:
    """What a method of a pattern does with a line."""
    if method == "sub":
        call: Callable[[Any], object] = lambda text: pattern.sub(text[:0], text)  # noqa: E731
    elif method == "finditer":
        call = lambda text: sum(1 for _ in pattern.finditer(text))  # noqa: E731
    else:
        call = getattr(pattern, method)
    if isinstance(pattern.pattern, bytes):
        return lambda text: call(text.encode("latin-1"))
    return call
