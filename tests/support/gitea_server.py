"""A `FakeGitea` on the loopback interface, with the repository itself served by `git http-backend`.

What foreign clients ask besides is here, too: real Renovate works with it.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fake_forge import TOKEN, FakeForge
from fake_gitea import FakeGitea

USER = {"id": 1, "login": "bot", "username": "bot", "full_name": "Bot", "email": "bot@example.org"}
SERVER = "1.22.6"


class GiteaServer:
    """Requests as they come over the wire → the fake, git, or what only others ask."""

    def __init__(self, forge: FakeForge) -> None:
        self.forge = forge
        self.fake = FakeGitea(forge)
        self.lock = threading.Lock()
        self.unknown: list[str] = []
        """What was asked and has no answer here."""
        self.pages: dict[str, tuple[str, bytes]] = {}
        """Other pages by their paths: kind of content, and bytes."""
        forge.git("config", "http.receivepack", "true")

    @contextmanager
    def running(self) -> Iterator[str]:
        """The address, while it listens."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else self._chunks()
                status, headers, data = outer.answer(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in {"content-length", "transfer-encoding"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def _chunks(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return b""
                data = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return data

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    # ------------------------------------------------------------ answers

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        known = {name.lower(): value for name, value in headers.items()}
        if urlsplit(path).path in self.pages:
            kind, data = self.pages[urlsplit(path).path]
            return 200, {"Content-Type": kind}, data
        if path.startswith(f"/{self.forge.name}.git/"):
            return self._git(method, path, known, body)
        if path.startswith("/api/v1/"):
            with self.lock:
                return self._api(method, path, known, body)
        return 404, {}, b""

    def _api(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"Authorization": headers.get("authorization", "").replace("Bearer ", "token ")}
        foreign = self._foreign(method, path) if sent["Authorization"] == f"token {TOKEN}" else None
        if foreign is not None:
            response = httpx.Response(200, json=foreign)
        else:
            request = httpx.Request(method, f"http://gitea{path}", headers=sent, content=body)
            try:
                response = self.fake.transport.handle_request(request)
                response.read()
            except AssertionError as error:
                self.unknown.append(f"{method} {path}: {error}")
                response = httpx.Response(404, json={"message": "not found"})
        told = {name: value for name, value in response.headers.items() if name in {"link", "content-type"}}
        return response.status_code, told, response.content

    def _foreign(self, method: str, path: str) -> Any:  # noqa: C901, PLR0911 - a table of routes
        """What mmlock does not ask, and others do; None: nothing of that kind."""
        at, query = urlsplit(path).path.removeprefix("/api/v1"), parse_qs(urlsplit(path).query)
        top = f"/repos/{self.forge.name}"
        if method != "GET":
            return None
        if at == "/version":
            return {"version": SERVER}
        if at == "/user":
            return USER
        if at == top:
            return {**self._repository(), "clone_url": self._clone(), "ssh_url": "git@x:team/locks.git"}
        if at == f"{top}/labels" or re.fullmatch(r"/orgs/[^/]+/labels", at):
            return [self.fake._label(name) for name in self.fake.labels]
        if at == f"{top}/pulls":
            rows = [
                one
                for one in reversed(self.forge.pulls)
                if query.get("state") != ["open"] or one.standing == "open"
            ]
            return [self._pull(one) for one in rows] if query.get("page", ["1"]) == ["1"] else []
        if found := re.fullmatch(rf"{top}/pulls/(\d+)", at):
            return self._pull(self.forge.pull(int(found[1])))
        if at == f"{top}/issues" and "labels" not in query:
            return (
                [self.fake._issue(one) for one in self.forge.issues]
                if query.get("page", ["1"]) == ["1"]
                else []
            )
        if found := re.fullmatch(rf"{top}/issues/(\d+)", at):
            return next(self.fake._issue(one) for one in self.forge.issues if one.number == int(found[1]))
        if re.fullmatch(rf"{top}/issues/\d+/comments", at):
            return []
        if found := re.fullmatch(rf"{top}/branches/(.+)", at):
            from urllib.parse import unquote

            return {"name": unquote(found[1]), "commit": {"id": self.forge.head(unquote(found[1]))}}
        if re.fullmatch(rf"{top}/(commits/.+/status(es)?|statuses/.+)", at):
            return [] if at.endswith("statuses") else {"worst_status": "unknown", "statuses": []}
        return None

    def _repository(self) -> dict[str, Any]:
        owner, _, name = self.forge.name.partition("/")
        return {
            "id": 1, "name": name, "full_name": self.forge.name, "owner": {**USER, "login": owner},
            "default_branch": "main", "empty": False, "archived": False, "mirror": False, "fork": False,
            "html_url": self._clone().removesuffix(".git"), "has_issues": True, "has_pull_requests": True,
            "allow_merge_commits": True, "allow_rebase": True, "allow_rebase_explicit": True,
            "allow_squash_merge": True, "permissions": {"admin": False, "push": True, "pull": True},
            "internal_tracker": {}, "default_merge_style": "merge",
        }  # fmt: skip

    def _clone(self) -> str:
        return f"{self.address}/{self.forge.name}.git"

    address = ""

    def _pull(self, one: Any) -> dict[str, Any]:
        value = self.fake._pull(one)
        when = value["created_at"]
        return {
            **value, "user": USER, "mergeable": True, "updated_at": when, "closed_at": None, "assignees": [],
            "requested_reviewers": [], "diff_url": "", "base": {**value["base"], "repo": self._repository()},
            "head": {**value["head"], "repo": self._repository()},
        }  # fmt: skip

    def _git(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        word = base64.b64decode(headers.get("authorization", "").partition("Basic ")[2]).decode()
        if TOKEN not in word.split(":"):
            return 401, {"WWW-Authenticate": 'Basic realm="Gitea"'}, b""
        parts = urlsplit(path)
        environ = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.forge.bare),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": parts.path.removeprefix(f"/{self.forge.name}.git"),
            "QUERY_STRING": parts.query,
            "REQUEST_METHOD": method,
            "REMOTE_USER": "bot",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
        }
        ran = subprocess.run(
            ["git", "http-backend"], input=body, env=environ, capture_output=True, check=True
        )
        head, _, data = ran.stdout.partition(b"\r\n\r\n")
        told = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(told.pop("Status", "200 OK").split()[0])
        return status, told, data
