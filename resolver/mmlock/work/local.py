"""Tasks in processes of this machine, which stay warm from one task to the next.

One thread of the parent looks after each process: it gives it a task, notes what it says, and ends it when
the task is cancelled or takes too long; with the process goes all that it started. A process that dies takes
no task with it: the task is done once more, and fails with its log when that process dies, too.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from multiprocessing.connection import wait

from mmlock.core.errors import EnvironmentFault
from mmlock.work.listeners import Listeners
from mmlock.work.model import (
    ANYWHERE,
    Busy,
    FailureKind,
    Job,
    JobProgress,
    JobState,
    Outcome,
    Store,
    Task,
    TaskFailure,
)
from mmlock.work.process import TaskProcess

Waiting = queue.SimpleQueue["str | None"]
"""Keys of jobs; None: there is nothing more to do."""

__all__ = ["ATTEMPTS", "LocalExecutor", "retry_or_fail", "too_long"]

ATTEMPTS = 2
"""How often a task is begun whose process dies."""
_BEAT = 5.0
_TIDY = 500
_SAID = 0.15
"""Seconds for which lines of a log are kept back, so that a short task writes them once."""
_NAPS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Between the tries to note an outcome while the database is away."""


class LocalExecutor:
    """An executor of processes, with a store. `close` it."""

    def __init__(
        self,
        store: Store,
        handlers: str,
        *,
        processes: int = 2,
        apart: int = 0,
        limit: float = 600.0,
        limits: Mapping[str, float] | None = None,
        most_waiting: int = 1000,
        keep: int = 20_000,
        alone: bool = True,
    ) -> None:
        """`handlers`: `MODULE:NAME` of what makes their table; `limit`: seconds that a task may take.

        `limits`: the same for tasks of some kinds. `apart`: processes for tasks that not any machine can do,
        so that quick ones never wait for those; 0: the others do them, too. `keep`: how many jobs that are
        over are remembered. `alone`: nobody else does the jobs of this store, so what runs there was left by
        a process that is gone.
        """
        self.store = store
        self.handlers = handlers
        self._limit = limit
        self._limits = dict(limits or {})
        self._most = most_waiting
        self._keep = keep
        self._done = itertools.count(1)
        self._queue: Waiting = queue.SimpleQueue()
        self._apart: Waiting = queue.SimpleQueue() if apart else self._queue
        self.listeners = Listeners()
        self.stopping = threading.Event()
        self.generation = 0
        queues = [self._queue] * processes + [self._apart] * apart
        self.slots = [_Slot(self, number, waiting) for number, waiting in enumerate(queues)]
        self._held: set[str] = set()
        if alone:
            for key in _left(store):
                self._put(key, store.get(key))
        for slot in self.slots:
            slot.thread.start()

    def submit(self, task: Task) -> Job:
        """The job of a task. Raises Busy, or EnvironmentFault where the store is not there."""
        if self.waiting >= self._most:
            known = self.store.get(task.key)
            if known is not None and known.state is not JobState.FAILED:
                return known
            raise Busy(
                f"{self._most} jobs are waiting already",
                hints=["ask again in a minute", "give the service more processes, or workers"],
            )
        job, new = self.store.add(task)
        if new:
            self._put(job.key, job)
        return job

    def _put(self, key: str, job: Job | None) -> None:
        (self._queue if job is None or job.label == ANYWHERE else self._apart).put(key)

    def limit_of(self, task: Task) -> float:
        """Seconds that a task may take."""
        return self._limits.get(task.kind, self._limit)

    def take(self, key: str) -> None:
        """Do a job that is queued in the store already."""
        self._held.add(key)
        self._queue.put(key)

    def again(self, job: Job) -> None:
        """Do a job once more that is queued again."""
        self._put(job.key, job)

    def holds(self, key: str) -> bool:
        """Whether a job that was taken is not done with."""
        return key in self._held

    def let_go(self, key: str) -> None:
        """Note that a job that was taken is done with."""
        self._held.discard(key)

    def cancel(self, key: str) -> Job | None:
        """End a job and what it started."""
        job = self.store.cancel(key)
        if job is not None:
            for slot in self.slots:
                slot.unwanted(key)
            self.listeners.tell(key)
        return job

    def listen(self, heard: Callable[[str], object]) -> Callable[[], None]:
        """Have `heard` called with the key of every job that changes."""
        return self.listeners.add(heard)

    def renew(self) -> None:
        """Have each process be a new one before its next task: what they once read has changed."""
        self.generation += 1

    def close(self) -> None:
        """End all processes; what ran is queued again, and goes on when the next one is made."""
        self.stopping.set()
        for slot in self.slots:
            slot.waiting.put(None)
        for slot in self.slots:
            slot.wake()
        for slot in self.slots:
            slot.thread.join()

    def queued_again(self, key: str) -> bool:
        """Whether a job is to be done once more by this executor."""
        with suppress(EnvironmentFault):
            job = self.store.get(key)
            return job is not None and job.state is JobState.QUEUED and not self.stopping.is_set()
        return False

    def tidy(self) -> None:
        """Forget old jobs, once in a while."""
        if next(self._done) % _TIDY == 0:
            with suppress(EnvironmentFault):
                self.store.prune(self._keep)

    @property
    def waiting(self) -> int:
        """How many tasks no process has begun."""
        return self._queue.qsize() + (self._apart.qsize() if self._apart is not self._queue else 0)


def _left(store: Store) -> Iterable[str]:
    """What an earlier process left: this one alone uses the store, so nothing of it runs any more."""
    for job in store.silent(time.time() + 1):
        retry_or_fail(store, job)
    return store.waiting()


def retry_or_fail(store: Store, job: Job) -> bool:
    """Queue a job again whose process died, or say that it failed; whether it is queued."""
    if job.attempts < ATTEMPTS:
        return store.give_back(job)
    store.finish(
        job,
        TaskFailure(
            kind=FailureKind.LOST,
            message=f"the process that did it ended {job.attempts} times",
            hints=("its log has what it said last; it may have been out of memory",),
        ),
    )
    return False


class _Slot:
    """One process and the thread that looks after it."""

    def __init__(self, owner: LocalExecutor, number: int, waiting: Waiting) -> None:
        self.owner = owner
        self.waiting = waiting
        self.name = f"{socket.gethostname()}:{os.getpid()}/{number}"
        self.thread = threading.Thread(target=self._run, name=f"mmlock-work-{number}", daemon=True)
        self.process: TaskProcess | None = None
        self._heard, self._said = multiprocessing.Pipe(duplex=False)
        self._job: Job | None = None
        self._unwanted = False
        self._generation = 0
        self._turn = threading.Lock()

    def wake(self) -> None:
        """Have the thread look around."""
        with suppress(OSError, ValueError):
            self._said.send(None)

    def unwanted(self, key: str) -> None:
        """Give a task up, if it is the one at hand."""
        with self._turn:
            if self._job is not None and self._job.key == key:
                self._unwanted = True
                self.wake()

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        self._start()
        while (key := self.waiting.get()) is not None and not self.owner.stopping.is_set():
            job = task = None
            with suppress(EnvironmentFault):  # no database: the job is still queued there for the next start
                job = self.owner.store.claim(key, self.name)
                task = self.owner.store.task(key) if job else None
            if job is not None and task is not None:
                self.owner.listeners.tell(key)
                self._do(job, task)
            else:  # somebody else's, or over
                self.owner.let_go(key)
                self.owner.listeners.tell(key)
        self._end()
        for end in (self._heard, self._said):
            end.close()

    def _start(self) -> TaskProcess:
        self._generation = self.owner.generation
        self.process = TaskProcess(self.owner.handlers, self.name)
        return self.process

    def _end(self) -> None:
        """End the process and all that it started."""
        if self.process is not None:
            self.process.end()
        self.process = None

    def _do(self, job: Job, task: Task) -> None:
        with self._turn:
            self._job, self._unwanted = job, False
        if self._generation != self.owner.generation:
            self._end()
        process = self.process or self._start()
        lines: list[tuple[float, str]] = []
        try:
            outcome = self._watch(process, job, task, lines)
        finally:
            with self._turn:
                self._job = None
        self._note(job, outcome, lines)

    def _watch(
        self, process: TaskProcess, job: Job, task: Task, lines: list[tuple[float, str]]
    ) -> Outcome | None:
        """Wait for the outcome of a task; None: there is none, for it was given up, or its process died."""
        started = beaten = flushed = time.monotonic()
        limit, progress = self.owner.limit_of(task), None
        process.send(task)
        while True:
            ready = wait([*process.waited, self._heard], timeout=_SAID)
            if self._heard in ready:
                self._heard.recv()
            word, value = process.received(ready)
            if word == "done":
                outcome: Outcome = value
                return outcome
            if word == "say":
                lines.append((time.time(), str(value)))
            if word == "advance":
                progress = value
            if word == "gone" or self._unwanted or self.owner.stopping.is_set():
                self._end()
                return None
            now = time.monotonic()
            if now - started > limit:
                self._end()
                return too_long(limit)
            if now - flushed > _SAID and (lines or progress):
                flushed = now
                self._say(job, lines, progress)
                progress = None
            if now - beaten > _BEAT:
                beaten = now
                with suppress(EnvironmentFault):
                    self._unwanted |= not self.owner.store.beat(job)

    def _say(self, job: Job, lines: list[tuple[float, str]], progress: JobProgress | None) -> None:
        with suppress(EnvironmentFault):  # said again with the next lines
            self.owner.store.say(job.key, tuple(lines))
            lines.clear()
            if progress is not None:
                self.owner.store.measure(job, progress)
            self.owner.listeners.tell(job.key)

    def _note(self, job: Job, outcome: Outcome | None, lines: list[tuple[float, str]]) -> None:
        """Write down what became of a job; while the database is away, try again."""
        for nap in (*_NAPS, None):
            try:
                self.owner.store.say(job.key, tuple(lines))
                lines.clear()
                if outcome is not None:
                    self.owner.store.finish(job, outcome)
                elif self.owner.stopping.is_set():
                    self.owner.store.give_back(job)
                elif retry_or_fail(self.owner.store, job):
                    self.owner.again(job)
                break
            except EnvironmentFault:
                if nap is None or self.owner.stopping.wait(nap):
                    break
        if not self.owner.queued_again(job.key):
            self.owner.let_go(job.key)
        self.owner.listeners.tell(job.key)
        self.owner.tidy()


def too_long(limit: float) -> TaskFailure:
    """Of a job that took longer than it may."""
    return TaskFailure(
        kind=FailureKind.LIMIT,
        message=f"the job took longer than {limit:.0f} s and was ended",
        hints=("ask for less at once, or have the limit raised",),
    )
