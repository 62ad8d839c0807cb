"""Which rows a refresh wrote: one of their source keys ends in the day of reading. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct, structs

__all__ = ["cited", "dated", "read_on", "seen_on"]

_DAY = re.compile(r"-\d{4}-\d{2}-\d{2}$")

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
