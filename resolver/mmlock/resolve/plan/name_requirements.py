"""What packages take of ordinary ones by name: requirements and bounds that nobody declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from mmlock.core.artifact import ClosedPackage
from mmlock.core.names import Confidence, PackageName, normalize, requirement_name
from mmlock.core.target import Target
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import Finding, FindingKind, Level
from mmlock.names.bounds import specifier_without
from mmlock.names.check import lacking, needs_text
from mmlock.names.needed import Needed
from mmlock.names.table import ARCHIVES, NAMES
from mmlock.names.tables import GivenTable
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.builder import cite, readable
from mmlock.resolve.graph.rows import Option
from mmlock.resolve.plan.option_requirements import requirements_of
from mmlock.resolve.request.packages import core_packages

__all__ = ["NameBound", "TakenRequirement", "closed_bounds", "names_taken", "taken_requirements"]


class TakenRequirement(Struct, frozen=True, kw_only=True):
    """An ordinary package that importing a decided one needs, with the releases that have the names."""

    name: PackageName
    specifier: str
    needs: tuple[Needed, ...]
    declared: bool
    """Whether its metadata names the package, too."""

    @property
    def text(self) -> str:
        return f"{self.name}{self.specifier}"


class NameBound(Struct, frozen=True, kw_only=True):
    """An ordinary package of a closure that takes names which another one of it lacks."""

    needer: PackageName
    version: str
    provider: PackageName
    specifier: str
    needs: tuple[Needed, ...]


def providers(matrix: Matrix) -> dict[str, PackageName]:
    """Import name -> the one ordinary distribution that brings it; without those that several bring."""
    core = core_packages(matrix)
    found = {
        row.module: row.packages[0]
        for row in matrix.modules
        if not row.core and len(row.packages) == 1 and row.packages[0] not in core
    }
    for source in matrix.name_sources:
        for module in source.modules:
            if source.package not in core:
                found.setdefault(module, source.package)
    return found


def taken_requirements(
    matrix: Matrix, option: Option, declares: Iterable[str]
) -> tuple[TakenRequirement, ...]:
    """What a decided package needs beyond its metadata. `declares`: its Requires-Dist."""
    table = matrix.names_needed(option.package or "")
    if table is None or option.version is None:
        return ()
    declared = {requirement_name(line) for line in declares}
    found = []
    known = providers(matrix)
    for top in sorted(table.tops.keys() & known.keys()):
        needs = table.binding(top, option.version)
        specifier = _specifier(matrix, known[top], needs) if needs else None
        if specifier is None or (not specifier and known[top] in declared):
            continue
        found.append(
            TakenRequirement(
                name=known[top],
                specifier=specifier,
                needs=_telling(matrix, known[top], needs),
                declared=known[top] in declared,
            )
        )
    return tuple(found)


def _specifier(matrix: Matrix, package: PackageName, needs: tuple[Needed, ...]) -> str | None:
    """The releases that have all the names; None where none that was read has: who errs is unknown."""
    table = matrix.names_given(package)
    mask = lacking(table, needs) if table else 0
    return specifier_without(table, mask, minors=_minors(matrix, package)) if table and mask else ""


def _minors(matrix: Matrix, package: PackageName) -> bool:
    return any(row.package == package and row.minors for row in matrix.name_sources)


def _telling(matrix: Matrix, package: PackageName, needs: tuple[Needed, ...]) -> tuple[Needed, ...]:
    """The needs that some release lacks; all, where none does."""
    table = matrix.names_given(package)
    return tuple(need for need in needs if table and lacking(table, (need,))) or needs


def closed_bounds(matrix: Matrix, packages: Iterable[ClosedPackage]) -> Iterator[NameBound]:
    """What ordinary packages of a closure take of others of it, and do not find there."""
    by_name: Mapping[PackageName, ClosedPackage] = {normalize(p.name): p for p in packages}
    known = providers(matrix)
    for name, package in by_name.items():
        table = matrix.names_needed(name)
        for top in sorted(table.tops.keys() & known.keys()) if table else ():
            provider = by_name.get(known[top])
            given = matrix.names_given(known[top]) if provider else None
            if table is None or provider is None or given is None:
                continue
            needs = table.binding(top, package.version)
            if not _lacks(matrix, given, provider, needs):
                continue
            if specifier := _specifier(matrix, known[top], needs):
                yield NameBound(
                    needer=name,
                    version=package.version,
                    provider=known[top],
                    specifier=specifier,
                    needs=_telling(matrix, known[top], needs),
                )


def _lacks(matrix: Matrix, given: GivenTable, provider: ClosedPackage, needs: tuple[Needed, ...]) -> bool:
    mask = lacking(given, needs)
    specifier = specifier_without(given, mask, minors=_minors(matrix, provider.name)) if mask else ""
    return bool(specifier) and not allows(specifier or "", provider.version)


def names_taken(
    matrix: Matrix,
    solution: CoreSolution,
    bounds: Iterable[NameBound],
    target: Target,
    closed: Iterable[ClosedPackage],
) -> Iterator[Finding]:
    """What the lock holds because the code takes it by name; not what others require anyway."""
    via = {package.name: frozenset(map(normalize, package.via)) for package in closed}
    for option in solution.packages():
        name = option.package
        requires, _ = requirements_of(matrix, option, target.platform)
        for one in taken_requirements(matrix, option, requires):
            if not one.specifier and via.get(one.name, frozenset()) - {name}:
                continue
            undeclared = "" if one.declared else " and does not declare it"
            added = f"keeps {one.text}" if one.specifier else f"adds {one.text}"
            yield _finding(
                matrix,
                str(name),
                f"{name} {option.version} takes {needs_text(one.needs)} when it is imported{undeclared}: "
                f"the lock {added}",
            )
    for bound in bounds:
        yield _finding(
            matrix,
            bound.needer,
            f"{bound.needer} {bound.version} takes {needs_text(bound.needs)} when it is imported: "
            f"the lock keeps {bound.provider}{bound.specifier}",
        )


def _finding(matrix: Matrix, subject: str, text: str) -> Finding:
    return Finding(
        level=Level.NOTE,
        kind=FindingKind.NAMES,
        subject=subject,
        text=text,
        source=readable(matrix, cite(NAMES, (ARCHIVES,), subject)),
        confidence=Confidence.MEASURED,
    )
