"""What reading a project found, as findings of the environment."""

from __future__ import annotations

from msgspec.structs import replace

from mmlock.core.names import Confidence
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv

__all__ = ["with_project_notes"]


def with_project_notes(env: LockedEnv, notes: tuple[tuple[str, str], ...]) -> LockedEnv:
    """The environment with what reading the project found."""
    found = tuple(
        Finding(
            level=Level.NOTE,
            kind=FindingKind.PROJECT,
            subject=place,
            text=text,
            source=(place,),
            confidence=Confidence.MEASURED,
        )
        for place, text in notes
    )
    return replace(env, findings=(*env.findings, *found))
