"""What a handler did, as an outcome: errors of ours say why, any other is a bug with its traceback."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from mmlock.core.errors import EnvironmentFault, MatrixError, MmlockError, NoAnswer, UsageError
from mmlock.core.progress import Progress
from mmlock.work.model import FailureKind, Handler, Outcome, Task, TaskAnswer, TaskFailure

__all__ = ["failure_of", "perform"]

_KINDS: tuple[tuple[type[MmlockError], FailureKind], ...] = (
    (NoAnswer, FailureKind.NO_ANSWER),
    (UsageError, FailureKind.USAGE),
    (MatrixError, FailureKind.MATRIX),
    (EnvironmentFault, FailureKind.SURROUNDINGS),
)


def perform(handlers: Mapping[str, Handler], task: Task, progress: Progress) -> Outcome:
    """Do a task here and now. Nothing that a handler raises comes out, except what ends the process."""
    handler = handlers.get(task.kind)
    if handler is None:
        return TaskFailure(
            kind=FailureKind.SURROUNDINGS,
            message=f"this worker does not know tasks of the kind `{task.kind}`",
            hints=("run the same mmlock on the server and on its workers",),
        )
    try:
        return TaskAnswer(body=handler(task.arguments, progress))
    except MmlockError as error:
        return failure_of(error)
    except MemoryError:
        return TaskFailure(kind=FailureKind.SURROUNDINGS, message="the job ran out of memory")
    except Exception as error:  # noqa: BLE001 - the log of the job has it; the worker lives on
        for line in traceback.format_exc().splitlines():
            progress(line)
        return TaskFailure(
            kind=FailureKind.CRASH,
            message=f"mmlock failed: {type(error).__name__}",
            hints=("this is a bug: please report it with the log of the job",),
        )


def failure_of(error: MmlockError) -> TaskFailure:
    """An error as the value that a job keeps."""
    kind = next((kind for of, kind in _KINDS if isinstance(error, of)), FailureKind.SURROUNDINGS)
    return TaskFailure(
        kind=kind, message=error.message, causes=error.causes, hints=error.hints, sources=error.sources
    )
