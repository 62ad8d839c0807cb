"""Locks: those that a catalogue keeps, with their files, reasons and badges; and those that were solved."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mmlock.app import browsing
from mmlock.app.browsing import Committed, CommittedState
from mmlock.core.service_questions import TaskKind
from mmlock.web.answers import json_response, require, service_of
from mmlock.web.api import documented
from mmlock.web.api.jobs import Key, found_job
from mmlock.web.badge import badge
from mmlock.web.problem import HttpError
from mmlock.web.settings import Role

__all__ = ["committed_data", "committed_lock", "router", "solved_document"]

router = APIRouter(tags=["locks"])
Word = Annotated[str, Path(max_length=100)]
_OBJECT = {"type": "object"}
_BYTES = {"type": "string"}
_HAVE_FILES = frozenset(kind.value for kind in (TaskKind.SOLVE, TaskKind.BUILD, TaskKind.VALIDATE))
_COLOURS = {
    CommittedState.SEALED: "#1f7a4d",
    CommittedState.OPEN: "#9a6700",
    CommittedState.REFUSED: "#b42318",
    CommittedState.MISSING: "#59636e",
    CommittedState.BROKEN: "#b42318",
}


async def committed_lock(request: Request, stack: str, target: str) -> Committed:
    """A pair of the catalogue. Raises HttpError where there is none."""
    found = await run_in_threadpool(service_of(request).locks.get, stack, target)
    if found is None:
        raise HttpError(HTTPStatus.NOT_FOUND, f"the catalogue has no lock `{stack}/{target}`")
    return found


def committed_data(one: Committed, *, whole: bool = False) -> dict[str, Any]:
    """A pair as a document; `whole` with the lock itself."""
    data: dict[str, Any] = {
        "stack": one.stack,
        "target": one.target,
        "state": one.state.value,
        "mmcv": one.mmcv,
        "todo": one.todo,
        "ran": one.ran,
        "validated": one.validated,
        "files": one.files,
        "python": one.env.python if one.env else None,
        "torch": one.env.torch if one.env else None,
        "refused": one.refused.error if one.refused else None,
        "fault": one.fault,
    }
    if whole:
        data["lock"] = msgspec.to_builtins(one.env) if one.env else None
        data["refusal"] = msgspec.to_builtins(one.refused) if one.refused else None
    return data


@router.get("/locks", responses=documented({"type": "array", "items": _OBJECT}))
async def locks(request: Request) -> Response:
    """The locks of the catalogue, and what is in each folder."""
    require(request, Role.READ)
    found = await run_in_threadpool(service_of(request).locks.all)
    return json_response([committed_data(one) for one in found])


@router.get("/locks/{stack}/{target}", responses=documented(_OBJECT))
async def lock(request: Request, stack: Word, target: Word) -> Response:
    """One of them, whole."""
    require(request, Role.READ)
    return json_response(committed_data(await committed_lock(request, stack, target), whole=True))


@router.get("/locks/{stack}/{target}/files/{name}", responses=documented(_BYTES, media="text/plain"))
async def lock_file(request: Request, stack: Word, target: Word, name: Word) -> Response:
    """A file of its folder."""
    require(request, Role.READ)
    data = await run_in_threadpool(service_of(request).locks.file, stack, target, name)
    if data is None:
        raise HttpError(HTTPStatus.NOT_FOUND, f"`{stack}/{target}` has no file `{name}`")
    return Response(data, media_type="text/plain; charset=utf-8")


@router.get("/locks/{stack}/{target}/why/{package}", responses=documented(_OBJECT))
async def lock_why(request: Request, stack: Word, target: Word, package: Word) -> Response:
    """Why a package of it is what it is."""
    require(request, Role.READ)
    found = await committed_lock(request, stack, target)
    if found.env is None:
        raise HttpError(HTTPStatus.NOT_FOUND, f"there is no lock `{stack}/{target}`")
    page = browsing.why_in(found.env, package)
    return json_response({"text": page.text, "data": page.data})


@router.get("/locks/{stack}/{target}/badge.svg", responses=documented(_BYTES, media="image/svg+xml"))
async def lock_badge(request: Request, stack: Word, target: Word) -> Response:
    """Its state as a picture for a README."""
    require(request, Role.READ)
    found = await committed_lock(request, stack, target)
    text = f"{found.state}, validated" if found.validated else found.state.value
    picture = badge(f"{stack} · {target}", text, _COLOURS[found.state])
    return Response(picture, media_type="image/svg+xml", headers={"Cache-Control": "max-age=60"})


# ---------------------------------------------------------------- what was solved


async def solved_document(request: Request, key: str) -> dict[str, Any]:
    """The result of a job that has a lock, by its key. Raises HttpError."""
    service = service_of(request)
    job = await found_job(service, key)
    found = await service.wait(key, 0.0)
    if job.kind not in _HAVE_FILES or found is None or found.body is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "that job has made no lock")
    document: dict[str, Any] = msgspec.json.decode(found.body)
    return document


@router.get("/jobs/{key}/files/{name}", responses=documented(_BYTES, media="text/plain"))
async def solved_file(request: Request, key: Key, name: Word) -> Response:
    """A file of a lock that was solved."""
    require(request, Role.READ)
    files = (await solved_document(request, key))["files"]
    if name not in files:
        raise HttpError(
            HTTPStatus.NOT_FOUND, f"it has no file `{name}`", hints=(f"it has {', '.join(files)}",)
        )
    return Response(files[name], media_type="text/plain; charset=utf-8")


@router.get("/jobs/{key}/why/{package}", responses=documented(_OBJECT))
async def solved_why(request: Request, key: Key, package: Word) -> Response:
    """Why a package of a lock that was solved is what it is."""
    require(request, Role.READ)
    files = (await solved_document(request, key))["files"]
    page = await run_in_threadpool(lambda: browsing.why_in(browsing.lock_of(files), package))
    return json_response({"text": page.text, "data": page.data})
