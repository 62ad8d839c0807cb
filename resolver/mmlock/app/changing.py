"""`mmlock build` and `mmlock validate` change a lock: one that its user knows stays known."""

from __future__ import annotations

from mmlock.core.build_arguments import BuildArguments
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.core.validate_arguments import ValidateArguments
from mmlock.upkeep.known_locks import stays_known

__all__ = ["build", "validate"]


def build(arguments: BuildArguments, *, progress: Progress = silent) -> Page:
    """Run the steps of a lock and seal it. Raises EnvironmentFault or UsageError."""
    from mmlock.doctor.build_log import explain_log
    from mmlock.wheels.sealing import build as seal

    with stays_known(arguments.lock):
        return seal(arguments, explain_log, progress=progress)


def validate(arguments: ValidateArguments, *, progress: Progress = silent) -> Page:
    """Install a lock, or take an interpreter, and run its kernels. Raises EnvironmentFault or UsageError."""
    from mmlock.validate.validate import validate as run

    with stays_known(arguments.lock):
        return run(arguments, progress=progress)
