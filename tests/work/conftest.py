from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mmlock.work.database import open_database, sqlite_url, upgrade
from mmlock.work.memory import MemoryStore
from mmlock.work.model import Store
from mmlock.work.sql_store import SqlStore


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Every kind of store that needs no server."""
    if request.param == "memory":
        yield MemoryStore(Clock())
        return
    engine = open_database(sqlite_url(tmp_path / "jobs.db"))
    upgrade(engine)
    yield SqlStore(engine, Clock())
    engine.dispose()
