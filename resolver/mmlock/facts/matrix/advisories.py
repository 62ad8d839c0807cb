"""Known vulnerabilities of packages: what a row says, and which versions it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from mmlock.core.names import AdvisorySeverity, Confidence
from mmlock.core.versions import InvalidVersion, allows, version

__all__ = ["Advisory", "advisory_text", "concerning", "counts", "fixes", "safe"]


class Advisory(Struct, frozen=True, kw_only=True):
    """A known vulnerability of a package. Files `advisories/PACKAGE.json`, key `id`."""

    id: str
    """The CVE where there is one, else what the database calls it."""
    aliases: tuple[str, ...]
    """Its other names: `PYSEC-2025-194`, `GHSA-rrmf-rvhw-rf47`."""
    summary: str
    affected: tuple[str, ...]
    """PEP 440 specifiers: what one of them admits is affected. Where databases differ, all of them."""
    fixed_in: tuple[str, ...]
    """Versions that mend it, as the databases say; empty: none is known."""
    severity: AdvisorySeverity | None
    """None: nobody rated it, or the rating was not read."""
    url: str
    """The page of the advisory."""
    source: tuple[str, ...]
    confidence: Confidence
    note: str | None = None
    """What the databases disagree about, or who disputes it."""


def concerning(rows: Iterable[Advisory], text: str) -> Iterator[Advisory]:
    """The advisories that concern a version, worst first."""
    try:
        public = version(text).public
    except InvalidVersion:
        return
    found = [row for row in rows if any(allows(span, public) for span in row.affected)]
    yield from sorted(found, key=lambda row: (-rank(row.severity), row.id))


def rank(severity: AdvisorySeverity | None) -> int:
    """For an order by severity: what nobody rated goes after what someone did."""
    return -1 if severity is None else severity.rank


def counts(row: Advisory, least: AdvisorySeverity) -> bool:
    """Whether a bound at a severity means it. One without a rating may be as bad as any, so it does."""
    return row.severity is None or row.severity.rank >= least.rank


def fixes(row: Advisory, text: str) -> tuple[str, ...]:
    """The versions after `text` that mend it, lowest first."""
    later = {one for one in row.fixed_in if version(one) > version(text)}
    return tuple(sorted(later, key=version))


def advisory_text(row: Advisory) -> str:
    """One line about a vulnerability."""
    rated = row.severity.value if row.severity is not None else "not rated"
    mended = f"mended in {', '.join(row.fixed_in)}" if row.fixed_in else "no fix known"
    return f"{row.id} ({rated}): {row.summary}; affects {' or '.join(row.affected)}; {mended}"


def safe(row: Advisory) -> str:
    """A PEP 440 specifier of versions that it does not concern, newest if there is a choice.

    `>=83.0.0` where a release mends it; else what is after the last, or before the first affected one. It
    admits nothing (`<0`) where every version is affected.
    """
    if row.fixed_in:
        return f">={max(row.fixed_in, key=version)}"
    bounds = [clause.strip() for span in row.affected for clause in span.split(",")]
    if ends := [clause.removeprefix("<=") for clause in bounds if clause.startswith("<=")]:
        return f">{max(ends, key=version)}"
    if starts := [clause.removeprefix(">=") for clause in bounds if clause.startswith(">=")]:
        return f"<{min(starts, key=version)}"
    if named := [clause.removeprefix("==") for clause in bounds if clause.startswith("==")]:
        return ",".join(f"!={one}" for one in sorted(named, key=version))
    return "<0"
