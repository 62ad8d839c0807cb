"""Faults of the files that say which names packages give and need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mmlock.core.errors import MatrixError
from mmlock.core.names import PackageName
from mmlock.facts.matrix.location import name_files
from mmlock.names.table import TableKind, read_table, table_path

__all__ = ["name_faults"]


def name_faults(root: Path) -> Iterator[tuple[PurePosixPath, str]]:
    """Each file that cannot be read, or is in the wrong place, with what is wrong."""
    for path in name_files(root):
        kind = next((kind for kind in TableKind if str(path) == table_path(kind, path.stem)), None)
        if kind is None:
            yield path, "no such file of names is known"
            continue
        try:
            text = (root / path).read_text(encoding="utf-8")
            table = read_table(text, kind, PackageName(path.stem))
            if list(table.blocks) != sorted(table.blocks):
                yield path, "its modules are not in order"
            for module in table.blocks:
                for _ in table.lines(module):
                    pass
        except (MatrixError, UnicodeDecodeError) as fault:
            yield path, "; ".join(fault.causes) if isinstance(fault, MatrixError) else str(fault)
