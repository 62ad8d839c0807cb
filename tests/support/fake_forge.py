"""A forge that remembers: pull requests over a real bare git repository, and people who act on them.

`FakeForge` is what all forges have in common; `fake_github`, `fake_gitea` and `fake_gitlab` speak for it in
the words of one. Each is an `httpx` transport, so nothing listens anywhere. Faults are planned per request.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path

import httpx

START = datetime(2026, 11, 28, 12, 0, tzinfo=timezone.utc)
TOKEN = "secret-token-of-the-test"  # noqa: S105


class FaultPoint(Enum):
    """What goes wrong with one request."""

    LOST_BEFORE = "lost before it was done"
    LOST_AFTER = "done, and the answer was lost"
    ERROR_BEFORE = "502 before it was done"
    ERROR_AFTER = "done, and 502"
    LIMITED = "429 with Retry-After"
    SECONDARY = "403 with Retry-After: a secondary limit"
    KILLED = "the program is killed before this request"


class Killed(BaseException):
    """As if the process were gone: no handler of the program sees it."""


@dataclass
class FakePull:
    number: int
    branch: str
    base: str
    title: str
    body: str
    created: datetime
    standing: str = "open"
    labels: set[str] = field(default_factory=set)
    comments: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    fork: bool = False
    last_head: str = "0" * 40


@dataclass
class FakeIssue:
    number: int
    title: str
    body: str
    labels: set[str]
    standing: str = "open"


class FakeForge:
    """One repository, and whoever acts on it."""

    def __init__(self, bare: Path, name: str = "team/locks") -> None:
        self.bare = bare
        self.name = name
        self.now = START
        self.pulls: list[FakePull] = []
        self.issues: list[FakeIssue] = []
        self.statuses: dict[str, dict[str, tuple[str, str]]] = {}
        self.repository = {"fork": False, "archived": False, "push": True}
        self.requests: list[tuple[str, str]] = []
        self.faults: dict[int, FaultPoint] = {}
        """By the number of the request, from 0."""
        self.slept: list[float] = []

    # ------------------------------------------------------------ git

    def git(self, *words: str, stdin: str = "") -> str:
        ran = subprocess.run(
            ["git", "-C", str(self.bare), *words], input=stdin, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def head(self, branch: str) -> str | None:
        ran = subprocess.run(
            ["git", "-C", str(self.bare), "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.stdout.strip() or None

    def branches(self, prefix: str) -> dict[str, str]:
        told = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", f"refs/heads/{prefix}")
        return dict(line.split() for line in told.splitlines())

    def push_file(self, branch: str, path: str, text: str) -> str:
        """A person pushes a commit that changes one file."""
        head = self.head(branch)
        assert head is not None
        blob = self.git("hash-object", "-w", "--stdin", stdin=text)
        index = f"--index-info-{len(self.requests)}"
        environ = {"GIT_INDEX_FILE": str(self.bare / index)}
        self._in(environ, "read-tree", head)
        self._in(environ, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        tree = self._in(environ, "write-tree")
        (self.bare / index).unlink()
        commit = self.git(
            "-c", "user.name=ada", "-c", "user.email=ada@example.org",
            "commit-tree", "-p", head, "-m", f"edit {path}", tree,
        )  # fmt: skip
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def _in(self, environ: dict[str, str], *words: str) -> str:
        import os

        ran = subprocess.run(
            ["git", "-C", str(self.bare), *words],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=True,
        )
        return ran.stdout.strip()

    # ------------------------------------------------------------ people

    def pull(self, number: int) -> FakePull:
        return next(one for one in self.pulls if one.number == number)

    def open_ones(self) -> list[FakePull]:
        return [one for one in self.pulls if one.standing == "open"]

    def close(self, number: int) -> None:
        self.pull(number).standing = "closed"

    def merge(self, number: int) -> None:
        """By a merge commit, as the button does; a conflict raises."""
        one = self.pull(number)
        head, base = self.head(one.branch), self.head(one.base)
        assert head is not None
        assert base is not None
        tree = self.git("merge-tree", "--write-tree", base, head).splitlines()[0]
        commit = self.git(
            "-c", "user.name=ada", "-c", "user.email=ada@example.org",
            "commit-tree", "-p", base, "-p", head, "-m", f"Merge #{number}", tree,
        )  # fmt: skip
        self.git("update-ref", f"refs/heads/{one.base}", commit)
        one.last_head = head
        one.standing = "merged"
        self.git("update-ref", "-d", f"refs/heads/{one.branch}")

    def tick(self, number: int, words: str) -> None:
        one = self.pull(number)
        assert f"- [ ] <!-- mmlock:{words} -->" in one.body
        one.body = one.body.replace(f"- [ ] <!-- mmlock:{words} -->", f"- [x] <!-- mmlock:{words} -->")

    def tick_dashboard(self, words: str) -> None:
        one = self.issues[0]
        assert f"- [ ] <!-- mmlock:{words} -->" in one.body
        one.body = one.body.replace(f"- [ ] <!-- mmlock:{words} -->", f"- [x] <!-- mmlock:{words} -->")

    def pass_time(self, **more: float) -> None:
        self.now += timedelta(**more)

    # ------------------------------------------------------------ what an API does

    def number(self) -> int:
        return len(self.pulls) + len(self.issues) + 1

    def add_pull(
        self, *, branch: str, base: str, title: str, body: str, labels: Iterable[str] = ()
    ) -> FakePull | None:
        """None: there is an open one for that branch, or there is no such branch."""
        if self.head(branch) is None or any(one.branch == branch for one in self.open_ones()):
            return None
        made = FakePull(self.number(), branch, base, title, body, self.now, labels=set(labels))
        self.pulls.append(made)
        return made

    def add_issue(self, *, title: str, body: str, labels: Iterable[str]) -> FakeIssue:
        made = FakeIssue(self.number(), title, body, set(labels))
        self.issues.append(made)
        return made

    def try_merge(self, number: int, head: str) -> bool:
        if self.head(self.pull(number).branch) != head or self.pull(number).standing != "open":
            return False
        self.merge(number)
        return True

    # ------------------------------------------------------------ the wire

    def transport(self, answer: Callable[[httpx.Request], httpx.Response]) -> httpx.MockTransport:
        """With the faults that are planned, and every request noted."""

        def handle(request: httpx.Request) -> httpx.Response:
            place = len(self.requests)
            self.requests.append((request.method, request.url.raw_path.decode()))
            assert TOKEN not in str(request.url)
            fault = self.faults.pop(place, None)
            if fault is FaultPoint.KILLED:
                raise Killed
            if fault is FaultPoint.LOST_BEFORE:
                raise httpx.ReadTimeout("timed out")
            if fault is FaultPoint.ERROR_BEFORE:
                return httpx.Response(502, text="<html>Bad gateway</html>")
            if fault in {FaultPoint.LIMITED, FaultPoint.SECONDARY}:
                status = 429 if fault is FaultPoint.LIMITED else 403
                told = {"message": "You have exceeded a secondary rate limit."}
                return httpx.Response(status, headers={"Retry-After": "7"}, json=told)
            done = answer(request)
            if fault is FaultPoint.LOST_AFTER:
                raise httpx.ReadTimeout("timed out")
            if fault is FaultPoint.ERROR_AFTER:
                return httpx.Response(502, text="<html>Bad gateway</html>")
            return done

        return httpx.MockTransport(handle)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
