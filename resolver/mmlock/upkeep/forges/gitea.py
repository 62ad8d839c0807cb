"""Gitea and Forgejo: the API v1 that both have.

https://docs.gitea.com/api
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

from msgspec import Struct, field

from mmlock.upkeep.forges.model import (
    CommitStatus,
    ForgeFault,
    ForgeProblem,
    ForgeRepository,
    Issue,
    Login,
    NewPull,
    Pull,
    PullStanding,
)
from mmlock.upkeep.forges.rest import HttpVerb, Rest, comment_once, decoded, make_once

__all__ = ["Gitea", "headers"]

_COLOR = "#1d76db"
_SIZE = 50
"""Rows of a page: the most that a server gives as it is usually set up."""


class _Label(Struct, frozen=True):
    id: int
    name: str


class _Repo(Struct, frozen=True):
    full_name: str


class _Ref(Struct, frozen=True):
    ref: str
    sha: str
    repo: _Repo | None = None


class _Pull(Struct, frozen=True):
    number: int
    title: str
    body: str
    state: str
    created_at: datetime
    html_url: str
    head: _Ref
    base: _Ref
    merged: bool = False
    labels: tuple[_Label, ...] | None = None


class _Issue(Struct, frozen=True):
    number: int
    body: str
    html_url: str


class _Permissions(Struct, frozen=True):
    push: bool


class _Repository(Struct, frozen=True):
    default_branch: str
    fork: bool
    html_url: str
    permissions: _Permissions
    archived: bool = False


class _Comment(Struct, frozen=True):
    body: str


class Gitea(Struct, frozen=True, kw_only=True):
    """One repository on a Gitea or Forgejo."""

    rest: Rest
    name: str
    """`OWNER/NAME`."""
    remote: str
    token: Callable[[], str]
    page: str
    """Of the repository."""
    body_limit: int = 65536
    """The server has no limit of its own; a page that is longer is read by nobody."""
    _labels: dict[str, int] = field(default_factory=dict)
    _all: list[Pull] = field(default_factory=list)
    """Every pull request, as this run found them."""

    def login(self) -> Login | None:
        return Login(user="mmlock", token=self.token())

    def repository(self) -> ForgeRepository:
        found = decoded(self.rest.get(self._path()), _Repository)
        return ForgeRepository(
            default_branch=found.default_branch,
            can_push=found.permissions.push,
            fork=found.fork,
            archived=found.archived,
            url=found.html_url,
        )

    def open_pulls(self) -> tuple[Pull, ...]:
        return tuple(sorted(self._pulls("open"), key=lambda one: one.number))

    def pulls_of(self, branch: str) -> tuple[Pull, ...]:
        """The API has no filter by branch: all are read once, the last ones first."""
        if not self._all:
            self._all.extend(self._pulls("all", whole=False))
        found = [one for one in self._all if one.branch == branch]
        return tuple(sorted(found, key=lambda one: -one.number))

    def _pulls(self, state: str, *, whole: bool = True) -> Iterable[Pull]:
        rows = self.rest.pages(
            self._path("/pulls"), _Pull, size="limit", most=_SIZE, whole=whole, state=state
        )
        here = self.name.lower()
        for row in rows:
            if row.head.repo is not None and row.head.repo.full_name.lower() == here:
                yield _pull(row)

    def closed_with(self, label: str) -> frozenset[int]:
        rows = self.rest.pages(
            self._path("/issues"),
            _Issue,
            size="limit",
            most=_SIZE,
            state="closed",
            type="pulls",
            labels=label,
        )
        return frozenset(row.number for row in rows)

    def open_pull(self, new: NewPull) -> Pull:
        value = {
            "title": new.title,
            "head": new.branch,
            "base": new.base,
            "body": new.body,
            "labels": [self._label(name) for name in new.labels],
        }
        pull = self._opened(new, value)
        if new.reviewers:
            asked = {"reviewers": list(new.reviewers)}
            # Whoever opened it cannot review it: that stops no update.
            with suppress(ForgeFault):
                self.rest.send(HttpVerb.POST, self._path(f"/pulls/{pull.number}/requested_reviewers"), asked)
        return pull

    def _opened(self, new: NewPull, value: object) -> Pull:
        path = self._path("/pulls")
        return make_once(
            lambda: _pull(decoded(self.rest.send(HttpVerb.POST, path, value, again=False), _Pull)),
            lambda: next((pull for pull in self.open_pulls() if pull.branch == new.branch), None),
            or_refused=True,
        )

    def edit_pull(self, number: int, *, title: str, body: str) -> None:
        self.rest.send(HttpVerb.PATCH, self._path(f"/pulls/{number}"), {"title": title, "body": body})

    def drop_label(self, number: int, label: str) -> None:
        try:
            self.rest.send(HttpVerb.DELETE, self._path(f"/issues/{number}/labels/{self._label(label)}"))
        except ForgeFault as error:
            if error.problem is not ForgeProblem.NOT_FOUND:
                raise

    def close_pull(self, number: int, *, body: str) -> None:
        self.rest.send(HttpVerb.PATCH, self._path(f"/pulls/{number}"), {"state": "closed", "body": body})

    def merge_pull(self, number: int, head: str) -> bool:
        value = {"Do": "merge", "head_commit_id": head}
        try:
            self.rest.send(HttpVerb.POST, self._path(f"/pulls/{number}/merge"), value)
        except ForgeFault as error:
            if error.problem is not ForgeProblem.REFUSED:  # 405: checks are missing; 409: another head
                raise
            return False
        return True

    def comments(self, number: int) -> tuple[str, ...]:
        answer = self.rest.get(self._path(f"/issues/{number}/comments"))  # it has no pages
        return tuple(row.body for row in decoded(answer, tuple[_Comment, ...]))

    def comment(self, number: int, text: str) -> None:
        path = self._path(f"/issues/{number}/comments")
        comment_once(self.rest, path, text, lambda: self.comments(number))

    def dashboard(self, label: str) -> Issue | None:
        rows = self.rest.pages(
            self._path("/issues"), _Issue, size="limit", most=_SIZE, state="open", type="issues", labels=label
        )
        found = sorted(rows, key=lambda one: one.number)
        return _issue(found[0]) if found else None

    def open_dashboard(self, *, title: str, body: str, label: str) -> Issue:
        value = {"title": title, "body": body, "labels": [self._label(label)]}
        path = self._path("/issues")
        return make_once(
            lambda: _issue(decoded(self.rest.send(HttpVerb.POST, path, value, again=False), _Issue)),
            lambda: self.dashboard(label),
        )

    def edit_dashboard(self, number: int, body: str) -> None:
        self.rest.send(HttpVerb.PATCH, self._path(f"/issues/{number}"), {"body": body})

    def set_status(self, commit: str, status: CommitStatus) -> None:
        value = {"context": status.context, "state": status.state.value, "description": status.text}
        self.rest.send(HttpVerb.POST, self._path(f"/statuses/{commit}"), value)

    def file_url(self, branch: str) -> str:
        return f"{self.page}/src/branch/{branch}/"

    def close(self) -> None:
        self.rest.close()

    # ------------------------------------------------------------ values

    def _path(self, rest: str = "") -> str:
        return f"/repos/{self.name}{rest}"

    def _label(self, name: str) -> int:
        """The number of a label, which is made where there is none."""
        if not self._labels:
            self._read_labels()
        value = {"name": name, "color": _COLOR}
        if name not in self._labels:
            try:
                answer = self.rest.send(HttpVerb.POST, self._path("/labels"), value, again=False)
                self._labels[name] = decoded(answer, _Label).id
            except ForgeFault as error:
                if error.problem is not ForgeProblem.UNREACHABLE:
                    raise
                self._read_labels()  # it may have been made
        if name not in self._labels:
            answer = self.rest.send(HttpVerb.POST, self._path("/labels"), value, again=False)
            self._labels[name] = decoded(answer, _Label).id
        return self._labels[name]

    def _read_labels(self) -> None:
        rows = self.rest.pages(self._path("/labels"), _Label, size="limit", most=_SIZE)
        self._labels.update({row.name: row.id for row in rows})


def _pull(row: _Pull) -> Pull:
    closed = PullStanding.MERGED if row.merged else PullStanding.CLOSED
    return Pull(
        number=row.number,
        branch=row.head.ref,
        head=row.head.sha,
        base=row.base.ref,
        title=row.title,
        body=row.body.replace("\r\n", "\n"),
        standing=PullStanding.OPEN if row.state == "open" else closed,
        created=row.created_at,
        labels=frozenset(label.name for label in row.labels or ()),
        url=row.html_url,
    )


def _issue(row: _Issue) -> Issue:
    return Issue(number=row.number, body=row.body.replace("\r\n", "\n"), url=row.html_url)


def headers(token: str) -> dict[str, str]:
    """Those of every request."""
    return {"Authorization": f"token {token}"}
