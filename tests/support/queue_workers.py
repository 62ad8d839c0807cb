"""Workers of a queue, each a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postgres import Postgres

from mmlock.work.model import Task

WORKER = """
import asyncio, sys
from mmlock.work.database import open_database
from mmlock.work.queue import Worker
from mmlock.work.sql_store import SqlStore
if __name__ == "__main__":
    engine = open_database(sys.argv[1])
    labels = sys.argv[2].split(",")
    worker = Worker(SqlStore(engine), engine, "work_handlers:table", labels=labels, processes=1)
    try:
        asyncio.run(worker.run())
    finally:
        worker.close()
"""
LONG = 25.0


@contextmanager
def working(postgres: Postgres, tmp_path: Path, labels: str = "cpu") -> Iterator[subprocess.Popen[bytes]]:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    support = str(Path(__file__).parents[1] / "support")
    process = subprocess.Popen(
        [sys.executable, str(script), postgres.url, labels],
        env={**os.environ, "PYTHONPATH": support},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(LONG)


def task(kind: str, arguments: object = "hello", label: str = "cpu") -> Task:
    return Task(kind=kind, arguments=str(arguments).encode(), label=label)
