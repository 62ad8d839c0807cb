"""`mmlock solve`: the answer that is kept, else a new one."""

from __future__ import annotations

import os

from mmlock.core.arguments import SolveArguments
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.files.folders import check_target
from mmlock.resolve.loop import answer_cache

__all__ = ["requested", "solve"]


def solve(request: SolveArguments, *, progress: Progress = silent) -> Page:
    """Decide one environment; write its lock folder where the request names one.

    Raises UsageError, EnvironmentFault, MatrixError or NoAnswer. What a kept answer does not need is not
    loaded for it.
    """
    arguments = request.checked()
    if arguments.out is not None:
        check_target(arguments.out)
    arguments = requested(arguments, progress)
    if arguments.dry_run:  # what is in the folder is a part of the question, and nothing becomes of it
        arguments = _with_preferences(arguments)
    place = answer_cache.place(arguments, os.environ)
    if place and (known := answer_cache.recall(place, arguments, os.environ)) is not None:
        return known
    from mmlock.app.solving import solve as decide

    if arguments.out is None or arguments.dry_run:
        return decide(arguments, progress=progress, place=place)
    from mmlock.lock.folders import require_place
    from mmlock.upkeep.known_locks import accept

    require_place(arguments.out)
    page = decide(_with_preferences(arguments), progress=progress, place=place)
    accept(arguments.out)
    return page


def requested(arguments: SolveArguments, progress: Progress = silent) -> SolveArguments:
    """The request with what its project asks for."""
    if arguments.project is None:
        return arguments
    from mmlock.resolve.request.projects import with_project

    return with_project(arguments, progress=progress)


def _with_preferences(arguments: SolveArguments) -> SolveArguments:
    from mmlock.resolve.request.preferences import with_preferences

    return with_preferences(arguments)
