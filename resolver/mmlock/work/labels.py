"""What a task needs of a machine, as its label says it: `cpu`, `sm_120`, `cuda-toolkit,mem_gb=8`."""

from __future__ import annotations

from collections.abc import Mapping

from mmlock.core.errors import UsageError
from mmlock.work.model import ANYWHERE

__all__ = ["MEMORY", "PROCESSORS", "needs_of"]

MEMORY = "mem_gb"
PROCESSORS = "cpus"


def needs_of(label: str) -> Mapping[str, float]:
    """Each thing that a machine must have, and how much of it: 1 where the label names no amount.

    Raises UsageError for a label that is none.
    """
    needs: dict[str, float] = {}
    for part in label.split(","):
        name, equals, amount = part.strip().partition("=")
        if not name or (equals and not _is_amount(amount)):
            raise UsageError(
                f"`{label[:80]}` is not a label of a task",
                hints=["names, each with an amount: `sm_120,mem_gb=8`"],
            )
        if name != ANYWHERE:
            needs[name] = float(amount) if equals else 1.0
    return needs


def _is_amount(text: str) -> bool:
    whole, _, part = text.partition(".")
    return len(text) < 12 and whole.isdecimal() and (not part or part.isdecimal())  # noqa: PLR2004
