"""One file on the loopback interface, served as real mirrors do and as hostile ones might."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_WR

import pytest

BODY = bytes(range(256)) * 4000


@dataclass
class Mirror:
    """What is sent, and what was asked."""

    url: str = ""
    body: bytes = BODY
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    length: str = "told"
    """`told`; `chunked`: in chunks, without a length; `closed`: until the connection closes."""
    cuts: list[int] = field(default_factory=list)
    """Break off after so many bytes of a body, once each."""
    statuses: list[int] = field(default_factory=list)
    """Sent first, one for each request."""
    hold: Callable[[], object] | None = None
    """Called in the middle of a body."""
    part: Callable[[int], tuple[int, dict[str, str], bytes] | None] = lambda start: None  # noqa: ARG005
    """A hostile answer to a request for the bytes from `start` on."""
    believes: bool = False
    """Whether any If-Range is taken for the current state."""
    login: str | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def spans(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def do_GET(self) -> None:
        mirror = self.mirror
        mirror.asked.append(dict(self.headers.items()))
        if mirror.login is not None and self.headers.get("Authorization") != mirror.login:
            self._send(401, {}, b"")
        elif mirror.statuses:
            self._send(mirror.statuses.pop(0), {}, b"")
        else:
            self._body()

    def _body(self) -> None:
        mirror = self.mirror
        headers = {"ETag": mirror.etag, "Last-Modified": mirror.modified}
        told = {name: value for name, value in headers.items() if value}
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        current = mirror.believes or condition in {None, mirror.etag, mirror.modified}
        if span is None or not mirror.ranges or not current:
            self._send(200, told, mirror.body)
            return
        start, size = int(span[1]), len(mirror.body)
        if own := mirror.part(start):
            self._send(own[0], told | own[1], own[2])
        elif start >= size:
            self._send(416, {"Content-Range": f"bytes */{size}"}, b"")
        else:
            where = {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
            self._send(206, told | where, mirror.body[start:])

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        mirror = self.mirror
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        whole = mirror.length if body else "told"
        if whole == "told":
            self.send_header("Content-Length", str(len(body)))
        elif whole == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        cut = mirror.cuts.pop(0) if mirror.cuts and body else None
        sent = body if cut is None else body[:cut]
        half = len(sent) // 2 if mirror.hold else 0
        for piece in (sent[:half], sent[half:]):
            if whole == "chunked" and piece:
                piece = b"%x\r\n%s\r\n" % (len(piece), piece)  # noqa: PLW2901
            try:
                self.wfile.write(piece)
            except OSError:
                return  # the client has gone
            if mirror.hold and half:
                mirror.hold()
        if cut is not None:
            self.close_connection = True
            self.connection.shutdown(SHUT_WR)
        elif whole == "chunked":
            with suppress(OSError):
                self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    served = Mirror()
    handler = type("Handler", (_Handler,), {"mirror": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that went away
    served.url = f"http://127.0.0.1:{server.server_port}/a/p-1%2Bx.whl"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()
