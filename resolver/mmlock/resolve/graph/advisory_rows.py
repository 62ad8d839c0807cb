"""`--no-known-cve`: a constraint on every package that the core decides."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.names import AdvisorySeverity, Confidence
from mmlock.facts.matrix.advisories import Advisory, concerning, counts
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.rows import ConstraintKind, Group, Option, Rejection, UserConstraint

__all__ = ["constrain_advisories"]


def constrain_advisories(builder: GraphBuilder, least: AdvisorySeverity) -> None:
    """Only versions without a known vulnerability of that severity or worse."""
    matrix = builder.matrix

    def against(option: Option) -> Iterator[Advisory]:
        if option.package is not None and option.version is not None:
            rows = (row for row in matrix.advisories(option.package) if counts(row, least))
            yield from concerning(rows, option.version)

    parts: list[tuple[str, Group]] = []
    for slot, indices in builder.slots.items():
        kept = builder.group(slot, f"advisories:{least}", lambda one: next(against(one), None) is None)
        if len(kept) < len(indices):
            parts.append((slot, kept))

    def reject(option: Option) -> Rejection:
        found = tuple(against(option))
        if not found:  # only asked of what is no member
            return Rejection(text=option.label, source=option.source, confidence=Confidence.INFERRED)
        worst = found[0]
        mended = f", mended in {worst.fixed_in[0]}" if worst.fixed_in else ", no fix known"
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        rated = worst.severity.value if worst.severity is not None else "not rated"
        return Rejection(
            text=f"{option.label} has {worst.id} ({rated}{mended}){more}",
            source=cite("advisories", worst.source, option.package),
            confidence=worst.confidence,
        )

    if parts:
        builder.user_constraints.append(
            UserConstraint(
                name=f"--no-known-cve {least}",
                kind=ConstraintKind.ADVISORY,
                parts=tuple(parts),
                reject=reject,
            )
        )
