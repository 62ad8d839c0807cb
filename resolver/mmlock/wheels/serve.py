"""Serves a wheelhouse over HTTP, so that plain pip and uv can install from it.

It is a server for a team's own network: GET and HEAD of `/simple/`, `/simple/NAME/` and `/wheels/KEY/FILE`,
and nothing else. Bytes are compared with their digest before the first of them is sent. It answers to its own
names and to addresses only: no web page can reach it by a name bound to its address (DNS rebinding).
Needs starlette and uvicorn: the extra `serve`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import normalize
from mmlock.wheels.accepted import accepted
from mmlock.wheels.index_file import IndexFile, index_files, metadata_of
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.simple_index import (
    IndexDocument,
    project_page,
    projects,
    root_page,
    wants_json,
    wheel_place,
)
from mmlock.wheels.wheelhouse import Wheelhouse

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["IndexServer", "WheelFiles", "bound", "make_app", "own_names"]

METADATA = ".metadata"
_KEEP_ALIVE = 5
_BLOCK = 1 << 18
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


# ---------------------------------------------------------------- the application


def make_app(wheelhouse: Wheelhouse, names: frozenset[str]) -> Starlette:
    """The index as an ASGI application; `names` are the host names that it answers to, besides addresses."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    files = WheelFiles((wheelhouse,))

    def page(made: IndexDocument) -> Response:
        return Response(made.body, media_type=made.content_type, headers={"Vary": "Accept"})

    def root(request: Request) -> Response:
        return page(root_page(projects(files.listed()), as_json=_as_json(request)))

    def project(request: Request) -> Response:
        name = normalize(request.path_params["name"])
        found = projects(files.listed()).get(name)
        if found is None:
            return PlainTextResponse("there is no such project here", HTTPStatus.NOT_FOUND)
        return page(project_page(name, found, place=wheel_place("../../wheels"), as_json=_as_json(request)))

    def wheel(request: Request) -> Response:
        return files.answer(request)

    routes = [
        Route(path, endpoint, methods=["GET"])
        for path, endpoint in (
            ("/simple", root),
            ("/simple/", root),
            ("/simple/{name}", project),
            ("/simple/{name}/", project),
            ("/wheels/{key}/{file}", wheel),
        )
    ]
    app = Starlette(routes=routes, middleware=[Middleware(_Guard, names=names)])
    app.router.redirect_slashes = False
    return app


def _as_json(request: Request) -> bool:
    return wants_json(request.headers.get("accept", ""))


class _Guard:
    """What is looked at before a request reaches the index."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await self._refuse(*refusal, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        lengths = {value.strip() for name, value in headers if name == "content-length"}
        if lengths - {"0"} or any(name == "transfer-encoding" for name, _ in headers):
            # A body that is not read would be taken for the next request.
            return HTTPStatus.BAD_REQUEST, "a request to this index has no body"
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) != 1 or not _known(hosts[0], self.names):
            return HTTPStatus.MISDIRECTED_REQUEST, "this index does not answer to that host name"
        return None

    async def _refuse(self, status: int, text: str, send: Send) -> None:
        body = f"{text}\n".encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _known(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header is an address, which no name can be rebound to, or one of the server's names."""
    name = re.sub(r":\d{1,5}\Z", "", host.strip()).rstrip(".").lower()
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name in names
    return True


def own_names(host: str) -> frozenset[str]:
    """The names by which a server that listens on `host` may be asked."""
    return frozenset({"localhost", host.lower(), socket.gethostname().lower()})


# ---------------------------------------------------------------- files


class WheelFiles:
    """The wheels, each compared with its digest once for every state of its file."""

    def __init__(self, wheelhouses: Iterable[Wheelhouse]) -> None:
        self.wheelhouses = tuple(wheelhouses)
        self.right: dict[tuple[int, int, int, int], str] = {}
        """(device, inode, size, time of the last change) -> the digest that it had then."""
        self.hashing = threading.Semaphore(2)

    def wheels(self) -> list[BuiltWheel]:
        """Every wheel that can be read."""
        return [one for house in self.wheelhouses for one in house.entries() if isinstance(one, BuiltWheel)]

    def accepted(self) -> list[BuiltWheel]:
        """Every downloaded wheel that passed its checks."""
        return [one for house in self.wheelhouses for one in accepted(house.files)]

    def listed(self) -> list[IndexFile]:
        """What an index says of them."""
        return list(index_files(self.wheels()))

    def answer(self, request: Request) -> Response:
        """A wheel, or a part of it. It is looked up: no path of a request reaches the disk."""
        key, name = request.path_params["key"], request.path_params["file"]
        wanted = name.removesuffix(METADATA)
        wheel = next((w for w in self.wheels() if w.key == key and w.path.name == wanted), None)
        return self.send(request, wheel, metadata=wanted != name)

    def send(self, request: Request, wheel: BuiltWheel | None, *, metadata: bool) -> Response:
        """A wheel, a part of it, or its metadata; its bytes are compared with their digest before."""
        from starlette.responses import PlainTextResponse, Response

        stream = _opened(wheel) if wheel is not None else None
        if wheel is None or stream is None:
            return PlainTextResponse("there is no such wheel here", HTTPStatus.NOT_FOUND)
        if not self._right(stream, wheel):
            stream.close()
            return PlainTextResponse("this wheel is damaged", HTTPStatus.INTERNAL_SERVER_ERROR)
        if metadata:
            stream.close()
            return _metadata(wheel)
        tag = f'"{wheel.sha256}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if tag in request.headers.get("if-none-match", ""):
            stream.close()
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        part = _part(request, tag, wheel.size)
        if part is None:
            stream.close()
            headers["Content-Range"] = f"bytes */{wheel.size}"
            return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
        return _sent(request, stream, part, wheel.size, headers)

    def _right(self, stream: BinaryIO, wheel: BuiltWheel) -> bool:
        state = os.fstat(stream.fileno())
        key = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
        if key not in self.right:
            with self.hashing:
                self.right[key] = _digest(stream)
        return self.right[key] == wheel.sha256 and state.st_size == wheel.size


def _metadata(wheel: BuiltWheel) -> Response:
    from starlette.responses import PlainTextResponse, Response

    body = metadata_of(wheel.path, wheel.sha256)
    if body is None:
        return PlainTextResponse("this wheel has no metadata", HTTPStatus.NOT_FOUND)
    return Response(body, media_type="text/plain; charset=utf-8")


def _opened(wheel: BuiltWheel) -> BinaryIO | None:
    """The very file, not what a link of its name leads to."""
    try:
        handle = os.open(wheel.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    stream = os.fdopen(handle, "rb")
    if not stat.S_ISREG(os.fstat(handle).st_mode) or wheel.path.parent.is_symlink():
        stream.close()
        return None
    return stream


def _digest(stream: BinaryIO) -> str:
    import hashlib

    digest = hashlib.sha256()
    stream.seek(0)
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _part(request: Request, tag: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte to send; None: there are none. Of several parts, all is sent."""
    whole = (0, size - 1)
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or request.headers.get("if-range", tag) != tag or found[0] == "bytes=-":
        return whole
    if not found[1]:
        last = int(found[2])
        return (max(0, size - last), size - 1) if last else None
    first, last = int(found[1]), int(found[2] or size - 1)
    if last < first:
        return whole if found[2] and first < size else None
    return (first, min(last, size - 1)) if first < size else None


def _sent(
    request: Request, stream: BinaryIO, part: tuple[int, int], size: int, headers: dict[str, str]
) -> Response:
    from starlette.responses import Response

    first, last = part
    headers["Content-Length"] = str(last - first + 1)
    status = HTTPStatus.OK
    if part != (0, size - 1):
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if request.method == "HEAD":
        stream.close()
        return Response(status_code=status, headers=headers)

    class Blocks(Response):
        """A part of an open file, which is closed however this ends."""

        async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
            from starlette.concurrency import run_in_threadpool

            with stream:
                stream.seek(first)
                left = last - first + 1
                await send({"type": "http.response.start", "status": status, "headers": self.raw_headers})
                while left and not await request.is_disconnected():
                    block = await run_in_threadpool(stream.read, min(_BLOCK, left))
                    if not block:
                        return  # cut short meanwhile: the connection ends before the promised length
                    left -= len(block)
                    await send({"type": "http.response.body", "body": block, "more_body": bool(left)})

    return Blocks(status_code=status, headers=headers)


# ---------------------------------------------------------------- the server


class IndexServer:
    """A server that is bound and not yet serving; port 0 takes a free one."""

    def __init__(self, wheelhouse: Wheelhouse, host: str, port: int) -> None:
        try:
            import uvicorn

            from mmlock.wheels.bounded_http import CONNECTIONS, BoundedProtocol
        except ImportError as error:
            raise EnvironmentFault(
                "serving needs starlette and uvicorn, which are not installed",
                causes=[str(error)],
                hints=[
                    "install them: `pip install 'mmlock[serve]'`; or serve a folder: `mmlock wheelhouse push`"
                ],
            ) from error
        self.socket = bound(host, port, CONNECTIONS)
        self.port: int = self.socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/simple/"
        config = uvicorn.Config(
            make_app(wheelhouse, own_names(host)),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # a client that goes away is no event
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_KEEP_ALIVE,
        )
        self.server = uvicorn.Server(config)

    def run(self) -> None:
        """Serve until `stop` is called or the process is interrupted."""
        try:
            self.server.run(sockets=[self.socket])
        finally:
            self.socket.close()

    def stop(self) -> None:
        """End serving, from another thread."""
        self.server.should_exit = True


def bound(host: str, port: int, backlog: int) -> socket.socket:
    """A socket that listens. Raises UsageError or EnvironmentFault."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port not in range(1 << 16):
        raise UsageError(f"{port} is not a port", hints=["ports are numbers up to 65535; 0 takes a free one"])
    try:
        return socket.create_server((host, port), family=family, backlog=backlog)
    except (OSError, UnicodeError) as error:
        raise EnvironmentFault(
            f"cannot serve on {host}:{port}",
            causes=[getattr(error, "strerror", None) or str(error)],
            hints=["name another port with `--port`; `--port 0` takes a free one"],
        ) from error
