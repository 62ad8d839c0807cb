"""The service behind its doors: asks for jobs, waits for them, keeps their results at hand."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from mmlock.app import browsing
from mmlock.app.serving import task_of
from mmlock.core.cache import FRESH_SECONDS
from mmlock.core.names import normalize
from mmlock.core.service_questions import (
    BuildQuestion,
    DoctorQuestion,
    GridQuestion,
    InspectQuestion,
    Question,
    ScanQuestion,
    SolveQuestion,
    TaskKind,
    ValidateQuestion,
    WhyNotQuestion,
)
from mmlock.work.model import Executor, Job, JobState, Store, Task

if TYPE_CHECKING:
    from mmlock.core.arguments import SolveArguments
    from mmlock.core.requirements import Asked
    from mmlock.lock.model import LockedEnv
    from mmlock.web.metrics import Metrics
    from mmlock.web.settings import Settings
    from mmlock.web.tokens import Tokens

__all__ = ["BUILD_LABEL", "LARGEST_READ", "Asking", "Service"]

BUILD_LABEL = "build"
"""The label of jobs that run code of packages and need no GPU: only a worker with this label takes them."""

_LARGEST_KEPT = 64_000_000
"""Bytes of results that are kept in memory."""
LARGEST_READ = 20_000
"""Bytes of a body whose task is remembered."""
_MOST_READ = 2_000
"""Bodies whose task is remembered."""
_LOOK = 1.0
"""Seconds after which a job is looked at again although nobody said that it changed."""


class Asking(Struct, frozen=True, kw_only=True):
    """What came of a question: its job, and the result where there is one."""

    job: Job
    body: bytes | None = None


class Service:
    """Everything that the doors share. `start` it within a running loop."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        executor: Executor,
        tokens: Tokens,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.store = store
        self.executor = executor
        self.tokens = tokens
        self.metrics = metrics
        self.locks = browsing.CommittedLocks(settings.catalogue)
        self.matrix = browsing.facts_digest()
        self._clock = clock
        self._results: OrderedDict[str, Asking] = OrderedDict()
        self._kept = 0
        self._read: OrderedDict[tuple[str, bytes], Task] = OrderedDict()
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deaf: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to hear of jobs."""
        self._loop = asyncio.get_running_loop()
        self._deaf = self.executor.listen(self._heard)

    def stop(self) -> None:
        """Hear no more."""
        if self._deaf is not None:
            self._deaf()

    def use_new_facts(self, matrix: str) -> None:
        """Ask about other facts from now on; from any thread. What was answered about others stays true."""
        self.matrix = matrix
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._read.clear)

    # ------------------------------------------------------------ questions

    def moment(self) -> str:
        """The state of the indexes, as far as answers tell them apart: a page is fresh for ten minutes."""
        return _moment(int(self._clock() // FRESH_SECONDS * FRESH_SECONDS))

    def solve(self, request: SolveArguments) -> Task:
        """An environment to decide."""
        sources = tuple(sorted(normalize(name) for name in self.settings.sources))
        question = SolveQuestion(matrix=self.matrix, moment=self.moment(), request=request, sources=sources)
        return task_of(TaskKind.SOLVE, question)

    def read_before(self, body: bytes, read: Callable[[bytes], Task]) -> Task:
        """The task of a body; the same bytes in the same state of the indexes are read once."""
        place = (self.moment(), body)
        if (known := self._read.get(place)) is not None:
            self._read.move_to_end(place)
            return known
        task = read(body)
        if len(body) <= LARGEST_READ:
            self._read[place] = task
            if len(self._read) > _MOST_READ:
                self._read.popitem(last=False)
        return task

    def repeated(self, body: bytes) -> Asking | None:
        """The answer to a body that was read and answered before; None: it must be read."""
        task = self._read.get((self.moment(), body))
        return None if task is None else self.at_hand(task)

    def why_not(self, asked: Asked, request: SolveArguments) -> Task:
        """A requirement that is doubted."""
        return task_of(TaskKind.WHY_NOT, WhyNotQuestion(matrix=self.matrix, asked=asked, request=request))

    def grid(self, package: str, request: SolveArguments) -> Task:
        """Which releases of a package go with which torch."""
        question = GridQuestion(matrix=self.matrix, package=normalize(package), request=request)
        return task_of(TaskKind.GRID, question)

    def build(self, files: Mapping[str, str], env: LockedEnv, base_url: str, label: str | None) -> Task:
        """A lock to seal."""
        steps = sorted(f"{step.package}=={step.version} {step.source.sha256}" for step in env.build)
        question = BuildQuestion(matrix=self.matrix, files=files, base_url=base_url)
        lock = hashlib.sha256("\n".join(steps).encode()).hexdigest() if steps else None
        return task_of(TaskKind.BUILD, question, label or BUILD_LABEL, lock)

    def validate(self, files: Mapping[str, str], env: LockedEnv, device: str, label: str | None) -> Task:
        """A sealed lock whose kernels are to be run, on a machine with what it is for."""
        question = ValidateQuestion(matrix=self.matrix, files=files, device=device)
        arch = next((one.arch for one in env.target.devices if one.arch), None)
        place = BUILD_LABEL if arch is None or device == "cpu" else f"gpu:{arch}"
        return task_of(TaskKind.VALIDATE, question, label or place)

    def of(self, kind: TaskKind, question: Question) -> Task:
        """Any other question."""
        return task_of(kind, question)

    def question(
        self, type_: type[InspectQuestion | DoctorQuestion | ScanQuestion], **fields: object
    ) -> InspectQuestion | DoctorQuestion | ScanQuestion:
        """A question about the facts of this service."""
        return type_(matrix=self.matrix, **fields)  # type: ignore[arg-type]

    # ------------------------------------------------------------ answers

    def at_hand(self, task: Task) -> Asking | None:
        """The answer to a question that was answered before, if it is in memory."""
        known = self._results.get(task.key)
        if known is not None:
            self._results.move_to_end(task.key)
            self.metrics.asked(task.kind, known=True)
        return known

    async def ask(self, task: Task, wait: float) -> Asking:
        """Have a task done, and wait so many seconds for it. Raises Busy, EnvironmentFault."""
        if known := self.at_hand(task):
            return known
        with self._watching(task.key) as changed:
            job = await asyncio.to_thread(self.executor.submit, task)
            self.metrics.asked(task.kind, known=job.state.over)
            return await self._over(job, changed, wait)

    async def wait(self, key: str, wait: float) -> Asking | None:
        """A job, after so many seconds or when it is over; None: there is none of that key."""
        with self._watching(key) as changed:
            job = await asyncio.to_thread(self.store.get, key)
            return None if job is None else await self._over(job, changed, wait)

    async def _over(self, job: Job, changed: asyncio.Event, wait: float) -> Asking:
        until = time.monotonic() + wait
        while not job.state.over and (left := until - time.monotonic()) > 0:
            with suppress(TimeoutError, asyncio.TimeoutError):  # two classes before Python 3.11
                await asyncio.wait_for(changed.wait(), min(left, _LOOK))
            changed.clear()  # before the look: what changes after it is heard
            now = await asyncio.to_thread(self.store.get, job.key)
            if now is None:
                break
            job = now
        body = None
        if job.state is JobState.DONE and job.failure is None:
            body = await asyncio.to_thread(self.store.result, job.key)
        found = Asking(job=job, body=body)
        self._keep(found)
        return found

    def _keep(self, found: Asking) -> None:
        """Keep what stays true in memory, the newest first."""
        if found.job.state is not JobState.DONE or found.job.key in self._results:
            return
        self._results[found.job.key] = found
        self._kept += len(found.body or b"")
        while self._kept > _LARGEST_KEPT and self._results:
            _, old = self._results.popitem(last=False)
            self._kept -= len(old.body or b"")

    def watch(self, key: str) -> _Watch:
        """An event that is set whenever a job changes, within `with`."""
        return self._watching(key)

    def _watching(self, key: str) -> _Watch:
        return _Watch(self._waiting, key)

    def _heard(self, key: str) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, key)

    def _wake(self, key: str) -> None:
        for event in self._waiting.get(key, ()):
            event.set()


@lru_cache(maxsize=4)
def _moment(start: int) -> str:
    return datetime.fromtimestamp(start, timezone.utc).strftime("%Y-%m-%dT%H:%MZ")


class _Watch:
    """Whoever waits for a job, in the table of all who wait."""

    def __init__(self, table: dict[str, set[asyncio.Event]], key: str) -> None:
        self._table = table
        self._key = key
        self._event = asyncio.Event()

    def __enter__(self) -> asyncio.Event:
        self._table.setdefault(self._key, set()).add(self._event)
        return self._event

    def __exit__(self, *error: object) -> None:
        waiting = self._table.get(self._key, set())
        waiting.discard(self._event)
        if not waiting:
            self._table.pop(self._key, None)
