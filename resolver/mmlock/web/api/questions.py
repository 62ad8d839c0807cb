"""What takes a while: solve, why-not, inspect, doctor, scan. Quick answers come at once, others as a job."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from mmlock.core.arguments import AUTO
from mmlock.core.errors import UsageError
from mmlock.core.inspect_arguments import InspectArguments
from mmlock.core.service_questions import DoctorQuestion, InspectQuestion, ScanQuestion, TaskKind
from mmlock.core.sources import Inputs, gather
from mmlock.core.stated import NoFiles
from mmlock.web.answers import answer, asked, require, service_of
from mmlock.web.api import Wait, body, documented
from mmlock.web.requests import DoctorBody, InspectBody, SolveBody, WhyNotBody, parsed, solve_request
from mmlock.web.settings import Role
from mmlock.work.model import Task

__all__ = ["router"]

router = APIRouter(tags=["questions"])
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(==[A-Za-z0-9.+!_-]+)?|[A-Za-z_$][A-Za-z0-9_$.@]*")
_RESULT = {"$ref": "#/components/schemas/SolveResult"}
_PAGE = {"$ref": "#/components/schemas/Page"}


@router.post("/solve", responses=documented(_RESULT, job=True), openapi_extra=body("SolveRequest"))
async def solve(request: Request, wait: Wait = 3.0) -> Response:
    """Lock an environment that runs on a device. Equal requests are one job."""
    require(request, Role.SOLVE)
    service = service_of(request)

    def read(body: bytes) -> Task:
        asking = solve_request(parsed(SolveBody, body))
        for place in asking.index.find_links:
            if "://" not in place:
                raise UsageError(f"`{place}` is a folder of yours, which this service does not see")
        return service.solve(asking)

    task = service.read_before(await request.body(), read)
    return answer(request, await asked(request, task, wait))


@router.post("/why-not", responses=documented(_PAGE, job=True), openapi_extra=body("WhyNotRequest"))
async def why_not(request: Request, wait: Wait = 3.0) -> Response:
    """Say what conflicts with one requirement on a target, or that it works."""
    require(request, Role.SOLVE)
    asking = parsed(WhyNotBody, await request.body())
    (doubted, *more) = gather(Inputs(requirements=(asking.requirement,)), NoFiles().text).requirements or (
        None,
    )
    if doubted is None or more:
        raise UsageError(f"`{asking.requirement}` is not one requirement")
    task = service_of(request).why_not(doubted, solve_request(asking.request))
    return answer(request, await asked(request, task, wait))


@router.post("/inspect", responses=documented(_PAGE, job=True), openapi_extra=body("InspectRequest"))
async def inspect(request: Request, wait: Wait = 3.0) -> Response:
    """Say whether compiled files load beside a torch, and have code for a device."""
    require(request, Role.SOLVE)
    asking = parsed(InspectBody, await request.body())
    thing = asking.thing.strip()
    if not thing.startswith(("https://", "http://")) and not _PACKAGE.fullmatch(thing):
        raise UsageError(
            f"`{thing}` is neither a URL nor `PACKAGE==VERSION` nor a symbol",
            hints=["files of your own: `mmlock inspect` on your machine"],
        )
    if AUTO in asking.gpus:
        raise UsageError("`auto` means the GPUs of this machine, which is the server's")
    arguments = InspectArguments(
        thing=thing, torch=tuple(asking.torch), gpus=tuple(asking.gpus), python=asking.python
    )
    service = service_of(request)
    question = service.question(InspectQuestion, moment=service.moment(), request=arguments)
    return answer(request, await asked(request, service.of(TaskKind.INSPECT, question), wait))


@router.post("/doctor", responses=documented(_PAGE, job=True), openapi_extra=body("DoctorRequest"))
async def doctor(request: Request, wait: Wait = 3.0) -> Response:
    """Find out what an error text means, and what fixes it. Nothing in the text is run or fetched."""
    require(request, Role.SOLVE)
    asking = parsed(DoctorBody, await request.body())
    service = service_of(request)
    question = service.question(DoctorQuestion, text=asking.text, gpus=tuple(asking.gpus))
    return answer(request, await asked(request, service.of(TaskKind.DOCTOR, question), wait))


@router.post(
    "/scan",
    responses=documented(_PAGE, job=True),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def scan(
    request: Request,
    wait: Wait = 3.0,
    name: Annotated[str, Query(max_length=200, pattern=r"^[A-Za-z0-9._-]+$")] = "project.zip",
) -> Response:
    """Show what a source tree needs, without running it. The body is a zip or a tar of it."""
    require(request, Role.SOLVE)
    archive = await request.body()
    if not archive:
        raise UsageError("there is no archive in the body", hints=["curl --data-binary @project.zip"])
    service = service_of(request)
    question = service.question(ScanQuestion, archive=archive, name=name)
    return answer(request, await asked(request, service.of(TaskKind.SCAN, question), wait))
