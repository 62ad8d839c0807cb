"""Jobs: what was requested, how it goes, how it is ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from mmlock.core.errors import EnvironmentFault
from mmlock.core.service_questions import TaskKind
from mmlock.web.answers import answer, job_data, json_response, require, service_of
from mmlock.web.api import Wait, documented
from mmlock.web.problem import HttpError
from mmlock.web.service import Service
from mmlock.web.settings import Role
from mmlock.work.model import Job

__all__ = ["Key", "cancelled", "found_job", "router"]

router = APIRouter(tags=["jobs"])
Key = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="The key of a job.")]
_JOB = {"$ref": "#/components/schemas/Job"}
_NEED_BUILD = frozenset(kind.value for kind in TaskKind if kind.runs_packages)
_PULSE = 5.0
"""Seconds between two looks at a job that nobody says anything about; and a comment keeps the line open."""


async def found_job(service: Service, key: str) -> Job:
    """A job. Raises HttpError where there is none."""
    job = await asyncio.to_thread(service.store.get, key)
    if job is None:
        raise HttpError(
            HTTPStatus.NOT_FOUND, "there is no such job", hints=("old ones are forgotten: ask again",)
        )
    return job


@router.get("/jobs", responses=documented({"type": "array", "items": _JOB}))
async def jobs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    kind: Annotated[list[TaskKind], Query(max_length=10, description="Only those of these kinds.")] = [],  # noqa: B006
) -> Response:
    """The newest jobs, newest first."""
    require(request, Role.READ)
    found = await asyncio.to_thread(service_of(request).store.recent, limit, [one.value for one in kind])
    return json_response([job_data(job) for job in found])


@router.get("/jobs/{key}", responses=documented(_JOB))
async def job(request: Request, key: Key) -> Response:
    """One job."""
    require(request, Role.READ)
    return json_response(job_data(await found_job(service_of(request), key)))


@router.get("/jobs/{key}/result", responses=documented(job=True))
async def result(request: Request, key: Key, wait: Wait = 0.0) -> Response:
    """The result of a job, as the question itself would have given it."""
    require(request, Role.READ)
    service = service_of(request)
    await found_job(service, key)
    found = await service.wait(key, wait)
    assert found is not None
    return answer(request, found)


@router.delete("/jobs/{key}", responses=documented(_JOB))
async def cancel(request: Request, key: Key) -> Response:
    """End a job and what it started, for everybody who asked for it."""
    return json_response(job_data(await cancelled(request, key)))


async def cancelled(request: Request, key: str) -> Job:
    """A job that was ended, by somebody who might have asked for it. Raises HttpError."""
    require(request, Role.SOLVE)
    service = service_of(request)
    job = await found_job(service, key)
    if job.kind in _NEED_BUILD:
        require(request, Role.BUILD)
    return await asyncio.to_thread(service.executor.cancel, key) or job


@router.get("/jobs/{key}/log", responses=documented({"type": "string"}, media="text/plain"))
async def log(request: Request, key: Key) -> Response:
    """The whole log of a job so far, as text."""
    require(request, Role.READ)
    service = service_of(request)
    await found_job(service, key)
    lines = await asyncio.to_thread(service.store.events, key)
    return PlainTextResponse("".join(f"{line.text}\n" for line in lines))


@router.get(
    "/jobs/{key}/events",
    responses=documented({"type": "string"}, media="text/event-stream"),
    response_class=StreamingResponse,
)
async def events(request: Request, key: Key) -> Response:
    """The log of a job as server-sent events: `log` for each line, `over` with the job at the end."""
    require(request, Role.READ)
    service = service_of(request)
    await found_job(service, key)
    last = request.headers.get("last-event-id", "0")
    after = int(last[:9]) if last.isascii() and last.isdigit() else 0
    return StreamingResponse(
        _stream(request, service, key, after),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _stream(request: Request, service: Service, key: str, after: int) -> AsyncIterator[bytes]:
    with service.watch(key) as changed:
        while not await request.is_disconnected():
            changed.clear()
            try:
                # The job first: lines that come before its end are read after it.
                found = await asyncio.to_thread(service.store.get, key)
                lines = await asyncio.to_thread(service.store.events, key, after)
            except EnvironmentFault:
                yield b": the database is away\n\n"
                await asyncio.sleep(1)
                continue
            for line in lines:
                after = line.number
                yield _event("log", {"at": line.at, "text": line.text}, after)
            if found is None or found.state.over:
                yield _event("over", job_data(found) if found else None, after)
                return
            try:
                await asyncio.wait_for(changed.wait(), _PULSE)
            except (TimeoutError, asyncio.TimeoutError):
                yield b": still there\n\n"


def _event(name: str, data: object, number: int) -> bytes:
    return f"event: {name}\nid: {number}\ndata: {msgspec.json.encode(data).decode()}\n\n".encode()
