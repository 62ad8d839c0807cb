"""A task, the job that does it, and what comes of it; who runs jobs, and who remembers them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NewType, Protocol

from msgspec import Struct

from mmlock.core.errors import MmlockError
from mmlock.core.names import StrEnum
from mmlock.core.progress import Progress

__all__ = [
    "ANYWHERE",
    "Busy",
    "Event",
    "Executor",
    "FailureKind",
    "Handler",
    "Job",
    "JobKey",
    "JobProgress",
    "JobState",
    "Outcome",
    "Store",
    "Task",
    "TaskAnswer",
    "TaskFailure",
]

JobKey = NewType("JobKey", str)
"""64 hex digits: the address of a task's result, and the name of the job that makes it."""
Handler = Callable[[bytes, Progress], bytes]
"""Does a task of one kind: its arguments in, its result out. What stops it is an MmlockError."""

ANYWHERE = "cpu"
"""The label of a task that any machine can do."""


class Task(Struct, frozen=True, kw_only=True):
    """Something to do, as a value. Two equal tasks are one job and have one result."""

    kind: str
    """Which handler does it."""
    arguments: bytes
    """What the handler is given: JSON with sorted keys, so that equal requests are equal bytes."""
    context: tuple[str, ...] = ()
    """What else the result rests on: the digest of the matrix, the state of the indexes."""
    label: str = ANYWHERE
    """What a worker must have to do it: `cpu`, `gpu:sm_120`, `cuda-toolkit`."""
    lock: str | None = None
    """Two tasks of one lock are never done at the same time; None: nothing is shared."""

    @property
    def key(self) -> JobKey:
        """The address of the result. Where it is done does not change it."""
        parts = [self.kind.encode(), self.arguments, *(text.encode() for text in self.context)]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return JobKey(digest.hexdigest())


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"  # there is a result, or a refusal that asking again would not change
    FAILED = "failed"  # the surroundings stopped it: the same task may be asked again
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more comes of the job by itself."""
        return self not in {JobState.QUEUED, JobState.RUNNING}


class FailureKind(StrEnum):
    """Why there is no result."""

    NO_ANSWER = "no-answer"  # the request was read, and nothing fits
    USAGE = "usage"  # the request cannot be read
    SURROUNDINGS = "surroundings"  # the network, the disk, a tool
    MATRIX = "matrix"  # a matrix file is broken
    LIMIT = "limit"  # it took longer than it may
    LOST = "lost"  # whoever did it died, more than once
    CRASH = "crash"  # a bug in mmlock

    @property
    def settled(self) -> bool:
        """Whether the same task would fail again in the same way."""
        return self in {FailureKind.NO_ANSWER, FailureKind.USAGE}


class TaskFailure(Struct, frozen=True, kw_only=True):
    """Why a job has no result, as `MmlockError` says it."""

    kind: FailureKind
    message: str
    causes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class TaskAnswer(Struct, frozen=True, kw_only=True):
    """What a handler gave."""

    body: bytes


Outcome = TaskAnswer | TaskFailure


class JobProgress(Struct, frozen=True, kw_only=True):
    """How far a job is, where it can tell."""

    what: str
    """What is counted: `compiled files`, `checks`."""
    done: int
    total: int | None = None
    """None: nobody knows how many there will be."""


class Job(Struct, frozen=True, kw_only=True):
    """A task that someone asked for. Moments are seconds since 1970."""

    key: JobKey
    kind: str
    label: str
    state: JobState
    attempts: int
    """How often it was begun."""
    queued: float
    started: float | None = None
    ended: float | None = None
    worker: str | None = None
    """Who does it, or did it last."""
    failure: TaskFailure | None = None
    progress: JobProgress | None = None
    """As it was said last; what is over keeps it."""


class Event(Struct, frozen=True, kw_only=True):
    """A line of a job's log."""

    number: int
    """From 1 on, without gaps."""
    at: float
    text: str


class Busy(MmlockError):
    """So many jobs wait that no more is taken."""


class Store(Protocol):
    """Remembers jobs. Each method is one step that happens whole or not at all, from any thread."""

    def add(self, task: Task) -> tuple[Job, bool]:
        """The job of a task, and whether someone has to do it now.

        One that failed or was cancelled is queued again; one that is there in any other state is as it is.
        """
        ...

    def get(self, key: str) -> Job | None:
        """A job by its key."""
        ...

    def task(self, key: str) -> Task | None:
        """What a job is to do."""
        ...

    def result(self, key: str) -> bytes | None:
        """The result of a job that is done."""
        ...

    def claim(self, key: str, worker: str) -> Job | None:
        """Begin a job that is queued; None: someone else did, or it is over.

        The job's `worker` names this very attempt: what an earlier attempt brings later does not count.
        """
        ...

    def beat(self, claimed: Job) -> bool:
        """Say that a claimed job still runs; False: it is not wanted any more, or someone else's."""
        ...

    def finish(self, claimed: Job, outcome: Outcome) -> bool:
        """End a claimed job; False: it was given up meanwhile, and this outcome counts for nothing."""
        ...

    def give_back(self, claimed: Job) -> bool:
        """Queue a job again whose worker ended without an outcome; False: it is over meanwhile."""
        ...

    def cancel(self, key: str) -> Job | None:
        """End a job that is not over. Running ones learn of it by `beat`."""
        ...

    def say(self, key: str, lines: Sequence[tuple[float, str]]) -> None:
        """Add lines to the log of a job."""
        ...

    def measure(self, claimed: Job, progress: JobProgress) -> None:
        """Note how far a claimed job is."""
        ...

    def events(self, key: str, after: int = 0, *, last: int | None = None) -> tuple[Event, ...]:
        """The log of a job from a number on; no more than the `last` lines of it."""
        ...

    def recent(self, limit: int, kinds: Collection[str] = ()) -> tuple[Job, ...]:
        """The newest jobs, newest first; only those of some kinds, where such are named."""
        ...

    def count(self) -> Mapping[JobState, int]:
        """How many jobs there are in each state."""
        ...

    def silent(self, since: float) -> tuple[Job, ...]:
        """Jobs that run and whose last beat is older than this moment."""
        ...

    def waiting(self) -> tuple[JobKey, ...]:
        """What is queued, oldest first."""
        ...

    def prune(self, keep: int) -> int:
        """Forget all but the newest jobs that are over; says how many went."""
        ...


class Executor(Protocol):
    """Has tasks done."""

    def submit(self, task: Task) -> Job:
        """The job of a task; an equal one that is there already is that job. Raises Busy."""
        ...

    def cancel(self, key: str) -> Job | None:
        """End a job and what it started; None: there is none of that name."""
        ...

    def listen(self, heard: Callable[[str], object]) -> Callable[[], None]:
        """Have `heard` called with the key of every job that changes, from any thread; gives what ends it."""
        ...

    def close(self) -> None:
        """End everything that runs; what is not done stays queued."""
        ...
