"""Bounds on packages that follow from what is imported of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from mmlock.facts.matrix.curated import Submodule
from mmlock.scan.model import RunCondition, SourceLine
from mmlock.scan.packages import PackageUse

__all__ = ["ImportBound", "import_bounds"]

_RUNS = frozenset({RunCondition.ALWAYS, RunCondition.IF})


class ImportBound(Struct, frozen=True, kw_only=True):
    """A bound that an import sets: only such releases have what is imported."""

    module: str
    """The import name of the package: `mmcv`."""
    specifier: str
    submodule: str
    """What is imported: `mmcv.runner`."""
    place: SourceLine


def import_bounds(used: Iterable[PackageUse], known: Iterable[Submodule]) -> Iterator[ImportBound]:
    """The bounds of imports that always run, each once, at the first place that sets it."""
    rows = {row.name: row for row in known}
    for use in used:
        seen: set[str] = set()
        for taken in sorted(use.submodules, key=lambda one: one.place):
            parts = taken.name.split(".")
            row = rows.get(".".join(parts[:2])) if taken.when in _RUNS else None
            if row and row.versions not in seen:
                seen.add(row.versions)
                yield ImportBound(
                    module=use.module, specifier=row.versions, submodule=row.name, place=taken.place
                )
