"""Jobs of one process, forgotten with it."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from mmlock.work.model import (
    Event,
    Job,
    JobKey,
    JobProgress,
    JobState,
    Outcome,
    Task,
    TaskAnswer,
    TaskFailure,
)

__all__ = ["MemoryStore", "after", "asked_again", "attempt", "new_job"]


class _Row(Struct, kw_only=True):
    task: Task
    job: Job
    beat: float
    body: bytes | None = None
    events: list[Event] = field(default_factory=list)


class MemoryStore:
    """A store without a file."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._turn = threading.Lock()

    def add(self, task: Task) -> tuple[Job, bool]:
        with self._turn:
            row = self._rows.get(task.key)
            if row is not None and not asked_again(row.job):
                return row.job, False
            now = self._clock()
            self._rows[task.key] = _Row(task=task, job=new_job(task, now), beat=now)
            return self._rows[task.key].job, True

    def get(self, key: str) -> Job | None:
        with self._turn:
            row = self._rows.get(key)
            return None if row is None else row.job

    def task(self, key: str) -> Task | None:
        with self._turn:
            row = self._rows.get(key)
            return None if row is None else row.task

    def result(self, key: str) -> bytes | None:
        with self._turn:
            row = self._rows.get(key)
            return None if row is None else row.body

    def claim(self, key: str, worker: str) -> Job | None:
        with self._turn:
            row = self._rows.get(key)
            if row is None or row.job.state is not JobState.QUEUED:
                return None
            row.beat = now = self._clock()
            row.job = replace(
                row.job,
                state=JobState.RUNNING,
                attempts=row.job.attempts + 1,
                started=now,
                worker=attempt(worker),
                progress=None,
            )
            return row.job

    def beat(self, claimed: Job) -> bool:
        with self._turn:
            row = self._running(claimed)
            if row is None:
                return False
            row.beat = self._clock()
            return True

    def finish(self, claimed: Job, outcome: Outcome) -> bool:
        with self._turn:
            row = self._running(claimed)
            if row is None:
                return False
            row.job = after(row.job, outcome, self._clock())
            row.body = outcome.body if isinstance(outcome, TaskAnswer) else None
            return True

    def give_back(self, claimed: Job) -> bool:
        with self._turn:
            row = self._running(claimed)
            if row is None:
                return False
            row.job = replace(row.job, state=JobState.QUEUED, started=None)
            return True

    def cancel(self, key: str) -> Job | None:
        with self._turn:
            row = self._rows.get(key)
            if row is None:
                return None
            if not row.job.state.over:
                row.job = replace(row.job, state=JobState.CANCELLED, ended=self._clock())
            return row.job

    def say(self, key: str, lines: Sequence[tuple[float, str]]) -> None:
        with self._turn:
            if row := self._rows.get(key):
                start = len(row.events) + 1
                row.events += [
                    Event(number=start + i, at=at, text=text) for i, (at, text) in enumerate(lines)
                ]

    def measure(self, claimed: Job, progress: JobProgress) -> None:
        with self._turn:
            if row := self._running(claimed):
                row.job = replace(row.job, progress=progress)

    def events(self, key: str, after: int = 0, *, last: int | None = None) -> tuple[Event, ...]:
        with self._turn:
            row = self._rows.get(key)
            found = [] if row is None else row.events[max(after, 0) :]
            return tuple(found if last is None else found[-last:])

    def recent(self, limit: int, kinds: Collection[str] = ()) -> tuple[Job, ...]:
        with self._turn:
            wanted = [row.job for row in self._rows.values() if not kinds or row.job.kind in kinds]
            return tuple(sorted(wanted, key=lambda job: job.queued, reverse=True)[:limit])

    def count(self) -> Mapping[JobState, int]:
        with self._turn:
            return Counter(row.job.state for row in self._rows.values())

    def silent(self, since: float) -> tuple[Job, ...]:
        with self._turn:
            rows = [r for r in self._rows.values() if r.job.state is JobState.RUNNING and r.beat < since]
            return tuple(row.job for row in rows)

    def waiting(self) -> tuple[JobKey, ...]:
        with self._turn:
            jobs = [row.job for row in self._rows.values() if row.job.state is JobState.QUEUED]
            return tuple(job.key for job in sorted(jobs, key=lambda job: job.queued))

    def prune(self, keep: int) -> int:
        with self._turn:
            over = sorted(
                (row.job for row in self._rows.values() if row.job.state.over),
                key=lambda job: job.ended or job.queued,
                reverse=True,
            )
            for job in over[keep:]:
                del self._rows[job.key]
            return len(over[keep:])

    def _running(self, claimed: Job) -> _Row | None:
        row = self._rows.get(claimed.key)
        fits = row is not None and row.job.state is JobState.RUNNING and row.job.worker == claimed.worker
        return row if fits else None


# ---------------------------------------------------------------- what every store does alike


def new_job(task: Task, now: float) -> Job:
    """The job of a task that no one has begun."""
    return Job(key=task.key, kind=task.kind, label=task.label, state=JobState.QUEUED, attempts=0, queued=now)


def attempt(worker: str) -> str:
    """The name of one attempt of a worker."""
    return f"{worker}#{secrets.token_hex(4)}"


def asked_again(job: Job) -> bool:
    """Whether asking for a job again does it again."""
    return job.state in {JobState.FAILED, JobState.CANCELLED}


def after(job: Job, outcome: Outcome, now: float) -> Job:
    """A job with its outcome."""
    if isinstance(outcome, TaskFailure):
        state = JobState.DONE if outcome.kind.settled else JobState.FAILED
        return replace(job, state=state, failure=outcome, ended=now)
    return replace(job, state=JobState.DONE, failure=None, ended=now)
