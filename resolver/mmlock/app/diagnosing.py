"""`mmlock doctor`: the diagnosis, with the solver and uv at hand for repairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mmlock.core.doctor_arguments import DoctorArguments
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.doctor.doctor import doctor as diagnosed

if TYPE_CHECKING:
    from mmlock.doctor.apply import Hands

__all__ = ["doctor"]

Confirm = Callable[[str], bool]


def doctor(
    arguments: DoctorArguments, *, progress: Progress = silent, confirm: Confirm = lambda _: False
) -> Page:
    """The report. Raises UsageError, EnvironmentFault, MatrixError or NoAnswer.

    `confirm` is shown the plan of an `--apply`, and says whether it may be carried out.
    """

    def hands() -> Hands:
        from mmlock.app.solving import solve
        from mmlock.doctor.apply import Hands
        from mmlock.wheels.find_uv import find_uv

        return Hands(
            solve=lambda request: solve(request, progress=progress),
            find_uv=lambda: find_uv(offline=arguments.offline, progress=progress),
            confirm=confirm,
        )

    return diagnosed(arguments, hands, progress=progress)
