"""Verdicts as lines for a person. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from mmlock.validate.attest.trust import OWN, TrustedIdentity, TrustedKey
from mmlock.validate.conclude import concerns_of
from mmlock.validate.model import (
    CheckRow,
    Concern,
    ConcernKind,
    Difference,
    DifferenceKind,
    Hardware,
    Status,
    SuiteRun,
    Verdict,
)
from mmlock.validate.proven import PassedOver
from mmlock.validate.store import VerdictBinding

__all__ = [
    "binding_lines",
    "concern",
    "concerns",
    "difference",
    "hardware",
    "lines",
    "passed_over",
    "share",
    "signed_with",
]

_WORST = 100


def lines(verdict: Verdict) -> Iterator[str]:
    """The whole verdict: result first, then what was run."""
    counts = Counter(row.status.value for suite in verdict.suites for row in suite.checks)
    summary = ", ".join(f"{count} {name}" for name, count in _ordered(counts))
    yield f"{verdict.result.value}: {summary or 'no kernel ran'}"
    yield from (f"  {line}" for line in concerns(verdict))
    how = "freshly installed" if verdict.fresh else "an existing environment"
    yield f"lock     {verdict.stack} for {', '.join(verdict.target)}: {verdict.lock_digest}"
    count = len(verdict.packages)
    yield f"ran      Python {verdict.python}, torch {verdict.torch or 'none'}, {count} packages, {how}"
    yield f"on       {hardware(verdict.hardware)}; kernels on {verdict.device}"
    for name, value in sorted(verdict.environment.items()):
        yield f"with     {name}={value}"
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in verdict.seconds.items())
    yield f"started  {verdict.started}, seed {verdict.seed}; {spent}"
    extra = [one.package for one in verdict.differences if not one.red]
    if extra:
        yield f"extra    {', '.join(extra)} (not in the lock)"
    for suite in verdict.suites:
        yield ""
        yield from _suite(suite)


def concerns(verdict: Verdict) -> Iterator[str]:
    """Why a verdict is not PASSED, one line each."""
    return (concern(one) for one in concerns_of(verdict))


def concern(one: Concern) -> str:
    """One reason why a validation did not pass."""
    if one.kind is ConcernKind.DIFFERENCE and one.difference is not None:
        return difference(one.difference)
    if one.kind is ConcernKind.CHECK and one.suite is not None and one.check is not None:
        return f"{one.suite.name} {one.check.name}: {one.check.reason or one.check.status.value}"
    package = one.suite.package if one.suite is not None else ""
    if one.kind is ConcernKind.LOADING and one.suite is not None:
        return f"{package} does not load: {one.suite.broken}"
    if one.kind is ConcernKind.IDLE_SUITE:
        return f"no kernel of {package} could run"
    if one.kind is ConcernKind.TORCH:
        return f"torch cannot be used: {one.detail}"
    return _CONCERNS[one.kind]


_CONCERNS: Mapping[ConcernKind, str] = {
    ConcernKind.NOTHING_RAN: "no kernel ran",
    ConcernKind.OFF_TARGET: "the hardware is not what the lock is for",
}


def difference(one: Difference) -> str:
    """In what an installed package differs from the lock."""
    return f"{one.package}: " + _DIFFERENCES[one.kind].format(
        locked=one.locked, installed=one.installed, detail=one.detail
    )


_DIFFERENCES: Mapping[DifferenceKind, str] = {
    DifferenceKind.PYTHON: "{installed} is installed, the lock is for {locked}",
    DifferenceKind.MISSING: "{locked} is locked and not installed",
    DifferenceKind.VERSION: "{installed} is installed, {locked} is locked",
    DifferenceKind.BYTES: "installed from an archive with sha256 {installed}, which is not in the lock",
    DifferenceKind.FILES: "{detail}",
    DifferenceKind.EXTRA: "{installed} is installed and not in the lock",
}


def passed_over(one: PassedOver) -> str:
    """One verdict that does not count, and why."""
    return f"verdict ignored: {one.reason}"


def signed_with(signer: TrustedKey | TrustedIdentity) -> str:
    """Whose signature it is, and where it is said that this one is trusted."""
    if signer.origin == OWN:
        return OWN
    what = "the identity" if isinstance(signer, TrustedIdentity) else "the key"
    return f"{what} of {signer.name} (trusted by {signer.origin})"


def binding_lines(bound: Mapping[str, VerdictBinding]) -> Iterator[str]:
    """Which files beside a verdict are the signed ones."""
    same = [name for name, binding in bound.items() if binding is VerdictBinding.SAME]
    if same:
        yield f"signed for {', '.join(same)}, as they are"
    for name, binding in bound.items():
        if binding is VerdictBinding.CHANGED:
            yield f"{name} was written again since and installs the same; `mmlock verdict sign` signs for it"
        elif binding is VerdictBinding.MISSING:
            yield f"{name} was signed for and is missing"


def _ordered(counts: Counter[str]) -> list[tuple[str, int]]:
    return [(status.value, counts[status.value]) for status in Status if counts[status.value]]


def hardware(machine: Hardware) -> str:
    """One line about a machine."""
    parts = [gpu.name + f" ({gpu.arch})" for gpu in machine.gpus]
    parts += [f"driver {machine.driver}"] if machine.driver else []
    parts += [machine.cpu or machine.machine, f"{machine.cores} cores"]
    parts += [f"glibc {machine.glibc}"] if machine.glibc else []
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
        error = "exact" if row.error is None else f"error {row.error:.1e}, {share(row)} of the tolerance"
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
