"""Releases that lack a name -> the PEP 440 specifier that leaves them out."""

from __future__ import annotations

from mmlock.core.versions import version
from mmlock.names.tables import GivenTable

__all__ = ["specifier_without"]


def specifier_without(table: GivenTable, mask: int, *, minors: bool) -> str | None:
    """What excludes those releases, as few clauses as can be; None where nothing would be left.

    `minors`: each recorded release stands for all of its minor release. Releases newer than all that were
    read are taken to be as the newest.
    """
    spans = table.text.spans
    mask &= spans.all
    if mask == spans.all:
        return None
    count = len(spans.releases)
    first = next(at for at in range(count) if not mask >> at & 1)
    last = next(at for at in reversed(range(count)) if not mask >> at & 1)
    clauses = []
    if first:
        clauses.append(f">={_series(spans.releases[first]) if minors else spans.releases[first]}")
    if last + 1 < count:
        gone = spans.releases[last + 1]
        clauses.append(f"<{_series(gone) if minors else gone}")
    clauses += [
        f"!={_series(spans.releases[at])}.*" if minors else f"!={spans.releases[at]}"
        for at in range(first, last)
        if mask >> at & 1
    ]
    return ",".join(clauses)


def _series(release: str) -> str:
    return ".".join(map(str, version(release).release[:2]))
