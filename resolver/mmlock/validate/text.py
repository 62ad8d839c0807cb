"""Verdicts as lines for a person. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mmlock.validate.model import CheckRow, Hardware, Status, SuiteRun, Verdict

_WORST = 100


def lines(verdict: Verdict) -> Iterator[str]:
    """The whole verdict: result first, then what was run."""
    counts = Counter(row.status.value for suite in verdict.suites for row in suite.checks)
    told = ", ".join(f"{count} {name}" for name, count in _ordered(counts))
    yield f"{verdict.result.value}: {told or 'nothing was run'}"
    for reason in verdict.reasons:
        yield f"  {reason}"
    how = "installed for this" if verdict.fresh else "found installed"
    yield f"lock     {verdict.stack} for {', '.join(verdict.target)}: {verdict.lock_digest}"
    count = len(verdict.packages)
    yield f"runs     Python {verdict.python}, torch {verdict.torch or 'none'}, {count} packages, {how}"
    yield f"on       {hardware(verdict.hardware)}; kernels on {verdict.device}"
    for name, value in sorted(verdict.environment.items()):
        yield f"with     {name}={value}"
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in verdict.seconds.items())
    yield f"started  {verdict.started}, seed {verdict.seed}; {spent}"
    notes = [difference for difference in verdict.differences if not difference.red]
    if notes:
        yield f"besides  {', '.join(note.package for note in notes)} (not in the lock)"
    for suite in verdict.suites:
        yield ""
        yield from _suite(suite)


def _ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    return [(status.value, counts[status.value]) for status in Status if counts[status.value]]


def hardware(found: Hardware) -> str:
    """One line about a machine."""
    parts = [gpu.name + f" ({gpu.arch})" for gpu in found.gpus]
    parts += [f"driver {found.driver}"] if found.driver else []
    parts += [found.cpu or found.machine, f"{found.cores} cores"]
    parts += [f"glibc {found.glibc}"] if found.glibc else []
    return ", ".join(parts)


def _suite(suite: SuiteRun) -> Iterator[str]:
    yield f"{suite.package} ({suite.name})"
    if suite.broken:
        yield f"  does not load: {suite.broken}"
    width = max((len(row.name) for row in suite.checks), default=0)
    for row in suite.checks:
        yield from _row(row, width)


def _row(row: CheckRow, width: int) -> Iterator[str]:
    seconds = f"{row.seconds:.2f} s" if row.seconds is not None else ""
    if row.status is Status.PASSED:
        error = "exact" if row.error is None else f"error {row.error:.1e}, {share(row)} of what is allowed"
        yield f"  passed   {row.name:<{width}}  {len(row.cases):>3} cases, {error}, {seconds}"
        return
    yield f"  {row.status.value:<8} {row.name:<{width}}  {row.reason}"
    if row.status.red:
        yield from (f"           {place}" for place in row.where)
        if row.seed is not None:
            yield f"           seed {row.seed}, {seconds}"
        if row.printed:
            yield from (f"           | {line}" for line in row.printed.splitlines()[-5:])


def share(row: CheckRow) -> str:
    """How much of the tolerance was used."""
    percent = (row.ratio or 0.0) * _WORST
    return "<1%" if 0 < percent < 1 else f"{percent:.0f}%"
