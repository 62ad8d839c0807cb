"""The pages: server-rendered, each with a `.json` twin. They work without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmlock.web.problem import problem_of

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from mmlock.core.errors import MmlockError

__all__ = ["add", "error", "wants_page"]


def add(app: FastAPI) -> None:
    """Add the pages to the application."""
    del app


def wants_page(request: Request) -> bool:
    """Whether somebody looks with a browser."""
    del request
    return False


def error(request: Request, error: MmlockError) -> Response:
    """An error as a page."""
    return problem_of(error, request)
