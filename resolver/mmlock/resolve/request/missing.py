"""Modules that a project imports and that no source provides: a lock without them would not run it."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.errors import NoAnswer
from mmlock.core.names import normalize
from mmlock.facts.matrix.load import Matrix
from mmlock.scan.packages import PackageUse

__all__ = ["require_provided"]


def require_provided(matrix: Matrix, uses: Iterable[PackageUse], allowed: Iterable[str]) -> None:
    """Raise NoAnswer that tells every such import with its place, unless it is allowed to be missing."""
    ways: dict[str, tuple[str, set[str]]] = {}
    """Module -> how it is really had, and its names."""
    for package in matrix.described.values():
        way = f"for {package.module}: `{package.install}` ({package.home})"
        ways[package.module] = way, {str(name) for name in package.distributions}
    for row in matrix.namesakes:
        names = {str(row.name), *(ways[row.module][1] if row.module in ways else ())}
        ways[row.module] = f"for {row.means}: {row.way}", names
    accepted = frozenset(allowed)
    missing = [
        (use, ways[use.module][0])
        for use in uses
        if use.module in ways and accepted.isdisjoint({normalize(use.module), *ways[use.module][1]})
    ]
    if not missing:
        return
    told = " and ".join(f"`{use.module}`" for use, _ in missing)
    raise NoAnswer(
        f"the project imports {told}, and no source provides {'it' if len(missing) == 1 else 'them'}",
        causes=[f"{use.place} imports {use.module}: a missing import" for use, _ in missing],
        hints=[
            *dict.fromkeys(way for _, way in missing),
            *(f"`--allow-missing {use.module}` locks the rest" for use, _ in missing),
            *(f"`--without {use.module}` if only a tool or a demo needs it" for use, _ in missing[:1]),
        ],
    )
