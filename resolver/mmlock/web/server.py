"""`mmlock serve`: the application, its database, its executor, and a server on a socket."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import StrEnum
from mmlock.core.service_questions import ALLOW_VARIABLE, TaskKind
from mmlock.web.settings import ExecutorKind, Settings, database_url

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI
    from sqlalchemy import Engine

    from mmlock.upkeep.fresh_facts import FreshFacts
    from mmlock.web.service import Service
    from mmlock.work.model import Executor, Store

__all__ = ["HANDLERS", "Served", "handed_down", "limits", "service_app"]

HANDLERS = "mmlock.app.serving:handlers"
_GRACE = 10


class Needs(StrEnum):
    """What an installation may lack."""

    SERVE = "mmlock[serve]"


@contextmanager
def service_app(settings: Settings, environ: Mapping[str, str]) -> Iterator[FastAPI]:
    """The application with its database up to date and its executor running."""
    from mmlock.web.app import make_app
    from mmlock.web.metrics import Metrics
    from mmlock.web.service import Service
    from mmlock.web.tokens import Tokens
    from mmlock.work.database import open_database, upgrade
    from mmlock.work.sql_store import SqlStore

    engine = open_database(database_url(settings, environ))
    try:
        if engine.dialect.name == "sqlite":
            _private(Path(engine.url.database or ""))
        upgrade(engine)
        store = SqlStore(engine)
        with _facts(settings, environ) as facts, _executor(settings, store, engine) as executor:
            service = Service(settings, store, executor, Tokens(engine), Metrics())
            app = make_app(service)
            with _watched(settings, app), _refreshed(settings, facts, service):
                yield app
    finally:
        engine.dispose()


@contextmanager
def _watched(settings: Settings, app: FastAPI) -> Iterator[None]:
    if not settings.telemetry:
        yield
        return
    from mmlock.web.telemetry import traced

    with traced(app):
        yield


@contextmanager
def _facts(settings: Settings, environ: Mapping[str, str]) -> Iterator[FreshFacts | None]:
    """Start with the facts that an earlier refresh brought; None: they are never refreshed."""
    if not settings.refresh:
        yield None
        return
    from mmlock.upkeep.fresh_facts import FreshFacts, using

    facts = FreshFacts(environ)  # before: what the installation came with is what `environ` says now
    with using(facts.current()):
        yield facts


@contextmanager
def _refreshed(settings: Settings, facts: FreshFacts | None, service: Service) -> Iterator[None]:
    """Within it, facts are refreshed on the operator's schedule."""
    if facts is None:
        yield
        return
    from mmlock.web.fresh_facts import following, take_up

    with following(settings.refresh or "", facts, lambda folder: take_up(folder, service)):
        yield


def _private(file: Path) -> None:
    """The folder of a database is this user's alone, for requests may name what is private."""
    from mmlock.files.private import private_folder

    if not file.parent.exists():
        private_folder(file.parent)


@contextmanager
def _executor(settings: Settings, store: Store, engine: Engine) -> Iterator[Executor]:
    if settings.executor is ExecutorKind.QUEUE:
        from mmlock.work.queue import QueueExecutor

        queue = QueueExecutor(store, engine)
        try:
            yield queue
        finally:
            queue.close()
        return
    from mmlock.work.local import LocalExecutor

    with handed_down(settings):
        local = LocalExecutor(
            store,
            HANDLERS,
            processes=settings.processes,
            apart=settings.build_processes if settings.builds else 0,
            limit=settings.limit,
            limits=limits(settings),
            most_waiting=settings.waiting,
            keep=settings.keep,
        )
        try:
            yield local
        finally:
            local.close()


def limits(settings: Settings) -> Mapping[str, float]:
    """Seconds that jobs of some kinds may take."""
    return {kind.value: settings.build_limit for kind in TaskKind if kind.runs_packages}


@contextmanager
def handed_down(settings: Settings) -> Iterator[None]:
    """Within it, processes that are started know what the operator set for all that do jobs."""
    from mmlock.app import served_builds

    values = {
        ALLOW_VARIABLE: ",".join(settings.allow),
        served_builds.ALLOWED_VARIABLE: "1" if settings.builds else "0",
        served_builds.SANDBOX_VARIABLE: settings.sandbox.value,
    }
    if settings.sign is not None:
        values[served_builds.SIGN_VARIABLE] = str(settings.sign.absolute())
    if settings.wheelhouses:  # what is built is served
        values["MMLOCK_WHEELHOUSE"] = str(settings.wheelhouses[0].absolute())
    before = {name: value for name, value in os.environ.items() if name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
        os.environ.update(before)


class Served:
    """A server that is bound and not yet serving; port 0 takes a free one."""

    def __init__(self, settings: Settings) -> None:
        from mmlock.wheels.serve import bound

        try:
            import uvicorn

            from mmlock.wheels.bounded_http import CONNECTIONS, BoundedProtocol
        except ImportError as error:
            raise EnvironmentFault(
                "the service needs packages that are not installed",
                causes=[str(error)],
                hints=[f"install them: `pip install '{Needs.SERVE}'`"],
            ) from error
        self._settings = settings
        self._protocol = BoundedProtocol
        self._uvicorn = uvicorn
        self.socket: socket.socket = bound(settings.host, settings.port, CONNECTIONS)
        self.port: int = self.socket.getsockname()[1]
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"http://{shown}:{self.port}"
        self.server: uvicorn.Server | None = None

    def run(self, app: FastAPI) -> None:
        """Serve until the process gets a signal to end; requests that are under way are answered."""
        config = self._uvicorn.Config(
            app,
            http=self._protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE,
        )
        self.server = self._uvicorn.Server(config)
        try:
            self.server.run(sockets=[self.socket])
        finally:
            self.socket.close()


def log_to(stream: TextIO, *, as_json: bool | None) -> None:
    """Write the log of the service: a JSON object a line, or lines for a terminal."""
    plain = stream.isatty() if as_json is None else not as_json
    handler = logging.StreamHandler(stream)
    shape = "%(asctime)s %(levelname)s %(name)s %(message)s"
    if not plain:
        shape = '{"at":"%(asctime)s","level":"%(levelname)s","logger":"%(name)s","event":%(message)s}'
    handler.setFormatter(logging.Formatter(shape))
    logger = logging.getLogger("mmlock.web")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    if not sys.flags.dev_mode:
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
