"""GitLab: its REST API v4, where pull requests are merge requests.

https://docs.gitlab.com/api/rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from urllib.parse import quote

from msgspec import Struct

from mmlock.upkeep.forges.model import (
    CommitState,
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

__all__ = ["GitLab", "headers"]

_DEVELOPER = 30
"""The lowest access level that may push: https://docs.gitlab.com/api/access_requests"""
_STATES = {
    CommitState.PENDING: "pending",
    CommitState.SUCCESS: "success",
    CommitState.FAILURE: "failed",
}
_STANDINGS = {"opened": PullStanding.OPEN, "merged": PullStanding.MERGED}


class _Merge(Struct, frozen=True):
    iid: int
    title: str
    state: str
    source_branch: str
    target_branch: str
    created_at: datetime
    web_url: str
    source_project_id: int | None
    target_project_id: int
    sha: str | None = None
    description: str | None = None
    labels: tuple[str, ...] = ()


class _Issue(Struct, frozen=True):
    iid: int
    web_url: str
    description: str | None = None


class _Access(Struct, frozen=True):
    access_level: int


class _Permissions(Struct, frozen=True):
    project_access: _Access | None = None
    group_access: _Access | None = None


class _Project(Struct, frozen=True):
    web_url: str
    default_branch: str | None = None
    archived: bool = False
    forked_from_project: dict[str, object] | None = None
    permissions: _Permissions | None = None


class _Note(Struct, frozen=True):
    body: str
    system: bool = False


class _User(Struct, frozen=True):
    id: int


class GitLab(Struct, frozen=True, kw_only=True):
    """One project on a GitLab."""

    rest: Rest
    name: str
    """`GROUP/NAME`; groups may be nested."""
    remote: str
    token: Callable[[], str]
    page: str
    body_limit: int = 1_048_576

    def login(self) -> Login | None:
        return Login(user="oauth2", token=self.token())

    def repository(self) -> ForgeRepository:
        found = decoded(self.rest.get(self._path()), _Project)
        rights = found.permissions
        levels = (
            [one.access_level for one in (rights.project_access, rights.group_access) if one]
            if rights
            else []
        )
        return ForgeRepository(
            default_branch=found.default_branch or "main",
            # A job's token is told nothing of this; then the push tells.
            can_push=not levels or max(levels) >= _DEVELOPER,
            fork=found.forked_from_project is not None,
            archived=found.archived,
            url=found.web_url,
        )

    def open_pulls(self) -> tuple[Pull, ...]:
        rows = self.rest.pages(
            self._path("/merge_requests"), _Merge, state="opened", order_by="created_at", sort="asc"
        )
        return self._own(rows)

    def pulls_of(self, branch: str) -> tuple[Pull, ...]:
        rows = self.rest.pages(
            self._path("/merge_requests"),
            _Merge,
            state="all",
            source_branch=branch,
            order_by="created_at",
            sort="desc",
        )
        return self._own(rows)

    def closed_with(self, label: str) -> frozenset[int]:
        rows = self.rest.pages(self._path("/merge_requests"), _Merge, state="closed", labels=label)
        return frozenset(row.iid for row in rows)

    def open_pull(self, new: NewPull) -> Pull:
        value: dict[str, object] = {
            "title": new.title,
            "source_branch": new.branch,
            "target_branch": new.base,
            "description": new.body,
        }
        if new.labels:
            value["labels"] = ",".join(new.labels)
        if new.reviewers:
            value["reviewer_ids"] = [number for name in new.reviewers for number in self._user(name)]
        path = self._path("/merge_requests")
        return make_once(
            lambda: _pull(decoded(self.rest.send(HttpVerb.POST, path, value, again=False), _Merge)),
            lambda: next(
                (one for one in self.pulls_of(new.branch) if one.standing is PullStanding.OPEN), None
            ),
            or_refused=True,
        )

    def _user(self, name: str) -> Iterable[int]:
        """The number of a user; none where no one has that name: that stops no update."""
        with suppress(ForgeFault):
            for row in decoded(self.rest.get("/users", username=name), tuple[_User, ...]):
                yield row.id

    def edit_pull(self, number: int, *, title: str, body: str) -> None:
        self.rest.send(HttpVerb.PUT, self._merge(number), {"title": title, "description": body})

    def drop_label(self, number: int, label: str) -> None:
        self.rest.send(HttpVerb.PUT, self._merge(number), {"remove_labels": label})

    def close_pull(self, number: int, *, body: str) -> None:
        self.rest.send(HttpVerb.PUT, self._merge(number), {"state_event": "close", "description": body})

    def merge_pull(self, number: int, head: str) -> bool:
        try:
            self.rest.send(HttpVerb.PUT, f"{self._merge(number)}/merge", {"sha": head})
        except ForgeFault as error:
            if error.problem is not ForgeProblem.REFUSED:  # 405, 422: checks are missing; 409: another head
                raise
            return False
        return True

    def comments(self, number: int) -> tuple[str, ...]:
        rows = self.rest.pages(f"{self._merge(number)}/notes", _Note)
        return tuple(row.body for row in rows if not row.system)

    def comment(self, number: int, text: str) -> None:
        path = f"{self._merge(number)}/notes"
        comment_once(self.rest, path, text, lambda: self.comments(number))

    def dashboard(self, label: str) -> Issue | None:
        rows = self.rest.pages(
            self._path("/issues"), _Issue, state="opened", labels=label, order_by="created_at", sort="asc"
        )
        return next((_issue(row) for row in rows), None)

    def open_dashboard(self, *, title: str, body: str, label: str) -> Issue:
        value = {"title": title, "description": body, "labels": label}
        path = self._path("/issues")
        return make_once(
            lambda: _issue(decoded(self.rest.send(HttpVerb.POST, path, value, again=False), _Issue)),
            lambda: self.dashboard(label),
        )

    def edit_dashboard(self, number: int, body: str) -> None:
        self.rest.send(HttpVerb.PUT, self._path(f"/issues/{number}"), {"description": body})

    def set_status(self, commit: str, status: CommitStatus) -> None:
        value = {"name": status.context, "state": _STATES[status.state], "description": status.text}
        try:
            self.rest.send(HttpVerb.POST, self._path(f"/statuses/{commit}"), value)
        except ForgeFault as error:
            # A status that is pending already cannot become pending: 400.
            if error.problem is not ForgeProblem.REFUSED:
                raise

    def file_url(self, branch: str) -> str:
        return f"{self.page}/-/blob/{branch}/"

    def close(self) -> None:
        self.rest.close()

    # ------------------------------------------------------------ values

    def _path(self, rest: str = "") -> str:
        return f"/projects/{quote(self.name, safe='')}{rest}"

    def _merge(self, number: int) -> str:
        return self._path(f"/merge_requests/{number}")

    def _own(self, rows: Iterable[_Merge]) -> tuple[Pull, ...]:
        return tuple(_pull(row) for row in rows if row.source_project_id == row.target_project_id)


def _pull(row: _Merge) -> Pull:
    return Pull(
        number=row.iid,
        branch=row.source_branch,
        head=row.sha or "",
        base=row.target_branch,
        title=row.title,
        body=(row.description or "").replace("\r\n", "\n"),
        standing=_STANDINGS.get(row.state, PullStanding.CLOSED),
        created=row.created_at,
        labels=frozenset(row.labels),
        url=row.web_url,
    )


def _issue(row: _Issue) -> Issue:
    return Issue(number=row.iid, body=(row.description or "").replace("\r\n", "\n"), url=row.web_url)


def headers(token: str) -> dict[str, str]:
    """Those of every request."""
    return {"PRIVATE-TOKEN": token}
