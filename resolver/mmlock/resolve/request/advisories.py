"""`--no-known-cve` for ordinary packages: what the closure may not take."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mmlock.core.names import AdvisorySeverity
from mmlock.facts.matrix.advisories import counts, safe
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.request.model import PlainRequirement

__all__ = ["advisory_constraints"]


def advisory_constraints(
    matrix: Matrix, least: str | None, core: Collection[str]
) -> Iterator[PlainRequirement]:
    """Bounds that keep ordinary packages free of known vulnerabilities so bad or worse."""
    if least is None:
        return
    for package in matrix.advisory_packages:
        if package in core:
            continue
        for row in matrix.advisories(package):
            if counts(row, AdvisorySeverity(least)):
                yield PlainRequirement(text=f"{package}{safe(row)}", via=f"--no-known-cve {least} ({row.id})")
