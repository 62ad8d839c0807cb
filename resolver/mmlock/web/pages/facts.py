"""Pages of facts: the matrix of what goes with what, and devices."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mmlock.app import browsing
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.sources import Inputs, gather
from mmlock.core.stated import NoFiles
from mmlock.core.versions import version
from mmlock.web.answers import asked, require, result_of, service_of
from mmlock.web.api.facts import GRID_PACKAGES, grid_task, require_table
from mmlock.web.pages.render import data, page, problem_data
from mmlock.web.settings import Role

__all__ = ["router"]

router = APIRouter()
_ORDER = (
    "validated", "wheel", "unread", "verified", "build", "without-ops", "broken", "unknown", "refused",
)  # fmt: skip
_WORDS: Mapping[str, str] = {
    "validated": "ran",
    "wheel": "wheel",
    "unread": "wheel?",
    "verified": "build ✓",
    "build": "build",
    "without-ops": "no ops",
    "broken": "broken",
    "refused": "no",
    "unknown": "?",
}
_LEGEND = (
    ("validated", "its kernels ran on such a card, and held"),
    ("wheel", "a wheel with code for the card"),
    ("unread", "a wheel whose GPU code nobody has read"),
    ("verified", "built from source, with a recipe that was shown to work"),
    ("build", "built from source; nobody is known to have tried"),
    ("without-ops", "only without compiled ops"),
    ("broken", "can be installed, and is known to fail"),
    ("refused", "incompatible; click for the reason"),
    ("unknown", "no fact says yes or no"),
)
_ANY = "any"


@router.get("/matrix.json")
async def matrix_twin(request: Request, gpu: str = "rtx5090", package: str = "mmcv") -> Response:
    """The table as data."""
    require(request, Role.READ)
    return data(result_of(await asked(request, grid_task(request, gpu[:200], package), 25.0)))


@router.get("/matrix")
async def matrix(
    request: Request, gpu: str = "rtx5090", package: str = "mmcv", cuda: str = _ANY, *, early: bool = False
) -> Response:
    """Torch and mmcv on a device, as a coloured table."""
    require(request, Role.READ)
    found = await asked(request, grid_task(request, gpu[:200], package), 0.7)
    values: dict[str, Any] = {"gpu": gpu, "package": package, "cuda": cuda, "packages": GRID_PACKAGES}
    grid = result_of(found) if found.job.state.over else None
    table = _table(grid, gpu, cuda, early=early)
    shown = {cell["state"] for row in table["rows"] for cell in row["cells"]}
    return page(
        request,
        "matrix.html",
        "/matrix",
        twin=f"/matrix.json?{request.url.query}",
        choices=browsing.device_names(),
        words=_WORDS,
        legend=[(state, text) for state, text in _LEGEND if state in shown],
        early=early,
        address=f"/matrix?{urlencode({'gpu': gpu, 'package': package})}",
        **values,
        **table,
    )


def _table(grid: Mapping[str, Any] | None, gpu: str, cuda: str, *, early: bool) -> dict[str, Any]:
    """The rows of a grid: a torch release each, with the best that any of its builds gives."""
    if grid is None:
        return {"rows": [], "versions": [], "cudas": [], "devices": gpu, "suffix": "", "hidden": 0}
    by_torch: dict[str, list[int]] = {}
    for place, row in enumerate(grid["rows"]):
        if cuda in {_ANY, row["variant"]}:
            by_torch.setdefault(row["torch"], []).append(place)
    every = range(len(grid["versions"]))
    columns = [at for at in every if early or not version(grid["versions"][at]).is_prerelease]
    rows = []
    for torch, places in by_torch.items():
        cells = [_best(grid, places, column) for column in columns]
        rows.append({"torch": torch, "cells": cells})
    return {
        "rows": rows,
        "versions": [grid["versions"][at] for at in columns],
        "hidden": len(every) - len(columns),
        "cudas": sorted({row["variant"] for row in grid["rows"]}, key=_newness, reverse=True),
        "devices": ", ".join(grid["devices"]),
        "suffix": f",{cuda}" if cuda != _ANY else "",
    }


def _newness(variant: str) -> tuple[str, int, str]:
    """Sorts `cu132`, `cu92` and `cpu` by what they are, then by how new they are."""
    kind = variant.rstrip("0123456789.")
    return kind, len(variant), variant


def _best(grid: Mapping[str, Any], places: list[int], column: int) -> dict[str, Any]:
    best = min(places, key=lambda place: _ORDER.index(grid["cells"][place][column]["state"]))
    cell = grid["cells"][best][column]
    good = cell["state"] not in {"refused", "unknown"}
    short = grid["rows"][best]["variant"] if good and len(places) > 1 else ""
    return {"state": cell["state"], "cuda": short, "version": grid["versions"][column]}


@router.get("/why")
async def why(request: Request, gpu: str, q: str, package: str = GRID_PACKAGES[0]) -> Response:
    """Why a cell of the table of `package` is what it is: `q` is torch, the release, perhaps the variant."""
    require(request, Role.SOLVE)
    require_table(package)
    torch, _, rest = q[:200].partition(",")
    release, _, variant = rest.partition(",")
    build = f"{torch}+{variant}" if variant else torch
    wanted = gather(Inputs(requirements=(f"{package}=={release}",)), NoFiles().text).requirements
    if len(wanted) != 1:
        raise UsageError("that is not a cell of the table")
    asking = SolveArguments(gpus=(gpu,), torch=build, requirements=wanted).checked()
    found = await asked(request, service_of(request).why_not(wanted[0], asking), 10.0)
    if not found.job.state.over:
        return RedirectResponse(f"/job/{found.job.key}", HTTPStatus.SEE_OTHER)
    answer = result_of(found) if found.body is not None else None
    query = urlencode({"gpus": gpu, "torch": build, "requirements": f"{package}=={release}"})
    return page(
        request,
        "why.html",
        "/matrix",
        twin=f"/api/v1/jobs/{found.job.key}/result",
        title=f"{package} {release} with torch {build} on {gpu}",
        problem=None if answer else problem_data(found.job),
        answer=answer,
        chain=[_link(one) for one in answer["data"].get("chain", ())] if answer else [],
        solve=f"/solve?{query}",
        back=f"/matrix?{urlencode({'gpu': gpu, 'package': package})}",
    )


def _link(one: Mapping[str, Any]) -> Mapping[str, Any]:
    """A fact of a conflict, its sources in words."""
    return {**one, "source": browsing.cited(one["source"])}


# ---------------------------------------------------------------- devices


@router.get("/gpus")
async def gpus(request: Request) -> Response:
    """All devices."""
    require(request, Role.READ)
    found: Any = (await run_in_threadpool(browsing.gpus)).data
    return page(
        request, "gpus.html", "/gpus", twin="/gpus.json", nvidia=found["nvidia"], others=found["others"]
    )


@router.get("/gpus.json")
async def gpus_twin(request: Request) -> Response:
    """All devices as data."""
    require(request, Role.READ)
    return data((await run_in_threadpool(browsing.gpus)).data)


@router.get("/gpus/{name}.json")
async def gpu_twin(request: Request, name: str) -> Response:
    """One device as data."""
    require(request, Role.READ)
    return data((await run_in_threadpool(browsing.gpus, name[:200])).data)


@router.get("/gpus/{name}")
async def gpu(request: Request, name: str) -> Response:
    """One device."""
    require(request, Role.READ)
    found = await run_in_threadpool(browsing.gpus, name[:200])
    about: Any = found.data
    return page(
        request,
        "text.html",
        "/gpus",
        twin=f"/gpus/{name}.json",
        title=about["name"],
        lead=None,
        problem=None,
        text=found.text,
        action=(f"/matrix?gpu={name}", "What goes with what on it") if about.get("arch") else None,
    )
