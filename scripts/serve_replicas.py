"""Serve replicas of OpenMMLab's and PyTorch's indexes on this machine, made of the committed facts.

    python scripts/serve_replicas.py [--fault KIND] [--port 8765]
    mmlock matrix refresh --only openmmlab --at openmmlab=http://127.0.0.1:8765/mmcv/dist
    mmlock matrix refresh --only pytorch --at pytorch=http://127.0.0.1:8765/whl

Pages have the form in which they were captured. With `--fault` every third page is out of order.
"""

from __future__ import annotations

import argparse
import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

from mmlock.core.names import Platform
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import IndexRow, TorchBuild

_TAGS = {
    Platform.LINUX_X86_64: "manylinux1_x86_64",
    Platform.WINDOWS_X86_64: "win_amd64",
    Platform.MACOS_X86_64: "macosx_10_9_universal2",
    Platform.MACOS_ARM64: "macosx_10_9_universal2",
    Platform.LINUX_AARCH64: "linux_aarch64",
}
_TORCH_TAGS = {**_TAGS, Platform.LINUX_X86_64: "linux_x86_64", Platform.MACOS_ARM64: "macosx_11_0_arm64"}


def _abi(python: str) -> tuple[str, str]:
    """`3.7` -> (cp37, cp37m), `3.13t` -> (cp313, cp313t)."""
    tag = "cp" + python.rstrip("t").replace(".", "")
    flag = "m" if tag in {"cp36", "cp37"} else "t" if python.endswith("t") else ""
    return tag, tag + flag


# ---------------------------------------------------------------- pages


def openmmlab_names(row: IndexRow) -> Iterator[str]:
    """The wheels of a row of OpenMMLab's index."""
    for release, python in product(row.versions, (*row.pythons_seen, *row.pythons_inferred)):
        tag, abi = _abi(python)
        yield f"{row.package.replace('-', '_')}-{release}-{tag}-{abi}-{_TAGS[row.platform]}.whl"


def openmmlab_pages(matrix: Matrix) -> dict[str, bytes]:
    """Path -> page: bare rows, without a document around them."""
    names: dict[str, set[str]] = {}
    for row in matrix.index_rows:
        names.setdefault(row.directory, set()).update(openmmlab_names(row))
    return {
        f"/mmcv/dist/{directory}/index.html": "".join(
            f'<a href="./{name}">./{name}</a><br>\n' for name in sorted(found)
        ).encode()
        for directory, found in names.items()
    }


def torch_names(build: TorchBuild, package: str, release: str) -> Iterator[str]:
    """The wheels of a build on PyTorch's index."""
    platform = build.tag or _TORCH_TAGS[build.platform]
    for python in build.pythons:
        tag, abi = _abi(python)
        yield f"{package}-{release}+{build.variant}-{tag}-{abi}-{platform}.whl"


def pytorch_page(matrix: Matrix) -> bytes:
    """The page that lists torch with all its variants. Hashes nobody recorded are made up, of the name."""
    recorded = {row.name: row.sha256 for row in matrix.files("pytorch-index")}
    links = set()
    for build in matrix.torch_builds:
        if build.on_pypi:
            continue
        for name in torch_names(build, "torch", build.torch):
            digest = recorded.get(name) or sha256(name.encode()).hexdigest()
            # As there, some rows have none.
            fragment = "" if "aarch64" in name and name not in recorded else f"#sha256={digest}"
            href = f"/whl/{build.variant}/{name.replace('+', '%2B')}{fragment}"
            links.add(f'    <a href="{href}" data-core-metadata="sha256={digest}">{name}</a><br/>')
    head = "<!DOCTYPE html>\n<html>\n  <body>\n    <h1>Links for torch</h1>\n"
    return (head + "\n".join(sorted(links)) + "\n  </body>\n</html>\n<!--TIMESTAMP 1790000000-->").encode()


# ---------------------------------------------------------------- faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent for a page."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None
    slow: bool = False


_LOGIN = b'<html><body><form><input type="password"></form></body></html>'

FAULTS: dict[str, Callable[[bytes], Answer]] = {
    "cut": lambda page: Answer(body=page[: len(page) // 2]),
    "short": lambda page: Answer(body=page[: len(page) // 2], promised=len(page)),
    "empty": lambda _: Answer(body=b""),
    "error-page": lambda _: Answer(body=b"<html><body><h1>Oops</h1></body></html>"),
    "binary": lambda _: Answer(body=bytes(range(256)) * 9, headers={"Content-Type": "image/png"}),
    "login": lambda _: Answer(body=b"", status=302, headers={"Location": "/login"}),
    "broken": lambda _: Answer(body=b"", status=500),
    "drip": lambda page: Answer(body=page, slow=True),
    "giant": lambda page: Answer(body=page + b" " * (80 << 20)),
    "bomb": lambda _: Answer(body=gzip.compress(bytes(200 << 20)), headers={"Content-Encoding": "gzip"}),
    "escape": lambda page: Answer(body=page.replace(b"./mm", b"../../../../../../etc/mm")),
    "lying": lambda page: Answer(body=page.replace(b"-cp310-cp310-", b"-cp310-cp39-")),
    "not-index": lambda _: Answer(body=b"<html><head><title>Welcome</title></head><body>hello</body></html>"),
    "loop": lambda _: Answer(body=b"", status=302, headers={"Location": "/loop"}),
}


class Replica(ThreadingHTTPServer):
    """A server of pages, some of them out of order."""

    daemon_threads = True

    def __init__(self, port: int, pages: dict[str, bytes], fault: str | None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.pages, self.fault = pages, fault
        self.bad = frozenset(sorted(pages)[::3]) if fault else frozenset()
        self.ended = threading.Event()

    def answer(self, path: str) -> Answer:
        if path == "/login":
            return Answer(body=_LOGIN)
        if path == "/loop":
            return Answer(body=b"", status=302, headers={"Location": "/loop"})
        page = self.pages.get(path)
        if page is None:
            return Answer(body=b"not found", status=404)
        return FAULTS[self.fault](page) if self.fault and path in self.bad else Answer(body=page)


class Handler(BaseHTTPRequestHandler):
    """Sends what the replica answers."""

    server: Replica
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        answer = self.server.answer(self.path)
        self.send_response(answer.status)
        for key, value in ({"Content-Type": "text/html"} | answer.headers).items():
            self.send_header(key, value)
        size = len(answer.body) if answer.promised is None else answer.promised
        self.send_header("Content-Length", str(size))
        if answer.promised is not None:
            self.close_connection = True
        self.end_headers()
        step = 16 if answer.slow else len(answer.body) or 1
        try:
            for start in range(0, len(answer.body), step):
                self.wfile.write(answer.body[start : start + step])
                if answer.slow:
                    self.server.ended.wait(1.0)
        except OSError:
            return

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--matrices", type=Path, default=Path("matrices"))
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--fault", choices=sorted(FAULTS))
    options = parser.parse_args()
    matrix = Matrix(options.matrices)
    pages = {**openmmlab_pages(matrix), "/whl/torch/": pytorch_page(matrix)}
    server = Replica(options.port, pages, options.fault)
    print(f"{len(pages)} pages, {len(server.bad)} of them out of order, on http://127.0.0.1:{options.port}")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.ended.set()


if __name__ == "__main__":
    main()
