"""Templates, and what all of them know."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mmlock import __version__
from mmlock.core.errors import MmlockError
from mmlock.web.answers import base_url, failed, json_response, service_of
from mmlock.web.problem import HttpError, failure_status
from mmlock.work.model import Job, TaskFailure
from mmlock.work.outcomes import failure_of

__all__ = ["STATIC", "error_page", "page", "problem_data"]

_HERE = Path(__file__).parents[1]
STATIC = _HERE / "static"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    environment.filters["shell"] = shlex.quote
    environment.filters["code"] = _code
    return environment


def _code(text: str) -> Markup:
    """Text with its backticks as code."""
    parts = [str(escape(part)) for part in text.split("`")]
    marked = (f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
    return Markup("".join(marked))  # noqa: S704 - escaped part by part


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


@cache
def _assets() -> str:
    """Changes whenever a static file does, so that browsers may keep them for good."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def page(
    request: Request, template: str, here: str, *, status: int = 200, twin: str | None = None, **values: Any
) -> Response:
    """A page. `here` is its entry in the navigation, `twin` the address of its data."""
    text = (
        _templates()
        .get_template(template)
        .render(
            here=here,
            twin=twin,
            version=__version__,
            matrix=service_of(request).matrix,
            assets=_assets(),
            site=base_url(request),
            status=status,
            **values,
        )
    )
    return HTMLResponse(text, status, headers={"Cache-Control": "no-cache"})


def problem_data(error: MmlockError | TaskFailure | Job) -> Mapping[str, Any]:
    """What a template says of an error, of a failure or of a job that has no result."""
    if isinstance(error, Job):
        error = failed(error)
    failure = failure_of(error) if isinstance(error, MmlockError) else error
    return {
        "title": failure.message,
        "causes": failure.causes,
        "hints": failure.hints,
        "sources": failure.sources,
    }


def error_page(request: Request, error: MmlockError) -> Response:
    """An error as a page."""
    status = error.status if isinstance(error, HttpError) else failure_status(failure_of(error))
    found = page(
        request,
        "error.html",
        "",
        status=status,
        phrase=HTTPStatus(status).phrase.lower(),
        problem=problem_data(error),
        request_id=request.state.request_id,
    )
    if isinstance(error, HttpError):
        found.headers.update(error.headers)
    return found


def data(value: object) -> Response:
    """The twin of a page."""
    return json_response(value)
