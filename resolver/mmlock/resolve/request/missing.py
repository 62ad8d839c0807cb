"""Modules that a project imports and that no source provides: a lock without them would not run it."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.errors import NoAnswer
from mmlock.core.names import normalize
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Namesake
from mmlock.scan.packages import PackageUse

__all__ = ["require_provided"]


def require_provided(matrix: Matrix, uses: Iterable[PackageUse], allowed: Iterable[str]) -> None:
    """Raise NoAnswer that tells every such import with its place, unless it is allowed to be missing."""
    rows: dict[str, list[Namesake]] = {}
    for row in matrix.namesakes:
        rows.setdefault(row.module, []).append(row)
    accepted = frozenset(allowed)
    missing = [
        (use, rows[use.module][0])
        for use in uses
        if use.module in rows
        and accepted.isdisjoint({normalize(use.module), *(row.name for row in rows[use.module])})
    ]
    if not missing:
        return
    names = " and ".join(f"`{use.module}`" for use, _ in missing)
    raise NoAnswer(
        f"the project imports {names}, and no source provides {'it' if len(missing) == 1 else 'them'}",
        causes=[f"{use.place} imports {use.module}: a missing import" for use, _ in missing],
        hints=[
            *dict.fromkeys(f"for {row.means}: {row.way}" for _, row in missing),
            *(f"`--allow-missing {use.module}` locks the rest" for use, _ in missing),
            *(f"`--without {use.module}` if only a tool or a demo needs it" for use, _ in missing[:1]),
        ],
    )
