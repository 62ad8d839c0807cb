"""A sweep as rows: JSON that `sweep diff` reads again, CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import msgspec

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Form
from mmlock.farm.sweep import Point, Sweep, points

__all__ = ["COLUMNS", "as_csv", "as_json", "has_parquet", "rows", "write_parquet"]

COLUMNS = (
    "stack",
    "gpu",
    "arch",
    "python",
    "torch_asked",
    "state",
    "stop",
    "torch",
    "cuda",
    "builds",
    "packages",
)
"""What a row holds: the point, and its answer. What does not apply is empty."""


def rows(sweep: Sweep) -> Iterator[Mapping[str, str]]:
    """A row for each point, in the order of the axes."""
    return (_row(point) for point in points(sweep))


def _row(point: Point) -> Mapping[str, str]:
    found = point.answer
    made = (one for one in found.packages if one.form in {Form.BUILD, Form.TORCH_OPS})
    return {
        "stack": point.stack,
        "gpu": point.gpu,
        "arch": point.arch or "",
        "python": point.python,
        "torch_asked": point.torch,
        "state": found.state.value,
        "stop": found.stop.value if found.stop else "",
        "torch": found.torch or "",
        "cuda": found.cuda or "",
        "builds": " ".join(f"{one.name}=={one.version}" for one in made),
        "packages": " ".join(f"{one.name}=={one.version}" for one in found.packages),
    }


def as_csv(sweep: Sweep) -> str:
    """The rows as CSV (RFC 4180, lines end in a line feed)."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(sweep))
    return text.getvalue()


def as_json(sweep: Sweep) -> bytes:
    """The sweep itself, with the answers of devices that are alike once. Equal sweeps give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(sweep, order="deterministic"), indent=0) + b"\n"


def has_parquet() -> bool:
    """Whether Parquet can be written here."""
    return find_spec("pyarrow") is not None


def write_parquet(sweep: Sweep, path: Path) -> None:
    """The rows as Parquet, dictionary-encoded. Raises EnvironmentFault."""
    import pyarrow as pa
    from pyarrow import parquet

    held = list(rows(sweep))
    table = pa.table({name: [row[name] for row in held] for name in COLUMNS})
    try:
        parquet.write_table(table, path, compression="zstd")
    except (OSError, pa.ArrowException) as error:
        raise EnvironmentFault(f"`{path}` cannot be written", causes=[str(error)]) from error
