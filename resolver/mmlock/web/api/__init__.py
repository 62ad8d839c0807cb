"""API v1, one file per kind of thing. `documented` says what every answer may be."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

__all__ = ["PROBLEMS", "Wait", "body", "documented"]

PREFIX = "/api/v1"
Wait = Annotated[
    float, Query(ge=0, le=30, description="Seconds to wait for the answer before a job is named instead.")
]

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": _PROBLEM}}}
    for status, text in (
        (400, "The request cannot be read."),
        (401, "A token is needed."),
        (403, "The token is not enough."),
        (404, "There is no such thing."),
        (409, "The request was read, and nothing fits: the causes say why."),
        (413, "The body is too large."),
        (429, "Too many jobs were asked for."),
        (503, "The surroundings: the database, an index, the network."),
        (504, "The job took longer than it may."),
    )
}


def documented(
    schema: dict[str, Any] | None = None, *, job: bool = False, media: str = "application/json"
) -> Any:
    """The answers of a route: the good one, a job that is still done, and problems."""
    good: dict[str, Any] = {"description": "The answer.", "content": {media: {"schema": schema or {}}}}
    answers: dict[int | str, dict[str, Any]] = {200: good, **PROBLEMS}
    if job:
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}
        answers[202] = {"description": "It is still done: the job to come back to.", "content": content}
    return answers


def body(model: str) -> dict[str, Any]:
    """How a route says what its body is; it reads the body itself."""
    schema = {"$ref": f"#/components/schemas/{model}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
