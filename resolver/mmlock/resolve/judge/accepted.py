"""What becomes of the judge's objections: a refusal, or doubts that the lock names."""

from __future__ import annotations

from msgspec.structs import replace

from mmlock.core.errors import NoAnswer
from mmlock.core.names import Confidence
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv, ReasonKind

__all__ = ["accepted"]


def accepted(matrix: Matrix, env: LockedEnv) -> LockedEnv:
    """The environment with the judge's doubts as findings. Raises NoAnswer when it refuses."""
    from mmlock.resolve.judge import Rule, Severity, judge

    objections = judge(env, matrix)
    refused = [o for o in objections if o.severity is Severity.REFUSE]
    if refused:
        raise NoAnswer(
            "the solution fails a second check",
            causes=[f"{o.subject}: {o.text}" for o in refused],
            hints=["this is a bug in mmlock or in its facts: please report it with the command you ran"],
        )
    doubts = tuple(
        Finding(
            level=Level.NOTE,
            kind=FindingKind.UNCHECKED,
            subject=o.subject,
            text=f"not checked: {o.text}",
            source=o.source,
            confidence=Confidence.INFERRED,
        )
        for o in objections
        if o.severity is Severity.UNKNOWN and not (o.rule is Rule.ARCHS and _read(env, o.subject))
    )
    return replace(env, findings=(*env.findings, *doubts))


def _read(env: LockedEnv, subject: str) -> bool:
    """Whether the wheel's own files were read, which tells more than the matrix knows."""
    return any(p.name == subject and any(r.kind is ReasonKind.ABI for r in p.reasons) for p in env.packages)
