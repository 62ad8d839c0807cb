"""Tasks through PostgreSQL, done by workers on any machine: a server asks, `mmlock worker` does.

What is true of a job is in the store; Procrastinate only brings its key to a worker that has what the task
needs (its label is the name of a queue) and that no other worker of the same lock is busy. So whatever the
queue loses or brings twice changes nothing: a job is begun by whoever claims it in the store.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mmlock.core.errors import EnvironmentFault
from mmlock.work.listeners import Listeners
from mmlock.work.local import LocalExecutor, retry_or_fail
from mmlock.work.model import Job, JobState, Store, Task

if TYPE_CHECKING:
    import procrastinate
    from sqlalchemy import Engine

__all__ = ["LATE", "QueueExecutor", "Worker", "apply_queue_schema"]

TASK = "mmlock.do"
CHANNEL = "mmlock_jobs"
"""Where PostgreSQL tells that a job changed."""
LATE = 30.0
"""Seconds without a beat after which a worker counts as gone."""
_TURN = 1.0
_ROUND = 10.0
"""Seconds between two looks for workers that are gone."""


def _installed() -> Any:
    try:
        import procrastinate
    except ImportError as error:
        raise EnvironmentFault(
            "the queue needs Procrastinate and psycopg, which are not installed",
            causes=[str(error)],
            hints=["install them: `pip install 'mmlock[queue]'`"],
        ) from error
    return procrastinate


def _conninfo(engine: Engine) -> str:
    if engine.dialect.name != "postgresql":
        raise EnvironmentFault(
            "the executor `queue` needs PostgreSQL",
            hints=["name a database: `--database postgresql://USER@HOST/NAME`"],
        )
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def apply_queue_schema(connection: Any) -> None:
    """Make Procrastinate's tables where there are none; within a transaction of a SQLAlchemy connection."""
    from sqlalchemy import inspect

    if inspect(connection).has_table("procrastinate_jobs"):
        return
    from procrastinate.schema import SchemaManager

    with connection.connection.cursor() as cursor:  # without parameters, so that `%` is a character
        cursor.execute(SchemaManager.get_schema())


class QueueExecutor:
    """Asks for tasks. `close` it."""

    def __init__(self, store: Store, engine: Engine, *, keep: int = 20_000) -> None:
        self.store = store
        self._keep = keep
        self._conninfo = _conninfo(engine)
        tools = _installed()
        self._app: procrastinate.App = tools.App(
            connector=tools.SyncPsycopgConnector(conninfo=self._conninfo)
        )
        self._app.open()
        self._listeners = Listeners()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=run, name=f"mmlock-queue-{run.__name__}", daemon=True)
            for run in (self._hear, self._look_after)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> Job:
        """The job of a task. Raises EnvironmentFault where PostgreSQL is not there."""
        job, new = self.store.add(task)
        if new:
            # Should this fail, the job is queued all the same: whoever looks after the queue puts it in.
            with suppress(EnvironmentFault):
                _put(self._app, job.key, task)
        return job

    def cancel(self, key: str) -> Job | None:
        """End a job; its worker learns of that with its next beat."""
        job = self.store.cancel(key)
        self._listeners.tell(key)
        return job

    def listen(self, heard: Callable[[str], object]) -> Callable[[], None]:
        """Have `heard` called with the key of every job that changes."""
        return self._listeners.add(heard)

    def close(self) -> None:
        """Ask no more; jobs go on."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._app.close()

    def _hear(self) -> None:
        """Hear from PostgreSQL which jobs changed; where that fails, whoever waits polls."""
        import psycopg

        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=10) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._stopping.is_set():
                        for note in connection.notifies(timeout=_TURN):
                            self._listeners.tell(note.payload)
            except psycopg.Error:
                self._stopping.wait(_TURN)

    def _look_after(self) -> None:
        turn = 0
        while not self._stopping.wait(_ROUND):
            turn += 1
            with suppress(EnvironmentFault):
                for key in look_after(self.store, self._app):
                    self._listeners.tell(key)
                if turn % 60 == 0:
                    self.store.prune(self._keep)


def _put(app: procrastinate.App, key: str, task: Task) -> None:
    """Bring a key into the queue of its label; one that waits there already is not brought twice."""
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

    try:
        app.configure_task(TASK, queue=task.label, lock=task.lock, queueing_lock=key).defer(key=key)
    except AlreadyEnqueued:
        pass
    except ConnectorException as error:
        raise EnvironmentFault("the queue cannot be used", causes=[str(error)]) from error


def look_after(store: Store, app: procrastinate.App, *, late: float = LATE) -> list[str]:
    """Take jobs back from workers that are gone, and put into the queue what is not in it."""
    changed = []
    now = time.time()
    for job in store.silent(now - late):
        changed.append(str(job.key))
        retry_or_fail(store, job)
    for key in store.waiting():
        job_now, task = store.get(key), store.task(key)
        if job_now is not None and task is not None and (key in changed or job_now.queued < now - late):
            _put(app, key, task)
    return changed


class Worker:
    """Does what comes through the queues of some labels, in processes of this machine."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        handlers: str,
        *,
        labels: Sequence[str],
        processes: int = 1,
        limit: float = 600.0,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self._conninfo = _conninfo(engine)
        self._engine = engine
        self._labels = tuple(labels)
        self._processes = processes
        self._tools = _installed()
        self._local = LocalExecutor(
            store, handlers, processes=processes, limit=limit, limits=limits, alone=False
        )
        self._local.listen(self._tell)
        self._changed: dict[str, threading.Event] = {}

    async def run(self) -> None:
        """Work until the process gets a signal to end; what is begun then is given back."""
        tools = self._tools
        app = tools.App(connector=tools.PsycopgConnector(conninfo=self._conninfo))

        @app.task(name=TASK)  # type: ignore[untyped-decorator]
        async def do(key: str) -> None:
            await asyncio.to_thread(self._do, key)

        async with app.open_async():
            keeper = asyncio.create_task(self._keep_house(app))
            try:
                await app.run_worker_async(
                    queues=list(self._labels),
                    concurrency=self._processes,
                    delete_jobs="always",
                    shutdown_graceful_timeout=5.0,
                    stalled_worker_timeout=LATE,
                )
            finally:
                keeper.cancel()

    def close(self) -> None:
        """End all processes."""
        self._local.close()

    def _do(self, key: str) -> None:
        """Have a job done, and wait until it is over or someone else's."""
        event = self._changed.setdefault(key, threading.Event())
        self._local.take(key)
        while not self._local.stopping.is_set():
            event.wait(_TURN)
            event.clear()
            with suppress(EnvironmentFault):
                job = self._local.store.get(key)
                if job is None or (job.state is not JobState.RUNNING and not self._local.holds(key)):
                    break
        self._changed.pop(key, None)

    def _tell(self, key: str) -> None:
        """Say to this worker and to all servers that a job changed."""
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        if event := self._changed.get(key):
            event.set()
        with suppress(SQLAlchemyError), self._engine.begin() as at:
            at.execute(text("SELECT pg_notify(:channel, :key)"), {"channel": CHANNEL, "key": key})

    async def _keep_house(self, app: procrastinate.App) -> None:
        """Free the locks of workers that are gone."""
        from procrastinate.exceptions import ConnectorException
        from procrastinate.jobs import Status

        while True:
            await asyncio.sleep(_ROUND)
            with suppress(ConnectorException):
                for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=LATE):
                    await app.job_manager.finish_job(stalled, status=Status.FAILED, delete_job=True)
