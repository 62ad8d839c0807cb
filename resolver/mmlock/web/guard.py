"""What is looked at before a request reaches anything: its size, where it comes from, who asks, how often."""

from __future__ import annotations

import ipaddress
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import Request

from mmlock.core.errors import MmlockError
from mmlock.web.api import PREFIX
from mmlock.web.metrics import Metrics
from mmlock.web.problem import HttpError, problem_of
from mmlock.web.settings import Role, Settings
from mmlock.web.tokens import Tokens

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "RateLimit", "Who", "own_names", "who"]

LOG = logging.getLogger("mmlock.web")

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ARCHIVES = 10
"""Times the size of other bodies that an archive may have."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"content-security-policy",
        (
            b"default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
            b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
        ),
    ),
)


class Who(Struct, frozen=True, kw_only=True):
    """Who asks."""

    name: str
    """Of the token, or the address."""
    role: Role
    token: bool


def who(request: Request) -> Who:
    """Who sent a request that came through the guard."""
    found = request.state.who
    assert isinstance(found, Who)
    return found


def own_names(settings: Settings) -> frozenset[str]:
    """The names by which the service may be asked, besides addresses."""
    import socket

    return frozenset(
        {"localhost", settings.host.lower(), socket.gethostname().lower(), *map(str.lower, settings.names)}
    )


class RateLimit:
    """So many in a minute for each client, and as many at once; what is not used is not kept longer."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> float:
        """Seconds until this client may ask again; 0: it may, and that is counted."""
        now = self._clock()
        left, when = self._left.get(client, (self._most, now))
        left = min(self._most, left + (now - when) * self._most / 60)
        if len(self._left) > 50_000:  # noqa: PLR2004
            self._left.clear()
        if left < 1:
            self._left[client] = (left, now)
            return (1 - left) * 60 / self._most
        self._left[client] = (left - 1, now)
        return 0.0


class _TooLarge(Exception):
    """A body that goes on after it should have ended."""


class Guard:
    """The middleware around everything."""

    def __init__(self, app: ASGIApp, settings: Settings, tokens: Tokens, metrics: Metrics) -> None:
        self.app = app
        self.settings = settings
        self.tokens = tokens
        self.metrics = metrics
        self.names = own_names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        identity = given if _ID.fullmatch(given) else secrets.token_hex(8)
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["request_id"] = identity
        status = [HTTPStatus.INTERNAL_SERVER_ERROR.value]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
                there = {name.lower() for name, _ in message["headers"]}
                added = [field for field in _HEADERS if field[0] not in there]
                message["headers"] = [*message["headers"], *added, (b"x-request-id", identity.encode())]
            await send(message)

        try:
            state["who"] = self._checked(scope, headers)
            await self.app(scope, self._bounded(scope, headers, receive), sending)
        except _TooLarge:
            await problem_of(_large(self._most(scope)), Request(scope))(scope, receive, sending)
        except MmlockError as error:
            await problem_of(error, Request(scope))(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - started
            self.metrics.answered(_route(scope), status[0], seconds)
            _log(scope, status[0], seconds, identity, state.get("who"))

    # ------------------------------------------------------------ before

    def _checked(self, scope: Scope, headers: Headers) -> Who:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not known_host(hosts[0], self.names):
            raise HttpError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this service does not answer to that host name",
                hints=("an operator adds it to `names`",),
            )
        if scope["method"] not in _SAFE:
            _same_site(headers, hosts[0])
        if "content-length" in headers and "transfer-encoding" in headers:
            # Whoever stands between may go by the other one, and see another request begin.
            raise HttpError(
                HTTPStatus.BAD_REQUEST,
                "the request states two ends of its body",
                headers={"Connection": "close"},
            )
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:20]) > self._most(scope):
            raise _large(self._most(scope))
        return self._who(scope, headers)

    def _who(self, scope: Scope, headers: Headers) -> Who:
        address = _client(scope, headers, trust=self.settings.trust_proxy)
        words = headers.get("authorization", "").split()
        if not words:
            return Who(name=address, role=self.settings.anonymous_role, token=False)
        token = self.tokens.find(words[1]) if len(words) == 2 and words[0].lower() == "bearer" else None  # noqa: PLR2004
        if token is None:
            raise HttpError(
                HTTPStatus.UNAUTHORIZED,
                "this token is unknown, or it has expired",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return Who(name=token.name, role=token.role, token=True)

    def _most(self, scope: Scope) -> int:
        return self.settings.body * (_ARCHIVES if scope["path"] == "/api/v1/scan" else 1)

    def _bounded(self, scope: Scope, headers: Headers, receive: Receive) -> Callable[[], Awaitable[Message]]:
        """The body, as long as it is no larger than it may be: a length is only a promise."""
        del headers
        most, came = self._most(scope), 0

        async def bounded() -> Message:
            nonlocal came
            message = await receive()
            if message["type"] == "http.request":
                came += len(message.get("body", b""))
                if came > most:
                    raise _TooLarge
            return message

        return bounded


def _large(most: int) -> HttpError:
    return HttpError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body of a request may have {most} bytes",
        headers={"Connection": "close"},
    )


@lru_cache(maxsize=1024)
def known_host(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header is an address, which no name can be rebound to, or one of the server's names."""
    name = re.sub(r":\d{1,5}\Z", "", host.strip()).rstrip(".").lower()
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name in names
    return True


def _same_site(headers: Headers, host: str) -> None:
    """Raise HttpError for what another site has a browser send."""
    site = headers.get("sec-fetch-site", "none")
    origin = headers.get("origin")
    foreign = site in {"cross-site", "same-site"} if origin is None else urlsplit(origin).netloc != host
    if foreign or (origin is not None and site == "cross-site"):
        raise HttpError(HTTPStatus.FORBIDDEN, "this request comes from a page of another site")


def _client(scope: Scope, headers: Headers, *, trust: bool) -> str:
    if trust and (forwarded := headers.get("x-forwarded-for")):
        return forwarded.rpartition(",")[2].strip()[:64]
    return str(scope["client"][0]) if scope.get("client") else "unknown"


# ---------------------------------------------------------------- afterwards


def _route(scope: Scope) -> str:
    """The pattern of the path, so that there are few of them."""
    pattern = str(getattr(scope.get("route"), "path", "")) or "other"
    # Newer FastAPI tells the pattern within its router.
    if pattern.startswith("/") and scope["path"].startswith(PREFIX) and not pattern.startswith(PREFIX):
        return PREFIX + pattern
    return pattern


def _log(scope: Scope, status: int, seconds: float, identity: str, asking: Who | None) -> None:
    if not LOG.isEnabledFor(logging.INFO):
        return
    LOG.info(
        json.dumps(
            {
                "method": scope["method"],
                "path": scope["path"][:300],
                "status": status,
                "ms": round(seconds * 1000, 1),
                "request_id": identity,
                "who": asking.name if asking else None,
            }
        )
    )
