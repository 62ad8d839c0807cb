"""A web server on the loopback interface that does what a test tells it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mmlock.scrape.http import Client


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Web:
    root: str = ""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    """Path -> replies, one after the other; the last one stays."""
    ranges: bool = True
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def put(self, path: str, *replies: Reply | bytes) -> str:
        self.replies[path] = [Reply(body=item) if isinstance(item, bytes) else item for item in replies]
        return self.root + path

    def answer(self, path: str, headers: dict[str, str]) -> Reply:
        self.asked.append((path, headers))
        known = self.replies.get(path)
        if not known:
            return Reply(status=404)
        reply = known.pop(0) if len(known) > 1 else known[0]
        if reply.headers.get("ETag") and headers.get("If-None-Match") == reply.headers["ETag"]:
            return Reply(status=304)
        span = re.fullmatch(r"bytes=(\d*)-(\d+)", headers.get("Range", ""))
        if span is None or not self.ranges:
            return reply
        size = len(reply.body)
        start = int(span[1]) if span[1] else max(0, size - int(span[2]))
        end = min(size, int(span[2]) + 1) if span[1] else size
        where = {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
        return Reply(status=206, body=reply.body[start:end], headers=reply.headers | where)


@pytest.fixture
def web() -> Iterator[Web]:
    served = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = served.answer(self.path, dict(self.headers.items()))
            self.send_response(reply.status)
            for key, value in ({"Content-Type": "text/html"} | reply.headers).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    served.root = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def client(slept: list[float]) -> Iterator[Client]:
    with Client(environ={}, sleep=slept.append) as made:
        yield made


@pytest.fixture
def reply() -> Callable[..., Reply]:
    return Reply
