"""Gitea's API v1 over a `FakeForge`, as the swagger page of Gitea 1.22 describes it."""
# ruff: noqa: ARG002

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx
from fake_forge import TOKEN, FakeForge, FakeIssue, FakePull

WHEN = "%Y-%m-%dT%H:%M:%SZ"
HOST = "https://gitea.example.org"


class FakeGitea:
    """Answers as `HOST/api/v1` does."""

    def __init__(self, forge: FakeForge, *, page: int = 50) -> None:
        self.forge = forge
        self.page = page
        self.labels: list[str] = []
        self.transport = forge.transport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != f"token {TOKEN}":
            return httpx.Response(401, json={"message": "invalid username, password or token", "url": HOST})
        top = f"/api/v1/repos/{self.forge.name}"
        path = unquote(request.url.path)
        assert path.startswith(top), path
        routes = [
            ("GET", r"", self.get_repository, set()),
            ("GET", r"/pulls", self.list_pulls, {"state", "limit", "page"}),
            ("POST", r"/pulls", self.create_pull, set()),
            ("PATCH", r"/pulls/(\d+)", self.edit_pull, set()),
            ("POST", r"/pulls/(\d+)/merge", self.merge_pull, set()),
            ("POST", r"/pulls/(\d+)/requested_reviewers", self.ask_review, set()),
            ("GET", r"/labels", self.list_labels, {"limit", "page"}),
            ("POST", r"/labels", self.create_label, set()),
            ("GET", r"/issues", self.list_issues, {"state", "type", "labels", "limit", "page"}),
            ("POST", r"/issues", self.create_issue, set()),
            ("PATCH", r"/issues/(\d+)", self.edit_issue, set()),
            ("DELETE", r"/issues/(\d+)/labels/(\d+)", self.drop_label, set()),
            ("GET", r"/issues/(\d+)/comments", self.list_comments, set()),
            ("POST", r"/issues/(\d+)/comments", self.create_comment, set()),
            ("POST", r"/statuses/([0-9a-f]{40})", self.set_status, set()),
        ]
        for method, pattern, handler, known in routes:
            found = re.fullmatch(pattern, path.removeprefix(top))
            if found and method == request.method:
                query = parse_qs(request.url.query.decode())
                assert set(query) <= known, query
                value = json.loads(request.content) if request.content else None
                return handler(query, value, *found.groups())
        raise AssertionError(f"no route for {request.method} {path}")

    def get_repository(self, query: Any, value: Any) -> httpx.Response:
        about = self.forge.repository
        return httpx.Response(
            200,
            json={
                "full_name": self.forge.name,
                "default_branch": "main",
                "fork": about["fork"],
                "archived": about["archived"],
                "html_url": f"{HOST}/{self.forge.name}",
                "permissions": {"admin": False, "push": about["push"], "pull": True},
            },
        )

    def list_pulls(self, query: Any, value: Any) -> httpx.Response:
        rows = [one for one in self.forge.pulls if query["state"] == ["all"] or one.standing == "open"]
        return self._paged(query, "pulls", [self._pull(one) for one in reversed(rows)])

    def create_pull(self, query: Any, value: Any) -> httpx.Response:
        names = [self.labels[number - 1] for number in value["labels"]]
        made = self.forge.add_pull(
            branch=value["head"], base=value["base"], title=value["title"], body=value["body"], labels=names
        )
        if made is None:
            return httpx.Response(409, json={"message": "pull request already exists for these targets"})
        return httpx.Response(201, json=self._pull(made))

    def edit_pull(self, query: Any, value: Any, number: str) -> httpx.Response:
        one = self.forge.pull(int(number))
        one.title, one.body = value.get("title", one.title), value.get("body", one.body)
        if value.get("state") == "closed":
            one.standing = "closed"
        return httpx.Response(201, json=self._pull(one))

    def merge_pull(self, query: Any, value: Any, number: str) -> httpx.Response:
        assert value["Do"] == "merge"
        done = self.forge.try_merge(int(number), value["head_commit_id"])
        return httpx.Response(200) if done else httpx.Response(409, json={"message": "head out of date"})

    def ask_review(self, query: Any, value: Any, number: str) -> httpx.Response:
        self.forge.pull(int(number)).reviewers += value["reviewers"]
        return httpx.Response(201, json=[])

    def list_labels(self, query: Any, value: Any) -> httpx.Response:
        return self._paged(query, "labels", [self._label(name) for name in self.labels])

    def create_label(self, query: Any, value: Any) -> httpx.Response:
        assert re.fullmatch(r"#[0-9a-f]{6}", value["color"])
        assert value["name"] not in self.labels
        self.labels.append(value["name"])
        return httpx.Response(201, json=self._label(value["name"]))

    def list_issues(self, query: Any, value: Any) -> httpx.Response:
        wanted = set(query["labels"][0].split(","))
        held: list[FakePull] | list[FakeIssue] = self.forge.issues
        if query["type"] == ["pulls"]:
            held = self.forge.pulls
        known = [one for one in held if wanted <= one.labels]
        rows = [one for one in known if (one.standing == "open") == (query["state"] == ["open"])]
        return self._paged(query, "issues", [self._issue(one) for one in reversed(rows)])

    def create_issue(self, query: Any, value: Any) -> httpx.Response:
        names = [self.labels[number - 1] for number in value["labels"]]
        made = self.forge.add_issue(title=value["title"], body=value["body"], labels=names)
        return httpx.Response(201, json=self._issue(made))

    def edit_issue(self, query: Any, value: Any, number: str) -> httpx.Response:
        one = next(one for one in self.forge.issues if one.number == int(number))
        one.body = value["body"]
        return httpx.Response(201, json=self._issue(one))

    def drop_label(self, query: Any, value: Any, number: str, label: str) -> httpx.Response:
        self.forge.pull(int(number)).labels.discard(self.labels[int(label) - 1])
        return httpx.Response(204)

    def list_comments(self, query: Any, value: Any, number: str) -> httpx.Response:
        return httpx.Response(200, json=[{"body": text} for text in self.forge.pull(int(number)).comments])

    def create_comment(self, query: Any, value: Any, number: str) -> httpx.Response:
        self.forge.pull(int(number)).comments.append(value["body"])
        return httpx.Response(201, json={"body": value["body"]})

    def set_status(self, query: Any, value: Any, commit: str) -> httpx.Response:
        self.forge.git("cat-file", "-e", commit)
        self.forge.statuses.setdefault(commit, {})[value["context"]] = (value["state"], value["description"])
        return httpx.Response(201, json={"status": value["state"], "context": value["context"]})

    # ------------------------------------------------------------ values

    def _paged(self, query: Any, what: str, rows: list[Any]) -> httpx.Response:
        size = min(int(query.get("limit", ["30"])[0]), self.page)
        place = int(query.get("page", ["1"])[0])
        headers = {}
        if place * size < len(rows):
            kept = "&".join(f"{key}={values[0]}" for key, values in query.items() if key != "page")
            headers["Link"] = (
                f'<{HOST}/api/v1/repos/{self.forge.name}/{what}?{kept}&page={place + 1}>; rel="next"'
            )
        return httpx.Response(200, json=rows[(place - 1) * size : place * size], headers=headers)

    def _label(self, name: str) -> dict[str, Any]:
        if name not in self.labels:
            self.labels.append(name)
        return {"id": self.labels.index(name) + 1, "name": name, "color": "1d76db"}

    def _pull(self, one: FakePull) -> dict[str, Any]:
        one.last_head = self.forge.head(one.branch) or one.last_head
        repository = {"full_name": "stranger/locks" if one.fork else self.forge.name}
        return {
            "number": one.number,
            "title": one.title,
            "body": one.body,
            "state": "open" if one.standing == "open" else "closed",
            "merged": one.standing == "merged",
            "created_at": one.created.strftime(WHEN),
            "html_url": f"{HOST}/{self.forge.name}/pulls/{one.number}",
            "labels": [self._label(name) for name in sorted(one.labels)],
            "head": {"label": one.branch, "ref": one.branch, "sha": one.last_head, "repo": repository},
            "base": {
                "label": one.base,
                "ref": one.base,
                "sha": self.forge.head(one.base),
                "repo": repository,
            },
        }

    def _issue(self, one: FakeIssue | FakePull) -> dict[str, Any]:
        return {
            "number": one.number,
            "title": one.title,
            "body": one.body,
            "state": "open" if one.standing == "open" else "closed",
            "html_url": f"{HOST}/{self.forge.name}/issues/{one.number}",
            "labels": [self._label(name) for name in sorted(one.labels)],
        }
