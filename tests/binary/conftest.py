"""This folder's own module of files made for tests, and a web server for them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mmlock.net.http import Client


@dataclass
class Host:
    """A server of wheels, honest or not."""

    root: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    lie: int = 0
    """Added to the size that answers state."""
    short: int = 0
    """Bytes that answers to later ranges lack."""
    sent: int = 0

    def put(self, name: str, data: bytes) -> str:
        self.files[f"/{name}"] = data
        return f"{self.root}/{name}"


@pytest.fixture
def host() -> Iterator[Host]:
    served = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = served.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            span = re.fullmatch(r"bytes=(\d*)-(\d+)", self.headers.get("Range", ""))
            body = data
            if span and served.ranges:
                start = int(span[1]) if span[1] else max(0, len(data) - int(span[2]))
                body = data[start : int(span[2]) + 1 if span[1] else len(data)]
                if span[1]:
                    body = body[: len(body) - served.short]
                self.send_response(206)
                end = start + len(body) - 1
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(data) + served.lie}")
            else:
                self.send_response(200)
            served.sent += len(body)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

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
def client() -> Iterator[Client]:
    with Client(environ={}, sleep=lambda _: None) as made:
        yield made
