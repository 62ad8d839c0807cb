"""Questions that were answered before, put again in the same bytes: told from memory, and nothing is read.

What is the same about two requests is decided where requests are read; here, only equal bytes are equal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from mmlock.web.answers import answer_head
from mmlock.web.guard import Who
from mmlock.web.service import LARGEST_READ, Service
from mmlock.web.settings import Role

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Repeats"]

_WAIT = re.compile(rb"(wait=[0-9]{1,2}(\.[0-9]{1,3})?)?")


class _Route(Struct, frozen=True):
    """What the guard calls a request in its counters."""

    path: str


class Repeats:
    """A middleware within the guard: who asks is known, and may, or it is not answered here."""

    def __init__(self, app: ASGIApp, service: Service, paths: Collection[str]) -> None:
        """`paths`: of questions whose task `service` remembers by their bodies, each a route."""
        self.app = app
        self.service = service
        self.paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._may_be(scope):
            await self.app(scope, receive, send)
            return
        parts: list[Message] = []
        more, size = True, 0
        while more and size <= LARGEST_READ:
            message = await receive()
            parts.append(message)
            size += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        found = None if more else self.service.repeated(b"".join(part.get("body", b"") for part in parts))
        if found is None or found.body is None:
            await self.app(scope, _again(parts, receive), send)
            return
        scope["route"] = _Route(scope["path"])
        status, headers, body = answer_head(found, _header(scope, b"if-none-match"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _may_be(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self.paths:
            return False
        who = scope["state"]["who"]
        assert isinstance(who, Who)
        return who.role.may(Role.SOLVE) and _WAIT.fullmatch(scope["query_string"]) is not None


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _again(parts: list[Message], receive: Receive) -> Receive:
    """What was taken of a body, and then the rest of it."""
    left = iter(parts)

    async def again() -> Message:
        message = next(left, None)
        return await receive() if message is None else message

    return again
