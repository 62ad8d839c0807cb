"""A package index on the loopback interface, with small wheels that are really wheels."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from msgspec.structs import replace

from mmlock.core.artifact import IndexSettings
from mmlock.core.names import PackageName, Platform
from mmlock.resolve.closure.cache import ClosureCache
from mmlock.resolve.closure.closer import UvCloser
from mmlock.resolve.closure.model import ClosureRequest, CoreNode
from mmlock.resolve.request.model import PlainRequirement


def wheel(name: str, version: str, requires: tuple[str, ...], tag: str) -> tuple[str, bytes]:
    stem = f"{name.replace('-', '_')}-{version}"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
        lines += [f"Provides-Extra: {word.split(chr(34))[1]}\n" for word in requires if "extra ==" in word]
        lines += [f"Requires-Dist: {line}\n" for line in requires]
        archive.writestr(f"{stem}.dist-info/METADATA", "".join(lines))
        text = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
        archive.writestr(f"{stem}.dist-info/WHEEL", text)
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return f"{stem}-{tag}.whl", buffer.getvalue()


BACKEND = """
from pathlib import Path
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = Path(folder) / "NAME-VERSION.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: NAME\\nVersion: VERSION\\nREQUIRES")
    return info.name
def build_wheel(*args, **kwargs):
    raise SystemExit("a wheel must not be built")
"""


def sdist(name: str, version: str, requires: tuple[str, ...]) -> tuple[str, bytes]:
    """Sources whose metadata only its own build backend can tell, and which refuse to be built."""
    lines = "".join(f"Requires-Dist: {line}\\n" for line in requires)
    backend = BACKEND.replace("NAME", name).replace("VERSION", version).replace("REQUIRES", lines)
    members = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n',
        "own.py": backend,
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n",
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member, text in members.items():
            info = tarfile.TarInfo(f"{name}-{version}/{member}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", buffer.getvalue()


@dataclass
class Index:
    """What the server serves, and what it was asked for."""

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    pages: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    """Package -> where its page leads."""
    kind: str = "text/html"
    """Content-Type of a redirect; empty: none."""
    broken: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """File name -> what is answered in its place."""
    hashes: bool = True
    asked: list[str] = field(default_factory=list)

    def add(self, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> None:
        file, data = wheel(name, version, requires, tag)
        self.files.setdefault(name, {})[file] = data

    def add_sdist(self, name: str, version: str, *requires: str) -> None:
        file, data = sdist(name, version, requires)
        self.files.setdefault(name, {})[file] = data

    def answer(self, path: str) -> tuple[int, str, bytes]:
        self.asked.append(path)
        _, kind, *rest = unquote(path).split("/")
        if rest and rest[0] in self.redirects and kind == "simple":
            return 302, self.kind, b"<html><body>moved</body></html>"
        if rest and rest[-1] in self.broken:
            status, body = self.broken[rest[-1]]
            return status, "application/octet-stream", body
        if rest and rest[0] in self.pages:
            status, body = self.pages[rest[0]]
            return status, "text/html", body
        if kind == "simple" and rest[0] in self.files:
            anchors = (self._anchor(rest[0], name, data) for name, data in self.files[rest[0]].items())
            return 200, "text/html", f"<h1>Links for {rest[0]}</h1>{''.join(anchors)}".encode()
        if kind == "files" and rest[1] in self.files.get(rest[0], {}):
            return 200, "application/octet-stream", self.files[rest[0]][rest[1]]
        return 404, "text/plain", b"no"

    def _anchor(self, package: str, name: str, data: bytes) -> str:
        fragment = f"#sha256={hashlib.sha256(data).hexdigest()}" if self.hashes else ""
        return f'<a href="/files/{package}/{quote(name)}{fragment}">{name}</a>\n'


def _span(wanted: str | None, size: int) -> range | None:
    """`bytes=-500`, `bytes=0-99`; None: all of it."""
    first, dash, last = (wanted or "").removeprefix("bytes=").partition("-")
    if not dash or not size:
        return None
    if not first:
        return range(max(0, size - int(last)), size)
    return range(int(first), min(size, int(last) + 1))


@contextmanager
def serving() -> Iterator[Index]:
    """One more index, for as long as it is needed."""
    served = Index()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = served.answer(self.path)
            whole = len(body)
            if status == 200 and (span := _span(self.headers.get("Range"), whole)):
                status, body = 206, body[span.start : span.stop]
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {span.start}-{span.stop - 1}/{whole}")
            if kind:
                self.send_header("Content-Type", kind)
            if status == 302:
                self.send_header("Location", served.redirects[self.path.split("/")[2]])
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=600")
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/simple"
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def index() -> Iterator[Index]:
    with serving() as served:
        yield served


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture
def environ(tmp_path: Path, uv_cache: Path) -> dict[str, str]:
    """Surroundings of which the developer's own say nothing."""
    kept = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT", "TEMP", "TMP") if key in os.environ}
    own = {"HOME": str(tmp_path), "UV_CACHE_DIR": str(uv_cache), "UV_HTTP_RETRIES": "0"}
    return kept | own | {"MMLOCK_CACHE_DIR": str(tmp_path / "cache")}


@pytest.fixture
def closer(environ: dict[str, str]) -> UvCloser:
    return UvCloser(environ=environ)


@pytest.fixture
def cache(environ: dict[str, str]) -> ClosureCache:
    return ClosureCache.of_user(environ)


MakeQuestion = Callable[..., ClosureRequest]


@pytest.fixture
def ask(index: Index) -> MakeQuestion:
    """Makes a request to the loopback index: `ask("a", constraints=("b<2",), core=(...))`."""

    def make(*wanted: str, constraints: tuple[str, ...] = (), **changes: Any) -> ClosureRequest:
        request = ClosureRequest(
            python="3.12",
            platform=Platform.LINUX_X86_64,
            glibc="2.28",
            core=(),
            requirements=tuple(PlainRequirement(text=text, via="the request") for text in wanted),
            constraints=tuple(PlainRequirement(text=text, via="a breakage") for text in constraints),
            index=IndexSettings(index_url=index.url),
        )
        return replace(request, **changes)

    return make


def node(name: str, version: str, *requires: str) -> CoreNode:
    return CoreNode(name=PackageName(name), version=version, requires=requires)


@pytest.fixture
def torch() -> CoreNode:
    return node("torch", "2.1.2+cpu", "numpy<2", "filelock")
