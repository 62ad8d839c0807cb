"""Facts: devices, packages, what goes with what, validations, and releases as a feed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mmlock.app import browsing
from mmlock.core.arguments import AUTO, SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.sources import Inputs, gather
from mmlock.core.stated import NoFiles
from mmlock.web.answers import answer, asked, json_response, require, service_of
from mmlock.web.api import Wait, documented
from mmlock.web.settings import Role
from mmlock.work.model import Task

__all__ = ["grid_task", "require_table", "router"]

router = APIRouter(tags=["facts"])
Name = Annotated[str, Path(max_length=200)]
_ROWS = {"type": "array", "items": {"type": "object"}}
GRID_PACKAGES = ("mmcv", "mmcv-full")
"""What the table of the matrix is made for."""


@router.get("/gpus", responses=documented({"type": "object"}))
async def gpus(request: Request) -> Response:
    """Every device."""
    require(request, Role.READ)
    return json_response((await run_in_threadpool(browsing.gpus)).data)


@router.get("/gpus/{name:path}", responses=documented({"type": "object"}))
async def gpu(request: Request, name: Name) -> Response:
    """What is known about one device."""
    require(request, Role.READ)
    return json_response((await run_in_threadpool(browsing.gpus, name)).data)


@router.get("/packages", responses=documented({"type": "array", "items": {"type": "string"}}))
async def packages(request: Request) -> Response:
    """Packages that facts are about."""
    require(request, Role.READ)
    return json_response(await run_in_threadpool(browsing.package_names))


@router.get("/packages/{package}", responses=documented({"type": "object"}))
async def package(request: Request, package: Name) -> Response:
    """The facts about `PACKAGE` or `PACKAGE==VERSION`."""
    require(request, Role.READ)
    return json_response((await run_in_threadpool(browsing.package_facts, package)).data)


@router.get("/feed/{package}.json", responses=documented({"type": "object"}))
async def feed(request: Request, package: Name) -> Response:
    """The releases of a package, for a custom datasource of Renovate."""
    require(request, Role.READ)
    return json_response(await run_in_threadpool(browsing.releases, package))


@router.get("/verdicts", responses=documented(_ROWS))
async def verdicts(request: Request) -> Response:
    """Validations that are recorded: what ran, on what, and held."""
    require(request, Role.READ)
    return json_response(await run_in_threadpool(browsing.validations))


@router.get("/matrix", responses=documented({"$ref": "#/components/schemas/Grid"}, job=True))
async def matrix(
    request: Request,
    gpu: Annotated[str, Query(max_length=200)] = "rtx5090",
    package: Annotated[str, Query(max_length=100)] = "mmcv",
    wait: Wait = 10.0,
) -> Response:
    """Which releases of a package go with which builds of torch on a device."""
    require(request, Role.READ)
    return answer(request, await asked(request, grid_task(request, gpu, package), wait))


def require_table(package: str) -> None:
    """Raises UsageError for a package that there is no table for."""
    if package not in GRID_PACKAGES:
        raise UsageError(
            f"there is no table for `{package[:60]}`",
            hints=[f"there is one for {' and '.join(GRID_PACKAGES)}"],
        )


def grid_task(request: Request, gpu: str, package: str) -> Task:
    """The table for a device. Raises UsageError."""
    require_table(package)
    if gpu.strip().lower() == AUTO:
        raise UsageError("`auto` means the GPUs of this machine, which is the server's")
    wanted = gather(Inputs(requirements=(package,)), NoFiles().text).requirements
    asking = SolveArguments(gpus=(gpu,), requirements=wanted).checked()
    return service_of(request).grid(package, asking)
