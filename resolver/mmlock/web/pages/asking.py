"""Pages on which something is asked: solve, doctor, and the jobs that come of it."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mmlock.app import browsing
from mmlock.core.errors import MmlockError, UsageError
from mmlock.core.remote import api_name, remote_options
from mmlock.core.service_questions import DoctorQuestion, TaskKind
from mmlock.core.solve_option import OptionKind, OptionSection, SolveOption
from mmlock.web.answers import asked, base_url, job_data, require, result_of, service_of
from mmlock.web.api.jobs import Key, cancelled, found_job
from mmlock.web.pages.render import data, page, problem_data
from mmlock.web.problem import HttpError, failure_status
from mmlock.web.requests import SolveBody, of_form, parsed, solve_request
from mmlock.web.settings import Role
from mmlock.work.model import Job, JobState

__all__ = ["router"]

router = APIRouter()
_QUICK = 2.0
"""Seconds that a form waits for its answer before it leads to the job."""
_MAIN = ("requirements", "torch", "python", "cuda", "stack")
_HINTS: Mapping[str, str] = {
    "requirements": "What you want; empty: the default stack.",
    "torch": "Empty: the newest that fits.",
    "python": "Empty: the newest that fits.",
    "cuda": "The one that torch is built with.",
    "stack": "A named set of requirements.",
}
_EXAMPLES: Mapping[str, str] = {
    "requirements": "mmdet>=3\nxformers",
    "torch": "2.9.1, 2.9, >=2.6 or 2.9.1+cu128",
    "python": "3.12",
    "cuda": "12.8",
    "stack": "openmmlab",
}
_FORM_FIELDS = 100
_SHOWN_LINES = 300
"""Of a log on its page, which is fetched again and again; all of it is a link away."""
_FORM_BYTES = 2_000_000


# ---------------------------------------------------------------- solve


@router.get("/")
async def home() -> Response:
    """The start is the question that most people have."""
    return RedirectResponse("/solve", HTTPStatus.FOUND)


@router.get("/solve.json")
async def solve_twin(request: Request) -> Response:
    """What can be asked: the options of a solve."""
    require(request, Role.READ)
    return data([_view(option) for option in remote_options()])


@router.get("/solve")
async def solve_form(request: Request) -> Response:
    """The form, filled in from the address."""
    require(request, Role.READ)
    return _form(request, of_form(request.query_params))


@router.post("/solve")
async def solve(request: Request) -> Response:
    """Have an environment solved, and lead to it."""
    require(request, Role.SOLVE)
    values = of_form(await _read_form(request))
    try:
        body = json.dumps({**values, "gpus": _several(values.get("gpus", []))}).encode()
        task = service_of(request).solve(solve_request(parsed(SolveBody, body)))
        found = await asked(request, task, _QUICK)
    except MmlockError as error:
        status = error.status if isinstance(error, HttpError) else HTTPStatus.BAD_REQUEST
        return _form(request, values, problem=problem_data(error), status=status)
    if found.body is not None:
        return RedirectResponse(f"/lock/{found.job.key}", HTTPStatus.SEE_OTHER)
    if found.job.state.over:
        failure = found.job.failure
        status = failure_status(failure) if failure else HTTPStatus.SERVICE_UNAVAILABLE
        return _form(request, values, problem=problem_data(found.job), status=status)
    return RedirectResponse(f"/job/{found.job.key}", HTTPStatus.SEE_OTHER)


def _several(texts: list[str]) -> list[str]:
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


async def _read_form(request: Request) -> FormData:
    from starlette.exceptions import HTTPException

    try:
        return await request.form(max_fields=_FORM_FIELDS, max_part_size=_FORM_BYTES, max_files=0)
    except HTTPException as error:
        raise UsageError("the form cannot be read", causes=[str(error.detail)]) from error


def _form(
    request: Request,
    values: Mapping[str, Any],
    *,
    problem: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    options = {api_name(option): option for option in remote_options()}
    rest = {name for name in options if name not in {*_MAIN, "gpus"}}
    return page(
        request,
        "solve.html",
        "/solve",
        twin="/solve.json",
        status=status,
        values=values,
        problem=problem,
        devices=browsing.device_names(),
        stacks=browsing.stack_names(),
        main=[_view(options[name]) for name in _MAIN],
        sections=[(title, list(rows)) for title, rows in _sections(options, rest)],
        open=bool(rest & set(values)),
        hints=defaultdict(str, _HINTS),
        examples=defaultdict(str, _EXAMPLES),
        command=_command(base_url(request), values),
        curl=_curl(base_url(request), values),
    )


def _command(base: str, values: Mapping[str, Any]) -> str:
    """What asks the same from a terminal."""
    words = ["mmlock", "--server", base, "solve"]
    said = {**values, "gpus": _several(values.get("gpus", [])) or ["rtx5090"]}
    for option in remote_options():
        if (value := said.get(api_name(option))) is None:
            continue
        if value is True:
            words.append(f"--{option.name}")
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{option.name}", one]
    return shlex.join(words)


def _curl(base: str, values: Mapping[str, Any]) -> str:
    body = {**values, "gpus": _several(values.get("gpus", [])) or ["rtx5090"]}
    return shlex.join(["curl", "-s", f"{base}/api/v1/solve", "-d", json.dumps(body)])


def _sections(
    options: Mapping[str, SolveOption], rest: set[str]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for section in OptionSection:
        rows = [_view(o) for name, o in options.items() if o.section is section and name in rest]
        if rows and section is not OptionSection.OUTPUT:
            yield section.value, rows


def _view(option: SolveOption) -> dict[str, Any]:
    name = api_name(option)
    return {
        "name": name,
        "label": name.replace("_", " ").capitalize().replace("Cuda", "CUDA").replace("Glibc", "glibc"),
        "kind": OptionKind.FLAG.value if option.kind is OptionKind.FLAG else "text",
        "help": option.help,
        "metavar": option.metavar,
        "repeatable": option.repeatable,
    }


@router.get("/gpus/hint")
async def gpu_hint(request: Request) -> Response:
    """A line about the device that someone types."""
    require(request, Role.READ)
    from html import escape

    lines = []
    for word in _several(request.query_params.getlist("gpus"))[:4]:
        try:
            found: Any = (await run_in_threadpool(browsing.gpus, word)).data
            torch = (found.get("torch") or {}).get("pypi")
            runs = f"; torch on PyPI {torch['first']} to {torch['last']}" if torch else ""
            arch = f" ({found['arch']})" if found.get("arch") else ""
            lines.append(f"{found['name']}{arch}{runs}")
        except MmlockError as error:
            lines.append("; ".join((error.message, *error.hints[:1])).replace("`", ""))
    return HTMLResponse("<br>".join(escape(line) for line in lines))


# ---------------------------------------------------------------- doctor


@router.get("/doctor")
async def doctor_form(request: Request) -> Response:
    """The place to paste a log."""
    require(request, Role.READ)
    return page(
        request, "doctor.html", "/doctor", twin="/doctor.json", text="", gpu="", problem=None, answer=None
    )


@router.get("/doctor.json")
async def doctor_twin(request: Request) -> Response:
    """How a program asks the doctor."""
    require(request, Role.READ)
    return data(
        {"post": "/api/v1/doctor", "schema": "/api/v1/openapi.json#/components/schemas/DoctorRequest"}
    )


@router.post("/doctor")
async def doctor(request: Request) -> Response:
    """Explain a log."""
    require(request, Role.SOLVE)
    form = await _read_form(request)
    text, gpu = (str(form.get(name) or "") for name in ("text", "gpu"))
    problem = answer = None
    status = 200
    if not text.strip():
        problem, status = problem_data(UsageError("there is nothing to explain")), 400
    else:
        service = service_of(request)
        question = service.question(DoctorQuestion, text=text, gpus=tuple(_several([gpu])))
        found = await asked(request, service.of(TaskKind.DOCTOR, question), 10.0)
        if found.body is not None:
            answer = result_of(found)["text"]
        elif found.job.state.over:
            problem = problem_data(found.job)
        else:
            return RedirectResponse(f"/job/{found.job.key}", HTTPStatus.SEE_OTHER)
    return page(
        request,
        "doctor.html",
        "/doctor",
        twin="/doctor.json",
        status=status,
        text=text,
        gpu=gpu,
        problem=problem,
        answer=answer,
    )


# ---------------------------------------------------------------- jobs


@router.get("/jobs")
async def jobs(request: Request) -> Response:
    """The newest jobs."""
    require(request, Role.READ)
    found = await asyncio.to_thread(service_of(request).store.recent, 50)
    return page(request, "jobs.html", "/jobs", twin="/jobs.json", jobs=found)


@router.get("/jobs.json")
async def jobs_twin(request: Request) -> Response:
    """The newest jobs as data."""
    require(request, Role.READ)
    return data([job_data(job) for job in await asyncio.to_thread(service_of(request).store.recent, 50)])


@router.get("/job/{key}.json")
async def job_twin(request: Request, key: Key) -> Response:
    """A job as data, with its log."""
    require(request, Role.READ)
    service = service_of(request)
    job = await found_job(service, key)
    lines = await asyncio.to_thread(service.store.events, key)
    return data({**job_data(job), "log": [{"at": line.at, "text": line.text} for line in lines]})


@router.get("/job/{key}")
async def job(request: Request, key: Key) -> Response:
    """A job with its log, which grows while one looks."""
    require(request, Role.READ)
    service = service_of(request)
    found = await found_job(service, key)
    lines = await asyncio.to_thread(lambda: service.store.events(key, last=_SHOWN_LINES))
    part = "part" in request.query_params
    good = found.state is JobState.DONE and found.failure is None
    if part and good and (place := _result_page(found)):
        return Response(status_code=200, headers={"HX-Redirect": place})
    return page(
        request,
        "job_part.html" if part else "job.html",
        "/jobs",
        twin=f"/job/{key}.json",
        job={**job_data(found), "state": found.state},
        lines=lines,
        earlier=bool(lines) and lines[0].number > 1,
        result=(_result_page(found) or f"/api/v1/jobs/{key}/result") if good else None,
        problem=problem_data(found) if found.state.over and not good else None,
    )


def _result_page(found: Job) -> str | None:
    if found.kind == TaskKind.SOLVE.value:
        return f"/lock/{found.key}"
    if found.kind == TaskKind.BUILD.value:
        return f"/lock/{found.key}"
    if found.kind in {
        TaskKind.VALIDATE.value,
        TaskKind.WHY_NOT.value,
        TaskKind.DOCTOR.value,
        TaskKind.INSPECT.value,
    }:
        return f"/answer/{found.key}"
    return None


@router.post("/job/{key}/cancel")
async def cancel(request: Request, key: Key) -> Response:
    """End a job."""
    await cancelled(request, key)
    return RedirectResponse(f"/job/{key}", HTTPStatus.SEE_OTHER)


@router.get("/answer/{key}")
async def text_answer(request: Request, key: Key) -> Response:
    """An answer in words."""
    require(request, Role.READ)
    service = service_of(request)
    job = await found_job(service, key)
    found = await service.wait(key, 0.0)
    assert found is not None
    document = result_of(found)
    return page(
        request,
        "text.html",
        "/jobs",
        twin=f"/api/v1/jobs/{key}/result",
        title=job.kind,
        lead=None,
        problem=None,
        text=document.get("text", ""),
        action=(f"/lock/{key}", "Show the lock and its verdict") if document.get("files") else None,
    )
