from __future__ import annotations

import atexit
import json
import shutil
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal

from mmlock.web.app import make_app
from mmlock.web.metrics import Metrics
from mmlock.web.service import Service
from mmlock.web.settings import read_settings
from mmlock.web.tokens import Tokens
from mmlock.work.database import open_database, sqlite_url, upgrade
from mmlock.work.listeners import Listeners
from mmlock.work.model import Handler, Job, Task
from mmlock.work.outcomes import perform
from mmlock.work.sql_store import SqlStore

ROOT = Path(__file__).parents[2]


class HereExecutor:
    """Does each task in a thread of this process: what the processes of `local` do, without starting any."""

    def __init__(self, store: SqlStore, handlers: dict[str, Handler]) -> None:
        self.store = store
        self.handlers = handlers
        self.listeners = Listeners()
        self.done: list[Task] = []
        self.threads: list[threading.Thread] = []

    def submit(self, task: Task) -> Job:
        job, new = self.store.add(task)
        if new:
            thread = threading.Thread(target=self._do, args=(task,))
            self.threads.append(thread)
            thread.start()
        return job

    def _do(self, task: Task) -> None:
        job = self.store.claim(task.key, "here")
        if job is None:  # cancelled before it was begun
            return

        def say(text: str) -> None:
            self.store.say(task.key, [(0.0, text)])
            self.listeners.tell(task.key)

        outcome = perform(self.handlers, task, say)
        self.done.append(task)
        self.store.finish(job, outcome)
        self.listeners.tell(task.key)

    def cancel(self, key: str) -> Job | None:
        job = self.store.cancel(key)
        self.listeners.tell(key)
        return job

    def listen(self, heard: Callable[[str], object]) -> Callable[[], None]:
        return self.listeners.add(heard)

    def close(self) -> None:
        for thread in self.threads:
            thread.join()


class Site:
    """A service, and a client that asks it."""

    def __init__(self, client: Client, service: Service, executor: HereExecutor) -> None:
        self.client = client
        self.service = service
        self.executor = executor


Make = Callable[..., Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[Make]:
    """Makes a service of settings and handlers; its jobs are done in this process."""
    ends: list[Callable[[], object]] = []

    def make(handlers: dict[str, Handler] | None = None, **settings: object) -> Site:
        file = tmp_path / f"{len(ends)}.db"
        file.write_bytes(_empty())
        engine = open_database(sqlite_url(file))
        store = SqlStore(engine)
        executor = HereExecutor(store, handlers or {})
        service = Service(read_settings(None, {}, settings), store, executor, Tokens(engine), Metrics())
        client = Client(make_app(service))
        client.portal.call(service.start)
        ends.extend((client.close, executor.close, engine.dispose))
        return Site(client, service, executor)

    yield make
    for end in ends:
        end()


def committed(pair: str) -> bytes:
    """What a solve gives whose lock is one of the committed ones."""
    files = {path.name: path.read_text() for path in (ROOT / "lockfiles" / pair).iterdir()}
    return json.dumps({"text": "", "lock": {}, "files": files}).encode()


@pytest.fixture
def small_catalogue(tmp_path: Path) -> Path:
    """A project that keeps one of the committed locks, and one refusal."""
    file = tmp_path / "project" / "mmlock.toml"
    for pair in ("openmmlab/rtx5090", "openmmlab/t20"):
        shutil.copytree(ROOT / "lockfiles" / pair, file.parent / "lockfiles" / pair)
    file.write_text('[stacks.openmmlab]\ntargets = ["rtx5090", "t20"]\n')
    return file


_loop: list[BlockingPortal] = []


class Client:
    """Asks an application without a socket; threads may ask at once."""

    def __init__(self, app: object) -> None:
        if not _loop:  # one event loop for all tests of a process
            portal = start_blocking_portal()
            _loop.append(portal.__enter__())
            atexit.register(portal.__exit__, None, None, None)
        self.portal = _loop[0]
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)  # type: ignore[arg-type]
        self._client = httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        if isinstance(more.get("content"), Iterator):
            more["content"] = _later(more["content"])
        return self.portal.call(partial(self._client.request, method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.request("DELETE", path, **more)

    def close(self) -> None:
        self.portal.call(self._client.aclose)


async def _later(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@cache
def _empty() -> bytes:
    """A database that is up to date."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "empty.db"
        engine = open_database(sqlite_url(file))
        upgrade(engine)
        engine.dispose()
        return file.read_bytes()


def serve(app: object) -> tuple[Callable[[], None], str]:
    """A server of an application in a thread: what ends it, and its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join()
        listening.close()

    return stop, f"http://localhost:{listening.getsockname()[1]}"
