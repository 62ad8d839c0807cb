"""Known vulnerabilities of what was decided, and what keeps the lock from the releases that mend them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import PackageName, normalize
from mmlock.core.versions import allows, version
from mmlock.facts.matrix.advisories import concerning, fixes, rank
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import KnownAdvisory
from mmlock.resolve.core_solver.alternatives import NewerVersion
from mmlock.resolve.graph.builder import cite, readable
from mmlock.resolve.plan.reasons import why_not_newer
from mmlock.resolve.request.objectives import Objective

__all__ = ["Bound", "bounds", "known_advisories"]


class Bound(Struct, frozen=True, kw_only=True):
    """What something in the environment demands of the version of a package."""

    package: PackageName
    specifier: str
    who: str
    """`torch 2.11.0`, `mmengine-pkg-resources`."""


def bounds(who: str, requirements: Iterable[str]) -> Iterator[Bound]:
    """The bounds in some requirements; what is no requirement, or has no version in it, bounds nothing."""
    for text in requirements:
        if bound := _bound(text):
            yield Bound(package=bound[0], specifier=bound[1], who=who)


@lru_cache(maxsize=20_000)
def _bound(text: str) -> tuple[PackageName, str] | None:
    """The package and the bound in a requirement, which comes in each solve; None: it bounds nothing."""
    try:
        read = Requirement(text)
    except InvalidRequirement:
        return None
    specifier = str(read.specifier)
    return (normalize(read.name), specifier) if specifier else None


def known_advisories(
    matrix: Matrix,
    packages: Iterable[tuple[PackageName, str]],
    bound: Sequence[Bound],
    newer: Sequence[NewerVersion],
) -> tuple[KnownAdvisory, ...]:
    """The advisories that concern these packages in these versions, worst first."""
    found = [
        KnownAdvisory(
            package=name,
            version=text,
            id=row.id,
            severity=row.severity,
            summary=row.summary,
            fixed_in=fixes(row, text),
            url=row.url,
            kept_by=_kept_by(matrix, name, fixes(row, text), bound, newer),
            source=readable(matrix, cite("advisories", row.source, name)),
            confidence=row.confidence,
        )
        for name, text in packages
        for row in concerning(matrix.advisories(name), text)
    ]
    return tuple(sorted(found, key=lambda one: (-rank(one.severity), one.package, one.id)))


def _kept_by(
    matrix: Matrix,
    name: PackageName,
    fixed: Sequence[str],
    bound: Sequence[Bound],
    newer: Sequence[NewerVersion],
) -> str | None:
    """What keeps the first release that mends it away: a bound, or what a newer one would cost."""
    if not fixed:
        return None
    own = [one for one in bound if one.package == name and not any(allows(one.specifier, f) for f in fixed)]
    if own:
        return "; ".join(dict.fromkeys(f"{one.who} requires {name}{one.specifier}" for one in own))
    for one in newer:
        if one.taken.package != name:
            continue
        if one.best is not None and version(one.best.version or "0") < version(fixed[0]):
            return None
        if one.best is not None and one.worse is not None and one.worse.objective is Objective.UNVERIFIED:
            return f"{one.best.label} has no tested recipe for {'; '.join(one.worse.detail)}"
        return why_not_newer(matrix, one).text
    return None
