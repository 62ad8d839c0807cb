"""What the wheelhouse records of a build, beside its wheel."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mmlock.wheels import provenance

__all__ = ["entry_of", "moment_text"]


def entry_of(made: provenance.Made, version: str) -> dict[str, Any]:
    """What the wheelhouse notes down, as far as it is known before the wheel is whole."""
    plan = made.plan
    return {
        "package": plan.step.package,
        "version": version,
        "python": plan.python,
        "platform": plan.platform.value,
        "torch": plan.torch,
        "archs": list(plan.archs),
        "recipe": plan.step.recipe,
        "toolchain": plan.step.toolchain.name,
        "compiler": made.compiler.identity if made.compiler else None,
        "network": made.network,
        "inputs": dict(made.inputs),
    }


def moment_text(when: datetime) -> str:
    """A time as statements have it."""
    return when.replace(microsecond=0).isoformat().replace("+00:00", "Z")
