"""Ten thousand jobs through PostgreSQL, two workers, and one of them killed: none lost, none done twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from postgres import Postgres, postgres
from queue_workers import task, working

from mmlock.work.database import open_database, upgrade
from mmlock.work.model import JobState
from mmlock.work.queue import QueueExecutor
from mmlock.work.sql_store import SqlStore

__all__ = ["postgres"]
pytestmark = [pytest.mark.slow, pytest.mark.long]

SHARE = float(os.environ.get("MMLOCK_TEST_SHARE", "1"))
MANY = max(200, int(10_000 * SHARE))
LONG = 1800.0


def test_many_jobs_are_done_once_each_although_a_worker_is_killed(
    postgres: Postgres, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    engine = open_database(postgres.url)
    upgrade(engine)
    store = SqlStore(engine)
    executor = QueueExecutor(store, engine, keep=2 * MANY)
    changed = threading.Event()
    executor.listen(lambda _key: changed.set())

    def until(done: int) -> None:
        end = time.monotonic() + LONG
        while store.count().get(JobState.DONE, 0) < done:
            assert time.monotonic() < end, dict(store.count())
            changed.wait(1.0)
            changed.clear()

    try:
        started = time.monotonic()
        jobs = [executor.submit(task("upper", f"job {number}")) for number in range(MANY)]
        queued = time.monotonic()
        with working(postgres, tmp_path) as first, working(postgres, tmp_path):
            until(MANY // 4)
            os.killpg(first.pid, signal.SIGKILL)
            until(MANY)
        drained = time.monotonic()
        attempts = [job.attempts for job in store.recent(MANY)]
        record_property("seconds", {"queue": queued - started, "drain": drained - queued})
        assert len(attempts) == MANY
        # What the killed worker had begun is begun once more, and nothing else.
        assert set(attempts) <= {1, 2}
        assert sum(count == 2 for count in attempts) <= 1
        for number, job in enumerate(jobs):
            assert store.result(job.key) == f"JOB {number}".encode()
            assert len(store.events(job.key)) in {1, 2}
        with engine.connect() as at:
            assert at.exec_driver_sql("SELECT count(*) FROM results").scalar() == MANY
    finally:
        executor.close()
        engine.dispose()
