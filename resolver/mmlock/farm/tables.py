"""A sweep as rows: JSON that `sweep diff` reads again, CSV, and Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from importlib.util import find_spec

import msgspec

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Form
from mmlock.farm.sweep import Sweep, SweepGroup, answers_of, placed
from mmlock.resolve.loop.sweep import PointAnswer

__all__ = ["COLUMNS", "as_csv", "as_json", "as_parquet", "has_parquet", "rows"]

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

Row = tuple[str, ...]


def rows(sweep: Sweep) -> Iterator[Row]:
    """A row for each point, in the order of the axes. Devices that are alike share what is said of them."""
    ends: dict[int, list[Row]] = {}
    for stack, gpu, group in placed(sweep):
        if id(group) not in ends:
            ends[id(group)] = [_end(group, *point) for point in answers_of(sweep, group)]
        for end in ends[id(group)]:
            yield (stack, gpu, *end)


def _end(group: SweepGroup, python: str, torch: str, found: PointAnswer) -> Row:
    """The columns after the device."""
    made = (one for one in found.packages if one.form in {Form.BUILD, Form.TORCH_OPS})
    return (
        group.arch or "",
        python,
        torch,
        found.state.value,
        found.stop.value if found.stop else "",
        found.torch or "",
        found.cuda or "",
        " ".join(f"{one.name}=={one.version}" for one in made),
        " ".join(f"{one.name}=={one.version}" for one in found.packages),
    )


def as_csv(sweep: Sweep) -> str:
    """The rows as CSV (RFC 4180, lines end in a line feed)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(sweep))
    return text.getvalue()


def as_json(sweep: Sweep) -> bytes:
    """The sweep itself, with the answers of devices that are alike once. Equal sweeps give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(sweep, order="deterministic"), indent=0) + b"\n"


def has_parquet() -> bool:
    """Whether Parquet can be written here."""
    return find_spec("pyarrow") is not None


def as_parquet(sweep: Sweep) -> bytes:
    """The rows as Parquet: text columns, null for what does not apply, compressed with zstd.

    Raises EnvironmentFault where pyarrow cannot be used.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise EnvironmentFault(
            "Parquet needs pyarrow, which cannot be used",
            causes=[str(error)],
            hints=["install it: `pip install 'mmlock[parquet]'`"],
        ) from error
    columns = zip(*rows(sweep), strict=True)
    schema = pa.schema([(name, pa.string()) for name in COLUMNS])
    arrays = [pa.array([cell or None for cell in column], pa.string()) for column in columns]
    table = pa.Table.from_arrays(arrays, schema=schema) if arrays else schema.empty_table()
    written = io.BytesIO()
    parquet.write_table(table, written, compression="zstd")
    return written.getvalue()
