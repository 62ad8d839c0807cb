"""How what came of a question is put: at once, as a job to come back to, or as a problem."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mmlock.core.errors import UsageError
from mmlock.web.guard import RateLimit, who
from mmlock.web.problem import HttpError, failure_status, problem
from mmlock.web.service import Asking, Service
from mmlock.web.settings import Role
from mmlock.work.model import FailureKind, Job, JobState, Task, TaskFailure

__all__ = [
    "answer",
    "answer_head",
    "asked",
    "base_url",
    "job_data",
    "json_response",
    "require",
    "result_of",
    "service_of",
]

JSON = "application/json"


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


def base_url(request: Request) -> str:
    """What a user types to reach this service."""
    settings = service_of(request).settings
    scheme = request.headers.get("x-forwarded-proto", "") if settings.trust_proxy else ""
    if scheme not in {"http", "https"}:
        scheme = request.url.scheme
    return f"{scheme}://{request.headers['host']}"


def require(request: Request, role: Role) -> None:
    """Raise HttpError for someone who may not do that."""
    asking = who(request)
    if asking.role.may(role):
        return
    if asking.token:
        raise HttpError(
            HTTPStatus.FORBIDDEN, f"this token has the role `{asking.role}`, and that needs `{role}`"
        )
    raise HttpError(
        HTTPStatus.UNAUTHORIZED,
        f"that needs a token with the role `{role}`",
        hints=("send it as `Authorization: Bearer TOKEN`", "an operator makes one: `mmlock db add-token`"),
        headers={"WWW-Authenticate": "Bearer"},
    )


def json_response(value: object, status: int = 200, **headers: str) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value, enc_hook=str), status, headers=headers, media_type=JSON)


async def asked(request: Request, task: Task, wait: float) -> Asking:
    """Have a task done for someone who may ask for it, within their limits. Raises MmlockError."""
    service = service_of(request)
    if known := service.at_hand(task):
        return known
    limit: RateLimit | None = request.app.state.rate
    if limit is not None and (seconds := limit.wait(who(request).name)):
        raise HttpError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "you ask for more jobs than this service takes from one client",
            headers={"Retry-After": str(int(seconds) + 1)},
        )
    return await service.ask(task, wait)


def answer(request: Request, found: Asking) -> Response:
    """The result; a problem where there is none; 202 and the job where it is still done."""
    job = found.job
    place = f"/api/v1/jobs/{job.key}"
    if found.body is not None:
        status, fields, body = answer_head(found, request.headers.get("if-none-match", "").encode())
        made = Response(body, status)
        made.raw_headers = fields
        return made
    if job.state.over:
        failure = failed(job)
        return problem(failure, request, instance=place, headers={"Location": place, "X-Job": job.key})
    return json_response(job_data(job), HTTPStatus.ACCEPTED, Location=place, **{"Retry-After": "1"})


def answer_head(found: Asking, known: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of an answer that is there; `known` is what a client says that it has."""
    assert found.body is not None
    key = found.job.key.encode()
    fields = [
        (b"location", b"/api/v1/jobs/" + key),
        (b"etag", b'"' + key + b'"'),
        (b"x-job", key),
        (b"cache-control", b"private, no-cache"),
    ]
    if key in known:
        return HTTPStatus.NOT_MODIFIED.value, fields, b""
    fields += [(b"content-type", JSON.encode()), (b"content-length", str(len(found.body)).encode())]
    return HTTPStatus.OK.value, fields, found.body


def failed(job: Job) -> TaskFailure:
    """Why a job that is over has no result."""
    if job.state is JobState.CANCELLED:
        return TaskFailure(
            kind=FailureKind.SURROUNDINGS,
            message="the job was cancelled",
            hints=("ask again to have it done",),
        )
    return job.failure or TaskFailure(kind=FailureKind.LOST, message="the result of the job is gone")


def result_of(found: Asking) -> Any:
    """The result as values. Raises HttpError with the failure's words where there is none yet, or never."""
    if found.body is not None:
        return msgspec.json.decode(found.body)
    if found.job.state.over:
        failure = failed(found.job)
        raise HttpError(failure_status(failure), failure.message, hints=failure.hints)
    raise UsageError("the job is not done yet")


def job_data(job: Job) -> dict[str, Any]:
    """A job as a document."""
    data: dict[str, Any] = msgspec.to_builtins(job)
    base = f"/api/v1/jobs/{job.key}"
    links = {"self": base, "events": f"{base}/events", "page": f"/job/{job.key}"}
    if job.state is JobState.DONE and job.failure is None:
        links["result"] = f"{base}/result"
    return {**data, "over": job.state.over, "links": links}
