"""Bounds that follow from the names which a project takes: only releases that have them will do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mmlock.core.names import PackageName
from mmlock.core.requirements import Asked
from mmlock.facts.matrix.load import Matrix
from mmlock.names.bounds import specifier_without
from mmlock.names.check import lacking, needs_text
from mmlock.names.model import RunCondition
from mmlock.names.needed import Needed
from mmlock.names.tables import GivenTable

__all__ = ["name_constraints", "name_notes"]


def name_constraints(matrix: Matrix, needs: Iterable[Needed]) -> Iterator[Asked]:
    """A constraint for each package of which some releases lack what the project takes."""
    for package, table, own in _by_package(matrix, needs):
        telling = [need for need in own if lacking(table, (need,))]
        minors = any(row.package == package and row.minors for row in matrix.name_sources)
        specifier = specifier_without(table, lacking(table, telling), minors=minors) if telling else None
        if specifier:
            yield Asked(name=package, specifier=specifier, origin=f"the code takes {needs_text(telling)}")


def name_notes(matrix: Matrix, needs: Iterable[Needed]) -> Iterator[tuple[str, str]]:
    """Packages of which no release that was read has all the names: what is taken, and where."""
    for package, table, own in _by_package(matrix, needs):
        telling = [need for need in own if lacking(table, (need,))]
        if telling and specifier_without(table, lacking(table, telling), minors=False) is None:
            place = f"{telling[0].file}:{telling[0].line}"
            yield place, f"no release of {package} that was read has all of {needs_text(telling)}: no bound"


def _by_package(
    matrix: Matrix, needs: Iterable[Needed]
) -> Iterator[tuple[PackageName, GivenTable, list[Needed]]]:
    """The packages of which names are recorded, where one package alone brings the import name."""
    by_top: dict[str, list[Needed]] = {}
    for need in needs:
        if _binds(need):
            by_top.setdefault(need.module.partition(".")[0], []).append(need)
    providers = {row.module: [p for p in row.packages if p not in row.on_request] for row in matrix.modules}
    for row in matrix.name_sources:
        for module in row.modules:
            providers.setdefault(module, [row.package])
    for top, own in sorted(by_top.items()):
        packages = providers.get(top, [])
        table = matrix.names_given(packages[0]) if len(packages) == 1 else None
        if table is not None:
            yield packages[0], table, own


def _binds(need: Needed) -> bool:
    """What runs whenever a script does, and what functions in such files take without a guard."""
    return need.entry is not None and need.when in {RunCondition.ALWAYS, RunCondition.CALLED}
