"""The application: doors around a service."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mmlock import __version__
from mmlock.core.errors import MmlockError, UsageError
from mmlock.resolve.loop.grid import Grid
from mmlock.web import pages
from mmlock.web.answers import json_response
from mmlock.web.api import PREFIX, builds, facts, jobs, locks, questions
from mmlock.web.guard import Guard, RateLimit
from mmlock.web.index import routes
from mmlock.web.problem import SCHEMA, HttpError, problem, problem_of
from mmlock.web.repeats import Repeats
from mmlock.web.requests import (
    BuildBody,
    DoctorBody,
    InspectBody,
    SolveBody,
    ValidateBody,
    WhyNotBody,
    schema_of,
)
from mmlock.web.service import Service
from mmlock.work.model import FailureKind, Job, TaskFailure

__all__ = ["make_app"]


def make_app(service: Service) -> FastAPI:
    """The service as an ASGI application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        service.start()
        try:
            yield
        finally:
            service.stop()

    app = FastAPI(
        title="mmlock",
        version=__version__,
        description="Locks environments for compiled PyTorch extensions.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.service = service
    rate = service.settings.job_rate
    app.state.rate = RateLimit(rate) if rate else None
    for router in (questions.router, builds.router, jobs.router, facts.router, locks.router):
        app.include_router(router, prefix=PREFIX)
    _probes(app, service)
    pages.add(app)
    routes.add(app, service.settings)
    _errors(app)
    app.add_middleware(Repeats, service=service, paths=frozenset({f"{PREFIX}/solve"}))
    app.add_middleware(Guard, settings=service.settings, tokens=service.tokens, metrics=service.metrics)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _probes(app: FastAPI, service: Service) -> None:
    async def alive() -> Response:
        return json_response({"status": "alive", "version": __version__})

    async def ready() -> Response:
        """Whether the database answers."""
        counts = await asyncio.to_thread(service.store.count)
        return json_response({"status": "ready", "matrix": service.matrix, "jobs": counts})

    async def metrics() -> Response:
        text = await asyncio.to_thread(service.metrics.text, service.store)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    for path, endpoint in (("/healthz", alive), ("/readyz", ready), ("/metrics", metrics)):
        app.add_api_route(path, endpoint, include_in_schema=False)


def _errors(app: FastAPI) -> None:
    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, MmlockError)
        return pages.error(request, error) if pages.wants_page(request) else problem_of(error, request)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        phrase = HTTPStatus(error.status_code).phrase.lower()
        found = HttpError(error.status_code, phrase, headers=error.headers)
        return await ours(request, found)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        causes = [f"{'.'.join(map(str, fault['loc']))[:100]}: {fault['msg']}" for fault in error.errors()]
        return await ours(request, UsageError("the request cannot be read", causes=causes))

    async def bug(request: Request, error: Exception) -> Response:
        logging.getLogger("mmlock.web").error(
            '"%s"', type(error).__name__, exc_info=error, extra={"request_id": request.state.request_id}
        )
        failure = TaskFailure(
            kind=FailureKind.CRASH,
            message="mmlock failed",
            hints=("this is a bug: please report it with what you asked",),
        )
        return problem(failure, request)

    app.add_exception_handler(Exception, bug)
    app.add_exception_handler(MmlockError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


_RESULTS: Mapping[str, Any] = {
    "Page": {
        "type": "object",
        "required": ["text", "data"],
        "properties": {"text": {"type": "string", "description": "For people."}, "data": {}},
    },
    "SolveResult": {
        "type": "object",
        "required": ["text", "lock", "files"],
        "properties": {
            "text": {"type": "string", "description": "For people."},
            "lock": {
                "type": "object",
                "description": "The environment: `mmlock.lock.model.LockedEnv`.",
                "required": ["stack", "target", "python", "torch", "packages", "fetch", "build", "sealed"],
            },
            "files": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
    "BuildResult": {
        "type": "object",
        "required": ["text", "data", "files"],
        "properties": {
            "text": {"type": "string", "description": "For people."},
            "data": {"type": "object"},
            "files": {
                "type": "object",
                "description": "The lock folder as it is now, by file names; `verdict.json`, too.",
                "additionalProperties": {"type": "string"},
            },
        },
    },
}
"""The shapes of what the service answers, beside those that come from types."""


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _, ours = msgspec.json.schema_components([Job, Grid], ref_template="#/components/schemas/{name}")
    schemas |= ours
    schemas["Problem"] = SCHEMA
    for name, model in (
        ("SolveRequest", SolveBody),
        ("WhyNotRequest", WhyNotBody),
        ("DoctorRequest", DoctorBody),
        ("InspectRequest", InspectBody),
        ("BuildRequest", BuildBody),
        ("ValidateRequest", ValidateBody),
    ):
        schema = dict(schema_of(model))
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    schemas |= _RESULTS
    for path in document["paths"].values():
        for operation in path.values():
            # FastAPI's own words for a request that cannot be read; ours are 400.
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{}, {"token": []}]
    app.openapi_schema = document
    return document
