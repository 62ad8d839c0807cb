"""The pages: server-rendered, each with a `.json` twin. They work without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

from mmlock.web.pages import asking, facts, locks, render

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Scope

    from mmlock.core.errors import MmlockError

__all__ = ["add", "error", "wants_page"]


class _Kept(StaticFiles):
    """Files whose address changes with their bytes."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        found = await super().get_response(path, scope)
        found.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return found


def add(app: FastAPI) -> None:
    """Add the pages to the application."""
    for router in (asking.router, locks.router, facts.router):
        app.include_router(router, include_in_schema=False)
    app.mount("/static", _Kept(directory=render.STATIC), name="static")


def wants_page(request: Request) -> bool:
    """Whether someone looks with a browser, at what is no data."""
    path = request.url.path
    program = path.startswith(("/api/", "/simple", "/files/", "/metrics", "/healthz", "/readyz"))
    return not program and not path.endswith(".json") and "text/html" in request.headers.get("accept", "")


def error(request: Request, error: MmlockError) -> Response:
    """An error as a page."""
    return render.error_page(request, error)
