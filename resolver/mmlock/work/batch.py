"""Many tasks at once: those whose results are kept are not done again, the others go to an executor.

Every result is kept as soon as it is there, so that a batch that was interrupted goes on where it was.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault
from mmlock.core.progress import Progress, advance, silent
from mmlock.work.kept import KeptResults
from mmlock.work.model import (
    Executor,
    FailureKind,
    JobKey,
    JobState,
    Outcome,
    Store,
    Task,
    TaskAnswer,
    TaskFailure,
)

__all__ = ["Batch", "run_batch"]

_LOOK = 2.0
"""Seconds after which jobs are looked at even though nobody told that one changed."""

Start = Callable[[], "tuple[Executor, Store]"]
"""Makes the executor and its store, when something is left to do."""


class Batch(Struct, frozen=True, kw_only=True):
    """What became of all tasks."""

    outcomes: Mapping[JobKey, Outcome]
    kept: int
    """How many results were there already."""
    done: int
    """How many tasks were done now."""


def run_batch(
    tasks: Iterable[Task],
    start: Start,
    *,
    kept: KeptResults,
    fresh: bool = False,
    progress: Progress = silent,
) -> Batch:
    """The outcome of each task. Equal tasks are one. `fresh`: do all of them again.

    Raises EnvironmentFault where results cannot be kept or the executor goes away; what is done stays kept.
    """
    wanted = {task.key: task for task in tasks}
    outcomes: dict[JobKey, Outcome] = {}
    if not fresh:
        for key in wanted:
            if (body := kept.get(key)) is not None:
                outcomes[key] = TaskAnswer(body=body)
    known = len(outcomes)
    left = [task for key, task in wanted.items() if key not in outcomes]
    if left:
        executor, store = start()
        try:
            _run(left, executor, store, kept, outcomes, progress)
        finally:
            executor.close()
    return Batch(outcomes=outcomes, kept=known, done=len(left))


def _run(
    left: list[Task],
    executor: Executor,
    store: Store,
    kept: KeptResults,
    outcomes: dict[JobKey, Outcome],
    progress: Progress,
) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    end = executor.listen(heard.put)
    open_ = {task.key: task for task in left}
    total = len(open_)
    told: dict[str, int] = {}
    try:
        for task in left:
            executor.submit(task)
        while open_:
            changed: Iterable[str] = tuple(open_)
            with suppress(queue.Empty):
                changed = (heard.get(timeout=_LOOK),)
            for key in changed:
                _tell(store, key, told, progress)
                outcome = _outcome(store, key) if key in open_ else None
                if outcome is None:
                    continue
                task = open_.pop(JobKey(key))
                outcomes[task.key] = outcome
                if isinstance(outcome, TaskAnswer):
                    kept.put(task.key, outcome.body)
                advance(progress, task.kind, total - len(open_), total)
    except BaseException:
        for key in open_:  # what was done before it went wrong needs not be done again
            with suppress(EnvironmentFault):
                if isinstance(outcome := _outcome(store, key), TaskAnswer):
                    kept.put(key, outcome.body)
        raise
    finally:
        end()


def _tell(store: Store, key: str, told: dict[str, int], progress: Progress) -> None:
    """Pass on what a job says of itself."""
    for event in store.events(key, told.get(key, 0)):
        told[key] = event.number
        progress(event.text)


def _outcome(store: Store, key: str) -> Outcome | None:
    """What became of a job; None: it is not over."""
    job = store.get(key)
    if job is None:
        raise EnvironmentFault("the executor forgot a job", hints=["run the same command again"])
    if not job.state.over:
        return None
    if job.failure is not None:
        return job.failure
    body = store.result(key)
    if job.state is JobState.DONE and body is not None:
        return TaskAnswer(body=body)
    return TaskFailure(kind=FailureKind.LOST, message="the job was cancelled")
