"""Which rows a refresh wrote: one of their source keys ends in the day of reading. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from msgspec import Struct, structs

from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.model import Document, IndexRow

__all__ = ["dated", "is_refreshed", "lay_over", "read_on", "seen_on"]

_DAY = re.compile(r"-\d{4}-\d{2}-\d{2}$")

Row = TypeVar("Row", bound=Struct)


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


def is_refreshed(row: Any) -> bool:
    """Whether a refresh wrote the row, or changed it."""
    return any(_DAY.search(key) for key in row.source)


def lay_over(
    committed: Document[Any] | None, schema: str, rows: Iterable[Any], sources: Mapping[str, str]
) -> tuple[list[Any], dict[str, str]]:
    """Rows from elsewhere under those that a refresh wrote, with the sources of both.

    What was read from the index last is nearer to the truth than what was collected before it.
    """
    if committed is None:
        return list(rows), dict(sources)
    newer = [row for row in committed.rows if is_refreshed(row)]
    held = {_place(schema, row) for row in newer}
    kept = [row for row in rows if _place(schema, row) not in held]
    return [*kept, *newer], {**committed.sources, **sources}


def _place(schema: str, row: Any) -> tuple[Any, ...]:
    """What a refresh speaks of as one: a whole directory of OpenMMLab's index, else a row."""
    if isinstance(row, IndexRow):
        return (row.directory,)
    return tuple(getattr(row, name) for name in SECTIONS[schema].key)
