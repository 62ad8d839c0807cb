"""A web server on the loopback interface that does what a test tells it."""

from __future__ import annotations

import re
import shutil
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from mmlock.app.refreshing import refresh
from mmlock.core.names import Platform
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.versions import version
from mmlock.facts.matrix import store
from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import IndexRow
from mmlock.net.fetching import Limits
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None
    """Content-Length, where it is not the truth."""
    pieces: int = 1
    """In how many parts the body is sent, a moment apart."""


@dataclass
class Web:
    root: str = ""
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    """Path -> replies, one after the other; the last one stays."""
    ranges: bool = True
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

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
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", ""))
        if span is None or not self.ranges or reply.status != 200:
            return reply
        size = len(reply.body)
        start = int(span[1]) if span[1] else max(0, size - int(span[2]))
        end = min(size, int(span[2]) + 1) if span[1] and span[2] else size
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
            self.send_header("Content-Length", str(reply.promised or len(reply.body)))
            self.end_headers()
            size = -(-len(reply.body) // reply.pieces) or 1
            try:
                for start in range(0, len(reply.body), size):
                    self.wfile.write(reply.body[start : start + size])
                    if reply.pieces > 1:
                        served.stopped.wait(0.05)
            except OSError:
                return  # the client has gone

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    served.root = f"http://127.0.0.1:{server.server_port}"
    yield served
    served.stopped.set()
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


# ---------------------------------------------------------------- replicas of indexes

ROOT = Path(__file__).parents[2]

DIRECTORIES = frozenset(
    f"{variant}/torch2.{minor}.0" for variant in ("cpu", "cu118", "cu121") for minor in (1, 2)
)

FILES = (
    "files/openmmlab-index.json",
    "files/mmdet.json",
    "requires/mmdet.json",
    "binaries/torchaudio.json",
    "files/torchaudio.json",
)

RELEASES = tuple(f"openmmlab/releases/{name}.json" for name in ("mmcv", "mmcv-full", "mmdet"))

_TAGS = {
    Platform.LINUX_X86_64: "manylinux1_x86_64",
    Platform.WINDOWS_X86_64: "win_amd64",
    Platform.MACOS_X86_64: "macosx_10_9_universal2",
    Platform.MACOS_ARM64: "macosx_10_9_universal2",
}


def bare_page(names: Iterable[str], folder: str = "./") -> bytes:
    """A page of OpenMMLab's index, byte for byte as captured."""
    rows = (f'<a href="{folder}{name}">{folder}{name}</a><br>\n' for name in sorted(names))
    return "".join(rows).encode()


def wheel_names(row: IndexRow) -> Iterator[str]:
    for release, python in product(row.versions, (*row.pythons_seen, *row.pythons_inferred)):
        tag = "cp" + python.replace(".", "")
        abi = f"{tag}m" if tag in {"cp36", "cp37"} else tag
        yield f"{row.package.replace('-', '_')}-{release}-{tag}-{abi}-{_TAGS[row.platform]}.whl"


@dataclass
class Replica:
    """OpenMMLab's index as the committed rows describe it."""

    web: Web
    pages: dict[str, set[str]]

    @property
    def base(self) -> str:
        return f"{self.web.root}/mmcv/dist"

    def path(self, directory: str) -> str:
        return f"/mmcv/dist/{directory}/index.html"

    def serve(self) -> None:
        for directory, names in self.pages.items():
            self.web.put(self.path(directory), bare_page(names))


@pytest.fixture
def replica(web: Web, matrices: Path) -> Replica:
    return _replica(web, Matrix(matrices).index_rows)


@pytest.fixture
def whole_replica(web: Web) -> Replica:
    return _replica(web, Matrix(ROOT / "matrices").index_rows)


def _replica(web: Web, rows: Iterable[IndexRow]) -> Replica:
    pages: dict[str, set[str]] = {}
    for row in rows:
        pages.setdefault(row.directory, set()).update(wheel_names(row))
    made = Replica(web=web, pages=pages)
    made.serve()
    return made


@pytest.fixture
def matrices(tmp_path: Path) -> Path:
    """A copy of the committed facts that a test may write, without what is large and of no matter here."""
    large = shutil.ignore_patterns("files", "requires", "binaries", "gpus.json", "releases")
    copy = Path(shutil.copytree(ROOT / "matrices", tmp_path / "matrices", ignore=large))
    for name in ("gpus.json", *FILES, *RELEASES):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "matrices" / name, copy / name)
    trim(copy, "openmmlab-index", lambda row: row.directory in DIRECTORIES)
    newest = max((row.torch for row in Matrix(copy).torch_builds), key=version)
    trim(copy, "torch-builds", lambda row: row.torch in {"2.1.0", newest})
    return copy


def trim(root: Path, schema: str, wanted: Callable[[Any], bool]) -> None:
    document = store.read(root, schema)
    assert document is not None
    rows = [row for row in document.rows if wanted(row)]
    data = store.encode(schema, rows, document.sources, document.note)
    store.replace(root / SECTIONS[schema].path_for(), data)


@pytest.fixture
def snapshot(matrices: Path) -> Callable[[], dict[str, bytes]]:
    def taken() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in matrices.rglob("*") if path.is_file()}

    return taken


_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here speaks TLS, and to read the usual certificates takes 30 ms."""


class Loopback(httpx.HTTPTransport):
    """Hosts that end in `.example` are the test's own server; no other can be reached."""

    def __init__(self, root: str) -> None:
        super().__init__(verify=_NO_CERTIFICATES)
        self._root = httpx.URL(root)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith(".example"):
            request.url = request.url.copy_with(scheme="http", host=self._root.host, port=self._root.port)
        if request.url.host != self._root.host:
            raise httpx.ConnectError(f"{request.url.host} is not of this test", request=request)
        return super().handle_request(request)


@pytest.fixture
def refreshed(
    matrices: Path, tmp_path: Path, slept: list[float], web: Web, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Runs one refresh of the copy; what it reports as data."""
    monkeypatch.chdir(tmp_path)  # else the committed locks are read, too

    def run(**asked: Any) -> Any:
        limits = asked.pop("limits", None) or Limits(attempts=2, fresh_seconds=0.0)
        environ = {"MMLOCK_CACHE_DIR": str(tmp_path / "cache"), "HOME": str(tmp_path)}
        cache = PageCache(tmp_path / "cache" / "pages")
        offline = asked.get("offline", False)
        client = Client(limits=limits, cache=cache, environ=environ, sleep=slept.append, offline=offline)
        client.transport = Loopback(web.root)
        arguments = RefreshArguments(**{"matrices": matrices, **asked})
        return refresh(arguments, environ=environ, client=client).data

    return run
