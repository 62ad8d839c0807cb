"""A package index on the loopback interface that passes everything on and counts it.

It speaks plain HTTP to the tool and keeps connections open to the real index. Index pages are asked for
in the form the tool wants; links to files are turned to this server, so that metadata is counted too.
HTML pages are given the announcement of separate metadata files (PEP 658) that PyPI's own pages have and
mirrors may lose. What was fetched once is answered from memory: runs then differ by the tool alone, not
by the weather of the network. `latency` seconds pass before every answer.
"""

from __future__ import annotations

import gzip
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, unquote, urlsplit

import httpx

from mmlock.scrape.http import Client
from mmlock.scrape.ranged import read_metadata

FILES = "/-/"
WHEEL_LINK = re.compile(rb'(<a href="[^"]+\.whl(?:#[^"]*)?")(?![^>]*data-(?:core|dist-info)-metadata)')


@dataclass
class Counts:
    requests: int = 0
    bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, size: int) -> None:
        with self.lock:
            self.requests += 1
            self.bytes += size

    def take(self) -> tuple[int, int]:
        with self.lock:
            taken = self.requests, self.bytes
            self.requests = self.bytes = 0
            return taken


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Proxy:
    """Fetches from the real index, once per question."""

    def __init__(self, upstream: str, latency: float = 0.0) -> None:
        self.latency = latency
        self.upstream = upstream.rstrip("/")
        self.counts = Counts()
        self.url = ""
        self.client = httpx.Client(timeout=120, follow_redirects=True)
        self._held: dict[tuple[str, ...], Answer] = {}

    def answer(self, method: str, path: str, accept: str, span: str) -> Answer:
        key = (method, path, accept, span)
        if key not in self._held:
            self._held[key] = self._fetch(*key)
        time.sleep(self.latency)
        return self._held[key]

    def _fetch(self, method: str, path: str, accept: str, span: str) -> Answer:
        page = not path.startswith(FILES)
        url = f"{self.upstream}{path.removeprefix('/simple')}" if page else unquote(path.removeprefix(FILES))
        headers = {"Accept": accept} | ({"Range": span} if span else {})
        got = self.client.request(method, url, headers=headers)
        if got.status_code == httpx.codes.NOT_FOUND and url.endswith(".whl.metadata"):
            return self._metadata(url.removesuffix(".metadata"))
        kept = {"Content-Type": got.headers.get("content-type", "")}
        for name in ("content-range", "accept-ranges"):
            if name in got.headers:
                kept[name] = got.headers[name]
        if not page:
            kept["Content-Length"] = got.headers.get("content-length", str(len(got.content)))
            return Answer(got.status_code, kept | {"Cache-Control": "max-age=31536000"}, got.content)
        body = self._turned(got.content)
        zipped = {"Content-Encoding": "gzip", "Cache-Control": "max-age=600"}
        data = gzip.compress(body, 5)
        return Answer(got.status_code, kept | zipped | {"Content-Length": str(len(data))}, data)

    def _metadata(self, wheel: str) -> Answer:
        """The separate metadata file of a wheel, made where the real index has none."""
        with Client() as client:
            found = read_metadata(client, wheel)
        assert isinstance(found, bytes), found
        return Answer(200, {"Content-Length": str(len(found)), "Cache-Control": "max-age=31536000"}, found)

    def _turned(self, page: bytes) -> bytes:
        """The page with links to files leading here; those of PyPI have one host."""
        host = urlsplit(self.upstream).netloc.replace("pypi.org", "files.pythonhosted.org")
        link = f"https://{host}/"
        page = WHEEL_LINK.sub(rb'\1 data-core-metadata="true"', page)
        return page.replace(link.encode(), f"{self.url}{FILES}{quote(link, safe='/')}".encode())


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A tool may hang up at any time; what else goes wrong here must be seen."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def counting_index(upstream: str, latency: float = 0.0) -> Iterator[Proxy]:
    proxy = Proxy(upstream, latency)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            headers = self.headers
            accept, span = headers.get("Accept", "*/*"), headers.get("Range", "")
            answer = proxy.answer(self.command, self.path, accept, span)
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.end_headers()
            proxy.counts.add(self.wfile.write(answer.body) if self.command == "GET" else 0)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        proxy.client.close()
