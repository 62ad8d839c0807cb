"""Serves a wheelhouse over HTTP, so that plain pip and uv can install from it."""

from __future__ import annotations

import shutil
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import normalize
from mmlock.wheels.model import BuiltWheel
from mmlock.wheels.simple_index import Page, project_page, projects, root_page, wants_json
from mmlock.wheels.wheelhouse import Wheelhouse


def make_server(wheelhouse: Wheelhouse, host: str, port: int) -> ThreadingHTTPServer:
    """A server that is bound and not yet serving; port 0 takes a free one."""
    try:
        server = ThreadingHTTPServer((host, port), partial(_Handler, wheelhouse))
    except OSError as error:
        raise EnvironmentFault(
            f"cannot serve on {host}:{port}",
            causes=[error.strerror or str(error)],
            hints=["name another port with `--port`; `--port 0` takes a free one"],
        ) from error
    server.daemon_threads = True
    return server


class _Handler(BaseHTTPRequestHandler):
    """`/simple/`, `/simple/NAME/` and `/wheels/KEY/FILE`, and nothing else."""

    protocol_version = "HTTP/1.1"

    def __init__(self, wheelhouse: Wheelhouse, *args: Any) -> None:
        self.wheelhouse = wheelhouse
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer with the body."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer without it."""
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        as_json = wants_json(self.headers.get("Accept", ""))
        match parts:
            case ["simple"]:
                self._page(root_page(projects(self._wheels()), as_json=as_json), body=body)
            case ["simple", name]:
                files = projects(self._wheels()).get(normalize(name))
                if files is None:
                    self.send_error(HTTPStatus.NOT_FOUND, "no such project")
                else:
                    page = project_page(normalize(name), files, base="../../wheels", as_json=as_json)
                    self._page(page, body=body)
            case ["wheels", key, file]:
                self._file(key, file, body=body)
            case _:
                self.send_error(HTTPStatus.NOT_FOUND, "the index is at /simple/")

    def _wheels(self) -> list[BuiltWheel]:
        return [entry for entry in self.wheelhouse.entries() if isinstance(entry, BuiltWheel)]

    def _page(self, page: Page, *, body: bool) -> None:
        self._head(page.content_type, len(page.body))
        if body:
            self.wfile.write(page.body)

    def _file(self, key: str, file: str, *, body: bool) -> None:
        # Looked up, never joined: no path of the request reaches the disk.
        found = next((w for w in self._wheels() if w.key == key and w.path.name == file), None)
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND, "no such wheel")
            return
        with found.path.open("rb") as stream:
            self._head("application/octet-stream", found.size)
            if body:
                shutil.copyfileobj(stream, self.wfile)

    def _head(self, content_type: str, length: int) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        self.send_header("Vary", "Accept")
        self.end_headers()
