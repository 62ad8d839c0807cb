"""Builds and validations: what runs code of packages, where an operator allows it, for who has the role."""

from __future__ import annotations

import re
from http import HTTPStatus

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mmlock.app import browsing
from mmlock.app.served_builds import require_ours
from mmlock.core.errors import UsageError
from mmlock.lock.model import LockedEnv
from mmlock.web.answers import answer, asked, base_url, require, service_of
from mmlock.web.api import Wait, body, documented
from mmlock.web.api.locks import solved_document
from mmlock.web.problem import HttpError
from mmlock.web.requests import BuildBody, ValidateBody, parsed
from mmlock.web.settings import Role
from mmlock.work.model import ANYWHERE

__all__ = ["router"]

router = APIRouter(tags=["builds"])
_DONE = {"$ref": "#/components/schemas/BuildResult"}
_KEY = re.compile(r"[0-9a-f]{64}")


@router.post("/builds", responses=documented(_DONE, job=True), openapi_extra=body("BuildRequest"))
async def build(request: Request, wait: Wait = 0.0) -> Response:
    """Seal a lock: build and download what it lacks. The wheels are in the index then."""
    _require_builds(request)
    asking = parsed(BuildBody, await request.body())
    files = await _files(request, asking)
    env = await _read(files)
    require_ours(env)
    if env.sealed:
        raise UsageError("this lock is sealed already: there is nothing to build or download")
    task = service_of(request).build(files, env, base_url(request), _label(asking.label))
    return answer(request, await asked(request, task, wait))


@router.post("/validations", responses=documented(_DONE, job=True), openapi_extra=body("ValidateRequest"))
async def validate(request: Request, wait: Wait = 0.0) -> Response:
    """Install a sealed lock in a fresh prefix and run the kernels of its packages."""
    _require_builds(request)
    asking = parsed(ValidateBody, await request.body())
    files = await _files(request, asking)
    env = await _read(files)
    if not env.sealed:
        raise UsageError("this lock is not sealed yet", hints=["POST /api/v1/builds does that"])
    task = service_of(request).validate(files, env, asking.device, _label(asking.label))
    return answer(request, await asked(request, task, wait))


def _require_builds(request: Request) -> None:
    if not service_of(request).settings.builds:
        raise HttpError(
            HTTPStatus.FORBIDDEN,
            "this service neither builds nor validates",
            hints=("an operator allows it: `mmlock serve --builds`",),
        )
    require(request, Role.BUILD)


async def _files(request: Request, asking: BuildBody) -> dict[str, str]:
    """The lock that is meant. Raises UsageError and HttpError."""
    named = [word for word in (asking.job, asking.lock, asking.files) if word]
    if len(named) != 1:
        raise UsageError("name one lock: `job`, `lock` or `files`")
    if asking.job:
        if not _KEY.fullmatch(asking.job):
            raise UsageError("`job` is not the key of a job")
        return dict((await solved_document(request, asking.job))["files"])
    if asking.files:
        return dict(asking.files)
    stack, _, target = (asking.lock or "").partition("/")
    locks = service_of(request).locks
    found = await run_in_threadpool(locks.get, stack, target)
    if found is None:
        raise HttpError(HTTPStatus.NOT_FOUND, f"the catalogue has no lock `{asking.lock}`")
    texts = {name: await run_in_threadpool(locks.file, stack, target, name) for name in found.files}
    return {name: text.decode() for name, text in texts.items() if text is not None}


async def _read(files: dict[str, str]) -> LockedEnv:
    return await run_in_threadpool(browsing.lock_of, files)


def _label(label: str | None) -> str | None:
    if label == ANYWHERE:  # there, nobody's code is run
        raise UsageError(f"`{ANYWHERE}` is the label of what any worker does", hints=["leave it out"])
    return label
