"""GitHub: its REST API, version 2022-11-28.

https://docs.github.com/rest.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

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

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["API", "GitHub", "app_token", "headers"]

API = "https://api.github.com"
_APP_SECONDS = 540
"""How long the statement of an app is good for; GitHub takes at most ten minutes."""


class _Label(Struct, frozen=True):
    name: str


class _HeadRepo(Struct, frozen=True):
    full_name: str


class _Ref(Struct, frozen=True):
    ref: str
    sha: str
    repo: _HeadRepo | None = None


class _Pull(Struct, frozen=True):
    number: int
    title: str
    state: str
    created_at: datetime
    html_url: str
    head: _Ref
    base: _Ref
    body: str | None = None
    merged_at: datetime | None = None
    labels: tuple[_Label, ...] = ()


class _Issue(Struct, frozen=True):
    number: int
    html_url: str
    body: str | None = None
    pull_request: msgspec.Raw | None = None


class _Permissions(Struct, frozen=True):
    push: bool = False


class _Repository(Struct, frozen=True):
    default_branch: str
    fork: bool
    html_url: str
    archived: bool = False
    permissions: _Permissions | None = None


class _Comment(Struct, frozen=True):
    body: str | None = None


class _Merged(Struct, frozen=True):
    merged: bool


class _Token(Struct, frozen=True):
    token: str


class _Installation(Struct, frozen=True):
    id: int


class GitHub(Struct, frozen=True, kw_only=True):
    """One repository on GitHub or on GitHub Enterprise."""

    rest: Rest
    name: str
    """`OWNER/NAME`."""
    remote: str
    token: Callable[[], str]
    page: str
    """Of the repository: `https://github.com/OWNER/NAME`."""
    body_limit: int = 65536

    def login(self) -> Login | None:
        return Login(user="x-access-token", token=self.token())

    def repository(self) -> ForgeRepository:
        found = decoded(self.rest.get(self._path()), _Repository)
        return ForgeRepository(
            default_branch=found.default_branch,
            # An app's token is told nothing of this; then the push tells.
            can_push=found.permissions is None or found.permissions.push,
            fork=found.fork,
            archived=found.archived,
            url=found.html_url,
        )

    def open_pulls(self) -> tuple[Pull, ...]:
        rows = self.rest.pages(self._path("/pulls"), _Pull, state="open", sort="created", direction="asc")
        return self._own(rows)

    def pulls_of(self, branch: str) -> tuple[Pull, ...]:
        owner = self.name.partition("/")[0]
        rows = self.rest.pages(
            self._path("/pulls"),
            _Pull,
            state="all",
            head=f"{owner}:{branch}",
            sort="created",
            direction="desc",
        )
        return tuple(pull for pull in self._own(rows) if pull.branch == branch)

    def closed_with(self, label: str) -> frozenset[int]:
        rows = self.rest.pages(self._path("/issues"), _Issue, state="closed", labels=label)
        return frozenset(row.number for row in rows if row.pull_request is not None)

    def open_pull(self, new: NewPull) -> Pull:
        value = {"title": new.title, "head": new.branch, "base": new.base, "body": new.body}
        pull = self._opened(new, value)
        if new.labels and not set(new.labels) <= pull.labels:
            self.rest.send(
                HttpVerb.POST, self._path(f"/issues/{pull.number}/labels"), {"labels": list(new.labels)}
            )
        if new.reviewers:
            self._ask(pull.number, new.reviewers)
        return pull

    def _opened(self, new: NewPull, value: Mapping[str, str]) -> Pull:
        """Opened now, or found: where nobody knows whether it was done, or where it is there already."""
        path = self._path("/pulls")
        return make_once(
            lambda: self._pull(decoded(self.rest.send(HttpVerb.POST, path, value, again=False), _Pull)),
            lambda: next(
                (one for one in self.pulls_of(new.branch) if one.standing is PullStanding.OPEN), None
            ),
            or_refused=True,
        )

    def _ask(self, number: int, reviewers: Iterable[str]) -> None:
        people = [one for one in reviewers if "/" not in one]
        teams = [one.partition("/")[2] for one in reviewers if "/" in one]
        value = {"reviewers": people, "team_reviewers": teams}
        # Whoever opened it cannot review it, and a team may have gone: that stops no update.
        with suppress(ForgeFault):
            self.rest.send(HttpVerb.POST, self._path(f"/pulls/{number}/requested_reviewers"), value)

    def edit_pull(self, number: int, *, title: str, body: str) -> None:
        self.rest.send(HttpVerb.PATCH, self._path(f"/pulls/{number}"), {"title": title, "body": body})

    def drop_label(self, number: int, label: str) -> None:
        try:
            self.rest.send(HttpVerb.DELETE, self._path(f"/issues/{number}/labels/{quote(label, safe='')}"))
        except ForgeFault as error:
            if error.problem is not ForgeProblem.NOT_FOUND:
                raise

    def close_pull(self, number: int, *, body: str) -> None:
        self.rest.send(HttpVerb.PATCH, self._path(f"/pulls/{number}"), {"state": "closed", "body": body})

    def merge_pull(self, number: int, head: str) -> bool:
        try:
            answer = self.rest.send(HttpVerb.PUT, self._path(f"/pulls/{number}/merge"), {"sha": head})
        except ForgeFault as error:
            if error.problem is not ForgeProblem.REFUSED:  # 405: checks are missing; 409: another head
                raise
            return False
        return decoded(answer, _Merged).merged

    def comments(self, number: int) -> tuple[str, ...]:
        rows = self.rest.pages(self._path(f"/issues/{number}/comments"), _Comment)
        return tuple(row.body or "" for row in rows)

    def comment(self, number: int, text: str) -> None:
        path = self._path(f"/issues/{number}/comments")
        comment_once(self.rest, path, text, lambda: self.comments(number))

    def dashboard(self, label: str) -> Issue | None:
        rows = self.rest.pages(
            self._path("/issues"), _Issue, state="open", labels=label, sort="created", direction="asc"
        )
        return next((_issue(row) for row in rows if row.pull_request is None), None)

    def open_dashboard(self, *, title: str, body: str, label: str) -> Issue:
        value = {"title": title, "body": body, "labels": [label]}
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
        return f"{self.page}/blob/{branch}/"

    def close(self) -> None:
        self.rest.close()

    # ------------------------------------------------------------ values

    def _path(self, rest: str = "") -> str:
        return f"/repos/{self.name}{rest}"

    def _own(self, rows: Iterable[_Pull]) -> tuple[Pull, ...]:
        """Those whose branch is here: anybody can open one from a fork, with any branch name and text."""
        here = self.name.lower()
        return tuple(
            self._pull(row)
            for row in rows
            if row.head.repo is not None and row.head.repo.full_name.lower() == here
        )

    def _pull(self, row: _Pull) -> Pull:
        merged = PullStanding.MERGED if row.merged_at is not None else PullStanding.CLOSED
        return Pull(
            number=row.number,
            branch=row.head.ref,
            head=row.head.sha,
            base=row.base.ref,
            title=row.title,
            body=(row.body or "").replace("\r\n", "\n"),
            standing=PullStanding.OPEN if row.state == "open" else merged,
            created=row.created_at,
            labels=frozenset(label.name for label in row.labels),
            url=row.html_url,
        )


def _issue(row: _Issue) -> Issue:
    return Issue(number=row.number, body=(row.body or "").replace("\r\n", "\n"), url=row.html_url)


# ---------------------------------------------------------------- who one is


def headers(token: str) -> dict[str, str]:
    """Those of every request."""
    return {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }


def app_token(app: str, key: str, name: str, rest: Callable[[str], Rest], now: float) -> str:
    """A token of a GitHub App for one repository, good for an hour. Raises ForgeFault.

    `key`: the app's private key as PEM text. `rest` gives a client that sends a statement of the app.
    """
    statement = _jwt(app, key, now)
    client = rest(statement)
    found = decoded(client.get(f"/repos/{name}/installation"), _Installation)
    value: dict[str, Any] = {"repositories": [name.partition("/")[2]]}
    answer = client.send(HttpVerb.POST, f"/app/installations/{found.id}/access_tokens", value)
    if answer.status != HTTPStatus.CREATED:
        raise ForgeFault(ForgeProblem.STRANGE, "the forge gave the app no token")
    return decoded(answer, _Token).token


def _jwt(app: str, key: str, now: float) -> str:
    """A JSON Web Token (RFC 7519) by RS256, as GitHub asks of apps."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise _bad_key() from error
    if not isinstance(private, rsa.RSAPrivateKey):
        raise _bad_key()
    claims = {"iat": int(now) - 60, "exp": int(now) + _APP_SECONDS, "iss": app}
    head = ".".join(_part(msgspec.json.encode(one)) for one in ({"alg": "RS256", "typ": "JWT"}, claims))
    return f"{head}.{_part(private.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _bad_key() -> ForgeFault:
    return ForgeFault(
        ForgeProblem.NO_TOKEN,
        "`MMLOCK_GITHUB_APP_KEY` is no RSA private key",
        hints=["it is the text of the `.pem` file that GitHub gave for the app"],
    )


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
