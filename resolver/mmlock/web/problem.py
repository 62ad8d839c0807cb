"""Errors over HTTP, as RFC 9457 says: a problem document with our causes and hints."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from mmlock.core.errors import EnvironmentFault, MatrixError, MmlockError, NoAnswer
from mmlock.work.model import Busy, FailureKind, TaskFailure
from mmlock.work.outcomes import failure_of

__all__ = ["CONTENT_TYPE", "SCHEMA", "HttpError", "failure_status", "problem", "problem_of"]

CONTENT_TYPE = "application/problem+json"

_STATUS: Mapping[FailureKind, HTTPStatus] = {
    FailureKind.NO_ANSWER: HTTPStatus.CONFLICT,
    FailureKind.USAGE: HTTPStatus.BAD_REQUEST,
    FailureKind.SURROUNDINGS: HTTPStatus.SERVICE_UNAVAILABLE,
    FailureKind.MATRIX: HTTPStatus.INTERNAL_SERVER_ERROR,
    FailureKind.LIMIT: HTTPStatus.GATEWAY_TIMEOUT,
    FailureKind.LOST: HTTPStatus.INTERNAL_SERVER_ERROR,
    FailureKind.CRASH: HTTPStatus.INTERNAL_SERVER_ERROR,
}

_TEXTS = {"type": "array", "items": {"type": "string"}}
SCHEMA = {
    "type": "object",
    "description": "A problem (RFC 9457): what happened, why, and what to do next.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "description": "`urn:mmlock:problem:KIND`."},
        "title": {"type": "string", "description": "What happened."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "The causes, one a line."},
        "instance": {"type": "string", "description": "The job that it is about."},
        "causes": _TEXTS,
        "hints": _TEXTS,
        "sources": _TEXTS,
        "request_id": {"type": "string"},
    },
}


class HttpError(MmlockError):
    """Something that only HTTP knows: no such page, no token, too much."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        hints: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hints=hints)
        self.status = status
        self.headers = dict(headers or {})


def failure_status(failure: TaskFailure) -> int:
    """The HTTP status of a job without a result."""
    return _STATUS[failure.kind].value


def problem_of(error: MmlockError, request: Request | None = None) -> Response:
    """An error as an answer."""
    if isinstance(error, HttpError):
        failure = TaskFailure(kind=FailureKind.USAGE, message=error.message, hints=error.hints)
        word = HTTPStatus(error.status).phrase.lower().replace(" ", "-")
        return problem(failure, request, status=error.status, word=word, headers=error.headers)
    failure = failure_of(error)
    headers = {"Retry-After": "10"} if isinstance(error, Busy | EnvironmentFault) else {}
    if not isinstance(error, NoAnswer | MatrixError | EnvironmentFault | Busy):
        failure = msgspec.structs.replace(failure, kind=FailureKind.USAGE)
    return problem(failure, request, headers=headers)


def problem(
    failure: TaskFailure,
    request: Request | None = None,
    *,
    status: int | None = None,
    word: str | None = None,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A failure as an answer."""
    code = status or failure_status(failure)
    body: dict[str, object] = {
        "type": f"urn:mmlock:problem:{word or failure.kind.value}",
        "title": failure.message,
        "status": code,
        "causes": failure.causes,
        "hints": failure.hints,
        "sources": failure.sources,
    }
    if failure.causes:
        body["detail"] = "\n".join(failure.causes)
    if instance:
        body["instance"] = instance
    if request is not None and (identity := getattr(request.state, "request_id", None)):
        body["request_id"] = identity
    return Response(msgspec.json.encode(body), code, headers=dict(headers or {}), media_type=CONTENT_TYPE)
