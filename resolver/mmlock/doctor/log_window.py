"""Lines around a match, and runs of releases: what several examiners need."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from mmlock.core.versions import version
from mmlock.doctor.model import Log, LogLine, SymptomMatch

_FILE = re.compile(
    r"""(?:File "|^\s*|\s)(?:[^"\s]*[/\\])?(?:site|dist)-packages[/\\](?P<top>\w+)[/\\](?P<rest>[^"\s:]*)"""
)
_SOURCE = re.compile(r"""File "[^"]*?[/\\](?P<top>mm\w+)[/\\](?P<rest>(?:\w+[/\\]){0,20}\w+\.py)\"""")
NEAR = 60
"""So many lines around a match may belong to it: a traceback, a step of pip."""


def _number(line: LogLine) -> int:
    return line.number


def before(log: Log, match: SymptomMatch, count: int = NEAR) -> Iterator[LogLine]:
    """The lines before the first one of a match, the nearest first."""
    end = bisect_left(log.lines, match.first, key=_number)
    yield from reversed(log.lines[max(0, end - count) : end])


def after(log: Log, match: SymptomMatch, count: int = NEAR) -> Iterator[LogLine]:
    """The lines after the first one of a match."""
    start = bisect_right(log.lines, match.first, key=_number)
    yield from log.lines[start : start + count]


def around(log: Log, match: SymptomMatch, count: int = NEAR) -> Iterator[LogLine]:
    """Those of the match itself, before it, and after it."""
    yield from match.lines
    yield from before(log, match, count)
    yield from after(log, match, count)


def blamed(log: Log, match: SymptomMatch) -> Iterator[tuple[str, str]]:
    """(package folder, file in it) of the traceback before a match, the innermost first."""
    for line in before(log, match):
        if "Traceback (most recent call last)" in line.text:
            return
        if frame := _FILE.search(line.text) or _SOURCE.search(line.text):
            yield frame["top"], frame["rest"].replace("\\", "/")


def runs(wanted: Iterable[str], known: Iterable[str]) -> str:
    """`1.13.0 to 2.1.2 and 2.4.0`: runs of releases without a gap among the known ones."""
    chosen = set(wanted)
    groups: list[list[str]] = [[]]
    for release in sorted(set(known), key=version):
        if release in chosen:
            groups[-1].append(release)
        elif groups[-1]:
            groups.append([])
    told = [run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in groups if run]
    return joined(told) or "none"


def joined(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    parts = list(words)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}" if len(parts) > 1 else "".join(parts)
