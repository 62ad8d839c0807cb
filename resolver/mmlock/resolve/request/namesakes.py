"""Names under which an index does not serve what is meant: told before anything is resolved."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.errors import NoAnswer
from mmlock.core.names import PackageName
from mmlock.core.requirements import Asked
from mmlock.core.sources import COMMAND_LINE
from mmlock.core.versions import allows, version
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import IndexHolds, Namesake
from mmlock.resolve.request.model import THE_REQUEST

__all__ = ["namesakes", "real_ways", "refuse_namesakes"]

_WRONG = frozenset({IndexHolds.ANOTHER, IndexHolds.PLACEHOLDER})


def namesakes(matrix: Matrix) -> dict[PackageName, Namesake]:
    """The rows by name."""
    return {row.name: row for row in matrix.namesakes}


def refuse_namesakes(matrix: Matrix, requirements: Iterable[Asked], bound: frozenset[PackageName]) -> None:
    """Raise NoAnswer for a name that the index serves something else under.

    `bound` are packages with an index of their own, and a URL says itself what it is: both are trusted. So is
    a version that the index's project does not have, where the facts know of builds of the one that does.
    """
    rows = namesakes(matrix)
    requirements = list(requirements)
    built = {recipe.package for recipe in matrix.recipes}
    for asked in requirements:
        row = rows.get(asked.name)
        if row is None or row.holds not in _WRONG or asked.url or asked.name in bound | built:
            continue
        builds = matrix.binaries(asked.name)
        if builds and _excluded(row, requirements):
            continue
        named = [_named(row, max((build.version for build in builds), key=version))] if builds else []
        place = [] if asked.origin in {THE_REQUEST, COMMAND_LINE} else [f"`{asked.text}`: {asked.origin}"]
        raise NoAnswer(
            f"`{asked.name}` on the package index is another project than {row.means}",
            causes=[*place, f"the index has {row.found} under that name"],
            hints=[f"for {row.means}: {row.way}", *named, *_meant(row)],
        )


def _excluded(row: Namesake, requirements: Iterable[Asked]) -> bool:
    """Whether all that is asked of the name together admits nothing that the index has."""
    bounds = [asked.specifier for asked in requirements if asked.name == row.name]
    return bool(row.serves) and not any(
        all(allows(bound, one) for bound in bounds if bound) for one in row.serves
    )


def _named(row: Namesake, newest: str) -> str:
    return (
        f"a version says which is meant: `{row.name}=={newest}` takes a wheel of {row.means} that is recorded"
    )


def _meant(row: Namesake) -> list[str]:
    if row.holds is IndexHolds.PLACEHOLDER:
        return []
    return [f"if the one of the index is meant: `--index main=URL --index-package main={row.name}`"]


def real_ways(matrix: Matrix, names: Iterable[str]) -> list[str]:
    """Where these really come from, one sentence each, of those that the index serves no wheel of."""
    rows = namesakes(matrix)
    found = (rows[PackageName(name)] for name in dict.fromkeys(names) if name in rows)
    return [f"for {row.means}: {row.way}" for row in found if row.holds not in _WRONG]
