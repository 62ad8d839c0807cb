"""What the judge says."""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import StrEnum


class Severity(StrEnum):
    """How much an objection weighs."""

    REFUSE = "refuse"  # a fact contradicts the lock
    UNKNOWN = "unknown"  # no fact decides it; not a yes


class Objection(Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a lock, or that nobody knows."""

    severity: Severity
    rule: str
    """Name of the rule that objects (`asserts`, `archs`)."""
    subject: str
    """The package, device or variable it is about."""
    text: str
    source: tuple[str, ...] = ()
    """Readable; empty where the lock itself is the evidence."""
