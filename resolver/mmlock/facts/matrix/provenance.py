"""Which rows a refresh wrote, and when: the day is in the key while it reads, and in the text afterwards.

A file keeps one key for each way in which it was read, however often: its text spans the days. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec import Struct, structs

__all__ = ["cited", "dated", "read_on", "seen_on", "settled"]

_DAY = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_ONE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAYS = re.compile(r"\d{4}-\d{2}-\d{2}(?: to \d{4}-\d{2}-\d{2})?")
_READ = re.compile(r",? ?\(?(?:read )?\d{4}-\d{2}-\d{2}(?: to \d{4}-\d{2}-\d{2})?\)?")
"""A day, or several, as a source text states it: what two readings of one page may differ in."""

Row = TypeVar("Row", bound=Struct)


def cited(section: str, keys: Iterable[str], package: str | None = None) -> tuple[str, ...]:
    """Source keys made findable from anywhere: `releases/mmdet#scan`. Those that are so already stay."""
    place = f"{section}/{package}" if package else section
    return tuple(key if "#" in key else f"{place}#{key}" for key in keys)


def dated(key: str, day: str) -> str:
    """`pypi-list` -> `pypi-list-2026-11-21`: the key of what was read on that day."""
    return f"{_DAY.sub('', key)}-{day}"


def read_on(day: str, rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows all of whose sources were read on that day."""
    return tuple(
        structs.replace(row, source=tuple(dated(key, day) for key in row.source))  # type: ignore[attr-defined]
        for row in rows
    )


def seen_on(row: Row, source: str) -> Row:
    """A known row of which a dated source told something new: it keeps its other sources."""
    stem = _DAY.sub("", source)
    kept = [key for key in row.source if _DAY.sub("", key) != stem or key == stem]  # type: ignore[attr-defined]
    return structs.replace(row, source=(*kept, source))


def settled(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Sources of a new reading among those of a file: its keys -> keys to keep, and the texts of these.

    `pypi-list-2026-11-28` becomes `pypi-list`, whose text then names the days of both readings. A text that
    says something else gets a key of its own: `pypi-list-2`.
    """
    keys: dict[str, str] = {}
    texts: dict[str, str] = {}
    for key, text in sorted(new.items()):
        stem = _DAY.sub("", key)
        at, number = stem, 1
        while (known := {**old, **texts}.get(at)) is not None and _bare(known) != _bare(text):
            number += 1
            at = f"{stem}-{number}"
        keys[key] = at
        texts[at] = text if known is None else _spanning(known, text)
    return keys, texts


def _bare(text: str) -> str:
    """A source text without its days."""
    return _READ.sub("", text)


def _spanning(old: str, new: str) -> str:
    """The newer of two texts that differ in their days, with the days of both."""
    days = sorted(_ONE.findall(f"{old} {new}"))
    if not days:
        return new
    span = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    return _DAYS.sub(span, new, count=1) if _DAYS.search(new) else f"{new}, read {span}"
