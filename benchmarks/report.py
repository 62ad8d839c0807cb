"""What a benchmark found: tables for people, the same as JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

Cell = str | int | float


def user_environ() -> dict[str, str]:
    """The environment as users have it: modules are compiled once, not at every start."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; `notes` say what its numbers stand for."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        cells = [self.columns, *(tuple(map(_shown, row)) for row in self.rows)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(self.columns))]
        lines = ["  ".join(_aligned(row, widths, self.rows)).rstrip() for row in cells]
        return "\n".join([self.title, *lines, *(f"note: {note}" for note in self.notes)])


def _shown(cell: Cell) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def _aligned(row: Sequence[str], widths: Sequence[int], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    for at, (text, width) in enumerate(zip(row, widths, strict=True)):
        words = any(isinstance(line[at], str) for line in rows)
        yield text.ljust(width) if words else text.rjust(width)


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of ratios of runs that stood next to each other."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def parser_of(text: str | None) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    return parser


def show(tables: Iterable[Table], *, as_json: bool) -> None:
    """Print tables as they come; JSON needs all of them."""
    if as_json:
        print(json.dumps([asdict(table) for table in tables], indent=1))
        return
    for table in tables:
        print(f"{table.text()}\n", flush=True)
