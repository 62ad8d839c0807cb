"""GitLab's API v4 over a `FakeForge`: https://docs.gitlab.com/api/merge_requests and its neighbours."""
# ruff: noqa: ARG002

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

import httpx
from fake_forge import TOKEN, FakeForge, FakeIssue, FakePull

WHEN = "%Y-%m-%dT%H:%M:%S.000Z"
HOST = "https://gitlab.example.org"
PAGING = {"per_page", "page"}


class FakeGitLab:
    """Answers as `HOST/api/v4` does."""

    def __init__(self, forge: FakeForge, *, page: int = 100) -> None:
        self.forge = forge
        self.page = page
        self.transport = forge.transport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            return httpx.Response(401, json={"message": "401 Unauthorized"})
        path = request.url.raw_path.decode().partition("?")[0]
        top = f"/api/v4/projects/{self.forge.name.replace('/', '%2F')}"
        if path == "/api/v4/users":
            return httpx.Response(200, json=[{"id": 7, "username": "ada"}])
        assert path.startswith(top), path
        listing = {"state", "order_by", "sort", *PAGING}
        routes = [
            ("GET", r"", self.get_project, set()),
            ("GET", r"/merge_requests", self.list_merges, {*listing, "source_branch", "labels"}),
            ("POST", r"/merge_requests", self.create_merge, set()),
            ("PUT", r"/merge_requests/(\d+)", self.edit_merge, set()),
            ("PUT", r"/merge_requests/(\d+)/merge", self.accept_merge, set()),
            ("GET", r"/merge_requests/(\d+)/notes", self.list_notes, PAGING),
            ("POST", r"/merge_requests/(\d+)/notes", self.create_note, set()),
            ("GET", r"/issues", self.list_issues, {*listing, "labels"}),
            ("POST", r"/issues", self.create_issue, set()),
            ("PUT", r"/issues/(\d+)", self.edit_issue, set()),
            ("POST", r"/statuses/([0-9a-f]{40})", self.set_status, set()),
        ]
        for method, pattern, handler, known in routes:
            found = re.fullmatch(pattern, path.removeprefix(top))
            if found and method == request.method:
                query = parse_qs(request.url.query.decode())
                assert set(query) <= known, query
                value = json.loads(request.content) if request.content else None
                return handler(request, query, value, *found.groups())
        raise AssertionError(f"no route for {request.method} {path}")

    def get_project(self, request: Any, query: Any, value: Any) -> httpx.Response:
        about = self.forge.repository
        access = {"access_level": 30 if about["push"] else 20, "notification_level": 3}
        project: dict[str, Any] = {
            "id": 1,
            "default_branch": "main",
            "web_url": f"{HOST}/{self.forge.name}",
            "archived": about["archived"],
            "permissions": {"project_access": access, "group_access": None},
        }
        if about["fork"]:
            project["forked_from_project"] = {"id": 2}
        return httpx.Response(200, json=project)

    def list_merges(self, request: Any, query: Any, value: Any) -> httpx.Response:
        [state] = query["state"]
        standing = {"all": None, "opened": "open", "closed": "closed"}[state]
        rows = [one for one in self.forge.pulls if standing in {None, one.standing}]
        if "labels" in query:
            rows = [one for one in rows if set(query["labels"][0].split(",")) <= one.labels]
        if "source_branch" in query:
            rows = [one for one in rows if one.branch == query["source_branch"][0]]
        rows = rows[::-1] if query.get("sort", ["desc"]) == ["desc"] else rows
        return self._paged(request, query, [self._merge(one) for one in rows])

    def create_merge(self, request: Any, query: Any, value: Any) -> httpx.Response:
        labels = [one for one in value.get("labels", "").split(",") if one]
        made = self.forge.add_pull(
            branch=value["source_branch"],
            base=value["target_branch"],
            title=value["title"],
            body=value["description"],
            labels=labels,
        )
        if made is None:
            told = "Another open merge request already exists for this source branch: !1"
            return httpx.Response(409, json={"message": [told]})
        made.reviewers += ["ada" for number in value.get("reviewer_ids", ()) if number == 7]
        return httpx.Response(201, json=self._merge(made))

    def edit_merge(self, request: Any, query: Any, value: Any, number: str) -> httpx.Response:
        one = self.forge.pull(int(number))
        one.title, one.body = value.get("title", one.title), value.get("description", one.body)
        if value.get("state_event") == "close":
            one.standing = "closed"
        one.labels -= set(value.get("remove_labels", "").split(","))
        return httpx.Response(200, json=self._merge(one))

    def accept_merge(self, request: Any, query: Any, value: Any, number: str) -> httpx.Response:
        if not self.forge.try_merge(int(number), value["sha"]):
            return httpx.Response(409, json={"message": "SHA does not match HEAD of source branch"})
        return httpx.Response(200, json=self._merge(self.forge.pull(int(number))))

    def list_notes(self, request: Any, query: Any, value: Any, number: str) -> httpx.Response:
        notes = [{"body": text, "system": False} for text in self.forge.pull(int(number)).comments]
        return self._paged(request, query, [{"body": "added 1 commit", "system": True}, *notes])

    def create_note(self, request: Any, query: Any, value: Any, number: str) -> httpx.Response:
        self.forge.pull(int(number)).comments.append(value["body"])
        return httpx.Response(201, json={"body": value["body"], "system": False})

    def list_issues(self, request: Any, query: Any, value: Any) -> httpx.Response:
        wanted = set(query["labels"][0].split(","))
        rows = [one for one in self.forge.issues if wanted <= one.labels and one.standing == "open"]
        return self._paged(request, query, [self._issue(one) for one in rows])

    def create_issue(self, request: Any, query: Any, value: Any) -> httpx.Response:
        labels = value["labels"].split(",")
        made = self.forge.add_issue(title=value["title"], body=value["description"], labels=labels)
        return httpx.Response(201, json=self._issue(made))

    def edit_issue(self, request: Any, query: Any, value: Any, number: str) -> httpx.Response:
        one = next(one for one in self.forge.issues if one.number == int(number))
        one.body = value["description"]
        return httpx.Response(200, json=self._issue(one))

    def set_status(self, request: Any, query: Any, value: Any, commit: str) -> httpx.Response:
        self.forge.git("cat-file", "-e", commit)
        known = self.forge.statuses.setdefault(commit, {})
        state = {"failed": "failure"}.get(value["state"], value["state"])
        if value["state"] == "pending" and known.get(value["name"], ("",))[0] == "pending":
            return httpx.Response(
                400, json={"message": "Cannot transition status via :enqueue from :pending"}
            )
        known[value["name"]] = (state, value["description"])
        return httpx.Response(201, json={"status": value["state"], "name": value["name"]})

    # ------------------------------------------------------------ values

    def _paged(self, request: httpx.Request, query: Any, rows: list[Any]) -> httpx.Response:
        size = min(int(query.get("per_page", ["20"])[0]), self.page)
        place = int(query.get("page", ["1"])[0])
        headers = {}
        if place * size < len(rows):
            headers["Link"] = f'<{request.url.copy_merge_params({"page": str(place + 1)})}>; rel="next"'
        return httpx.Response(200, json=rows[(place - 1) * size : place * size], headers=headers)

    def _merge(self, one: FakePull) -> dict[str, Any]:
        one.last_head = self.forge.head(one.branch) or one.last_head
        return {
            "iid": one.number,
            "title": one.title,
            "description": one.body,
            "state": {"open": "opened"}.get(one.standing, one.standing),
            "source_branch": one.branch,
            "target_branch": one.base,
            "sha": one.last_head,
            "created_at": one.created.strftime(WHEN),
            "web_url": f"{HOST}/{self.forge.name}/-/merge_requests/{one.number}",
            "source_project_id": 9 if one.fork else 1,
            "target_project_id": 1,
            "labels": sorted(one.labels),
        }

    def _issue(self, one: FakeIssue) -> dict[str, Any]:
        return {
            "iid": one.number,
            "title": one.title,
            "description": one.body,
            "state": "opened",
            "web_url": f"{HOST}/{self.forge.name}/-/issues/{one.number}",
            "labels": sorted(one.labels),
        }
