"""A package index on the loopback interface that passes everything on and counts it.

It speaks plain HTTP to the tool and keeps connections open to the real index. Links to files are turned to
this server, so that metadata is counted too. `latency` seconds pass before every answer. Its style says which
kind of index the tool sees:

- `like-pypi`: pages may be kept for ten minutes, are compressed, and announce separate metadata files
  (PEP 658), as PyPI's own do and mirrors may not. What was fetched once is answered from a recording: runs
  then differ by the tool alone, not by the weather of the network.
- `plain`: the same without separate metadata, which is then read out of wheels by ranges.
- `as-it-is`: every request goes to the real index, with its headers and its speed.

Whole wheels and archives are refused: to resolve, no tool needs them, and some would fetch gigabytes.
"""

from __future__ import annotations

import gzip
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import httpx
from recording import Answer, Recording

from mmlock.net.http import Client
from mmlock.net.ranged import read_metadata

FILES = "/-/"
WHEEL_LINK = re.compile(rb'(<a href="[^"]+\.whl(?:#[^"]*)?")(?![^>]*data-(?:core|dist-info)-metadata)')
ANNOUNCED = re.compile(rb'\s+data-(?:core|dist-info)-metadata="[^"]*"')
PASSED = ("content-type", "content-length", "content-range", "accept-ranges")
WHOLE = (".whl", ".tar.gz", ".zip", ".tar.bz2")
FRESHNESS = ("cache-control", "etag", "last-modified")


class Style(Enum):
    LIKE_PYPI = "like-pypi"
    PLAIN = "plain"
    AS_IT_IS = "as-it-is"


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


class Proxy:
    """Answers tools, from the recording or from the real index."""

    def __init__(self, upstream: str, latency: float, style: Style, record: Path) -> None:
        self.latency = latency
        self.style = style
        self.upstream = upstream.rstrip("/")
        self.counts = Counts()
        self.url = ""
        self.client = httpx.Client(
            timeout=120, follow_redirects=True, transport=httpx.HTTPTransport(retries=5)
        )
        self._recording = Recording(record)
        self._held: dict[tuple[str, ...], Answer] = {}

    def answer(self, method: str, path: str, headers: Message) -> Answer:
        """What the tool is sent."""
        if method == "GET" and path.endswith(WHOLE) and "Range" not in headers:
            return Answer(403, {"content-length": "0"}, b"")
        if self.style is Style.AS_IT_IS:
            return self._direct(method, path, headers)
        key = (method, path, headers.get("Accept", "*/*"), headers.get("Range", ""))
        if key not in self._held:
            self._held[key] = self._prepared(*key)
        time.sleep(self.latency)
        return self._held[key]

    def _direct(self, method: str, path: str, headers: Message) -> Answer:
        names = ("Accept", "Range", "If-None-Match", "If-Modified-Since")
        got = self._ask(method, self._real(path), {n: headers[n] for n in names if n in headers})
        kept = {name: got.headers[name] for name in (*PASSED, *FRESHNESS) if name in got.headers}
        if path.startswith(FILES):
            return Answer(got.status, kept, got.body)
        body = self._turned(got.body)
        zipped = got.headers.get("content-encoding") == "gzip"
        return Answer(got.status, *_whole(kept, body, zipped=zipped))

    def _prepared(self, method: str, path: str, accept: str, span: str) -> Answer:
        url = self._real(path)
        page = not path.startswith(FILES)
        if url.endswith(".whl.metadata"):
            got = self._recording.answer((method, url), lambda: self._metadata(url))
        else:
            asked = {"Accept": accept} | ({"Range": span} if span else {})
            # Without negotiation there is one form of a page, whatever a tool would accept.
            key = (method, url, accept if page else "", span)
            got = self._recording.answer(key, lambda: self._ask(method, url, asked))
        kept = {name: got.headers[name] for name in PASSED if name in got.headers}
        if not page:
            kept.setdefault("content-length", str(len(got.body)))
            return Answer(got.status, kept | {"cache-control": "max-age=31536000"}, got.body)
        body = ANNOUNCED.sub(b"", got.body)
        if self.style is Style.LIKE_PYPI:
            body = WHEEL_LINK.sub(rb'\1 data-core-metadata="true"', body)
        kept |= {"cache-control": "max-age=600"}
        return Answer(got.status, *_whole(kept, self._turned(body), zipped=True))

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> Answer:
        try:
            got = self.client.request(method, url, headers=dict(headers))
        except httpx.TransportError as error:
            print(f"warning: `{url}`: {error}", file=sys.stderr)
            return Answer(502, {"content-length": "0"}, b"")  # tools ask again
        return Answer(got.status_code, dict(got.headers), got.content)

    def _metadata(self, url: str) -> Answer:
        """The separate metadata file of a wheel, made where the real index has none."""
        got = self._ask("GET", url, {})
        if got.status != httpx.codes.NOT_FOUND:
            return got
        with Client() as client:
            found = read_metadata(client, url.removesuffix(".metadata"))
        assert isinstance(found, bytes), found
        return Answer(200, {}, found)

    def _real(self, path: str) -> str:
        """Where the real index has it; `/pypi/NAME/json` is PyPI's own."""
        if path.startswith(FILES):
            return unquote(path.removeprefix(FILES))
        if path.startswith("/simple"):
            return f"{self.upstream}{path.removeprefix('/simple')}"
        return f"{self.upstream.removesuffix('/simple')}{path}"

    def _turned(self, page: bytes) -> bytes:
        """The page with links to files leading here; those of PyPI have one host."""
        host = urlsplit(self.upstream).netloc.replace("pypi.org", "files.pythonhosted.org")
        link = f"https://{host}/"
        return page.replace(link.encode(), f"{self.url}{FILES}{quote(link, safe='/')}".encode())


def _whole(headers: dict[str, str], body: bytes, *, zipped: bool) -> tuple[dict[str, str], bytes]:
    """Headers that are true for the body, and the body."""
    data = gzip.compress(body, 5) if zipped else body
    encoding = {"content-encoding": "gzip"} if zipped else {}
    return headers | encoding | {"content-length": str(len(data))}, data


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a tool opens many connections at once; a lost one waits a second

    def handle_error(self, request: object, client_address: object) -> None:
        """A tool may hang up at any time; what else goes wrong here must be seen."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def counting_index(
    upstream: str, latency: float = 0.0, *, style: Style = Style.LIKE_PYPI, record: Path | None = None
) -> Iterator[Proxy]:
    """A running proxy. Without `record`, what it fetches is forgotten at the end."""
    with tempfile.TemporaryDirectory() as forgotten:
        proxy = Proxy(upstream, latency, style, record or Path(forgotten))
        server = Server(("127.0.0.1", 0), _handler(proxy))
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield proxy
        finally:
            server.shutdown()
            server.server_close()
            proxy.client.close()


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            answer = proxy.answer(self.command, self.path, self.headers)
            self.send_response(answer.status)
            for key, value in answer.headers.items():
                self.send_header(key, value)
            self.end_headers()
            proxy.counts.add(self.wfile.write(answer.body) if self.command == "GET" else 0)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
