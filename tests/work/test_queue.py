"""The queue on a real PostgreSQL, with workers that are processes of their own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from postgres import Postgres, postgres
from queue_workers import task, working
from sqlalchemy import Engine

from mmlock.core.errors import EnvironmentFault
from mmlock.work import queue as queues
from mmlock.work.database import head, open_database, sqlite_url, upgrade
from mmlock.work.model import JobState
from mmlock.work.queue import QueueExecutor, look_after
from mmlock.work.sql_store import SqlStore

__all__ = ["postgres"]
pytestmark = pytest.mark.slow

LONG = 25.0


@pytest.fixture
def engine(postgres: Postgres) -> Iterator[Engine]:
    made = open_database(postgres.url)
    upgrade(made)
    yield made
    with made.begin() as at:
        at.exec_driver_sql("TRUNCATE jobs, results, events, procrastinate_jobs RESTART IDENTITY CASCADE")
    made.dispose()


def until(executor: QueueExecutor, holds: Callable[[], bool]) -> None:
    """Wait for what a worker does, told by PostgreSQL."""
    changed = threading.Condition()

    def heard(_key: str) -> None:
        with changed:
            changed.notify_all()

    deaf = executor.listen(heard)
    try:
        with changed:
            end = time.monotonic() + LONG
            while not holds():
                assert time.monotonic() < end
                changed.wait(0.5)
    finally:
        deaf()


def test_tables_are_made_once_by_two_at_once(postgres: Postgres) -> None:
    results: list[object] = []

    def migrate() -> None:
        made = open_database(postgres.url)
        results.append(upgrade(made)[1])
        made.dispose()

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [head()] * 3


def test_a_worker_does_what_has_its_label_and_leaves_the_rest(
    postgres: Postgres, engine: Engine, tmp_path: Path
) -> None:
    store = SqlStore(engine)
    executor = QueueExecutor(store, engine)
    try:
        gpu = executor.submit(task("upper", "gpu", label="gpu:sm_120"))
        jobs = [executor.submit(task("upper", number)) for number in range(20)]
        assert executor.submit(task("upper", 0)).key == jobs[0].key
        with working(postgres, tmp_path):
            until(executor, lambda: store.count().get(JobState.DONE) == 20)
        assert store.result(jobs[7].key) == b"7"
        assert [event.text for event in store.events(jobs[7].key)] == ["writing it large"]
        left = store.get(gpu.key)
        assert left is not None
        assert left.state is JobState.QUEUED
        assert {job.attempts for job in store.recent(50) if job.key != gpu.key} == {1}
    finally:
        executor.close()


def test_a_job_of_a_worker_that_was_killed_is_done_by_another_and_not_twice(
    postgres: Postgres, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "_ROUND", 0.2)
    store = SqlStore(engine)
    executor = QueueExecutor(store, engine)
    note = tmp_path / "pid"
    try:
        hanging = executor.submit(task("hang", note))
        with working(postgres, tmp_path) as worker:
            until(executor, note.exists)
            until(executor, lambda: bool(note.read_text()))
            started = psutil.Process(int(note.read_text()))
            os.killpg(worker.pid, signal.SIGKILL)
        assert psutil.wait_procs([started], timeout=LONG)[0], "what a killed worker started lives on"
        begun = store.get(hanging.key)
        assert begun is not None
        assert begun.state is JobState.RUNNING
        # As if half a minute had passed without a beat.
        assert look_after(store, executor._app, late=-1.0) == [hanging.key]
        assert not store.beat(begun)
        with working(postgres, tmp_path):
            until(executor, lambda: bool((job := store.get(hanging.key)) and job.attempts == 2))
            executor.cancel(hanging.key)
            executor.submit(task("upper", "after"))
            until(executor, lambda: store.result(task("upper", "after").key) == b"AFTER")
    finally:
        executor.close()


def test_a_database_that_goes_away_and_comes_back_loses_nothing(
    postgres: Postgres, engine: Engine, tmp_path: Path
) -> None:
    store = SqlStore(engine)
    executor = QueueExecutor(store, engine)
    try:
        with working(postgres, tmp_path):
            executor.submit(task("upper", "before"))
            until(executor, lambda: store.result(task("upper", "before").key) == b"BEFORE")
            postgres.stop()
            with pytest.raises(EnvironmentFault):
                executor.submit(task("upper", "meanwhile"))
            postgres.start()
        assert store.result(task("upper", "before").key) == b"BEFORE"
        with working(postgres, tmp_path):
            executor.submit(task("upper", "afterwards"))
            until(executor, lambda: store.result(task("upper", "afterwards").key) == b"AFTERWARDS")
    finally:
        executor.close()


def test_the_queue_is_on_postgresql_only(tmp_path: Path) -> None:
    made = open_database(sqlite_url(tmp_path / "a.db"))
    with pytest.raises(EnvironmentFault, match="needs PostgreSQL"):
        QueueExecutor(SqlStore(made), made)
    made.dispose()
