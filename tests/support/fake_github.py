"""GitHub's REST API over a `FakeForge`. `strict`: all is held against GitHub's own description."""

# ruff: noqa: ARG002

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import httpx
from fake_forge import TOKEN, FakeForge, FakeIssue, FakePull

DATA = Path(__file__).parents[1] / "upkeep" / "forges" / "data" / "github-openapi.json"
WHEN = "%Y-%m-%dT%H:%M:%SZ"


@cache
def description() -> dict[str, Any]:
    return json.loads(DATA.read_text())  # type: ignore[no-any-return]


class FakeGitHub:
    """Answers as api.github.com does."""

    def __init__(self, forge: FakeForge, *, strict: bool = False, page: int = 100) -> None:
        self.forge = forge
        self.page = page
        self.strict = strict
        self.transport = forge.transport(self.checked)
        self.tokens = {f"Bearer {TOKEN}"}

    # ------------------------------------------------------------ checked

    def checked(self, request: httpx.Request) -> httpx.Response:
        if self.strict:
            validate_request(request)
        response = self.answer(request)
        if self.strict:
            validate_response(request, response)
        return response

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") not in self.tokens:
            return httpx.Response(401, json={"message": "Bad credentials"})
        assert request.headers["X-GitHub-Api-Version"] == "2022-11-28"
        path = unquote(request.url.path)
        top = f"/repos/{self.forge.name}"
        if not path.startswith(top):
            return httpx.Response(404, json={"message": "Not Found"})
        for method, pattern, handler in self.routes():
            found = re.fullmatch(pattern, path.removeprefix(top))
            if found and method == request.method:
                value = json.loads(request.content) if request.content else None
                return self._tagged(request, handler(request, value, *found.groups()))
        raise AssertionError(f"no route for {request.method} {path}")

    def _tagged(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """With an ETag for what was read; 304 for who has it."""
        if request.method != "GET" or response.status_code != 200:
            return response
        tag = f'W/"{sha256(response.content).hexdigest()}"'
        if request.headers.get("If-None-Match") == tag:
            return httpx.Response(304, headers={"ETag": tag})
        response.headers["ETag"] = tag
        return response

    def routes(self) -> list[tuple[str, str, Callable[..., httpx.Response]]]:
        return [
            ("GET", r"", self.get_repository),
            ("GET", r"/pulls", self.list_pulls),
            ("POST", r"/pulls", self.create_pull),
            ("PATCH", r"/pulls/(\d+)", self.edit_pull),
            ("PUT", r"/pulls/(\d+)/merge", self.merge_pull),
            ("POST", r"/pulls/(\d+)/requested_reviewers", self.ask_review),
            ("GET", r"/issues", self.list_issues),
            ("POST", r"/issues", self.create_issue),
            ("PATCH", r"/issues/(\d+)", self.edit_issue),
            ("POST", r"/issues/(\d+)/labels", self.add_labels),
            ("DELETE", r"/issues/(\d+)/labels/(.+)", self.drop_label),
            ("GET", r"/issues/(\d+)/comments", self.list_comments),
            ("POST", r"/issues/(\d+)/comments", self.create_comment),
            ("POST", r"/statuses/([0-9a-f]{40})", self.set_status),
        ]

    # ------------------------------------------------------------ routes

    def get_repository(self, request: httpx.Request, value: Any) -> httpx.Response:
        known = {
            **self._repository(),
            "archived": self.forge.repository["archived"],
            "fork": self.forge.repository["fork"],
            "permissions": {"admin": False, "push": self.forge.repository["push"], "pull": True},
        }
        return httpx.Response(200, json=filled("full-repository", known))

    def list_pulls(self, request: httpx.Request, value: Any) -> httpx.Response:
        query = parse_qs(request.url.query.decode())
        rows = list(self.forge.pulls)
        if query["state"] == ["open"]:
            rows = [one for one in rows if one.standing == "open"]
        if "head" in query:
            owner, _, branch = query["head"][0].partition(":")
            assert owner == self.forge.name.partition("/")[0]
            rows = [one for one in rows if one.branch == branch]
        if query.get("direction") == ["desc"]:
            rows.reverse()
        return self._paged(request, [filled("pull-request-simple", self._pull(one)) for one in rows])

    def create_pull(self, request: httpx.Request, value: Any) -> httpx.Response:
        assert len(value["body"]) <= 65536
        made = self.forge.add_pull(
            branch=value["head"], base=value["base"], title=value["title"], body=value["body"]
        )
        if made is None:
            told = f"A pull request already exists for team:{value['head']}."
            return httpx.Response(
                422, json={"message": "Validation Failed", "documentation_url": "https://docs.github.com",
                           "errors": [{"resource": "PullRequest", "code": "custom", "message": told}]},
            )  # fmt: skip
        return httpx.Response(201, json=filled("pull-request", self._pull(made)))

    def edit_pull(self, request: httpx.Request, value: Any, number: str) -> httpx.Response:
        one = self.forge.pull(int(number))
        assert len(value.get("body", "")) <= 65536
        one.title = value.get("title", one.title)
        one.body = value.get("body", one.body)
        if value.get("state") == "closed":
            one.standing = "closed"
        return httpx.Response(200, json=filled("pull-request", self._pull(one)))

    def merge_pull(self, request: httpx.Request, value: Any, number: str) -> httpx.Response:
        if not self.forge.try_merge(int(number), value["sha"]):
            return httpx.Response(409, json={"message": "Head branch was modified."})
        return httpx.Response(200, json={"sha": value["sha"], "merged": True, "message": "merged"})

    def ask_review(self, request: httpx.Request, value: Any, number: str) -> httpx.Response:
        one = self.forge.pull(int(number))
        one.reviewers += value["reviewers"]
        return httpx.Response(201, json=filled("pull-request-simple", self._pull(one)))

    def list_issues(self, request: httpx.Request, value: Any) -> httpx.Response:
        """Pull requests are issues, too."""
        query = parse_qs(request.url.query.decode())
        wanted = set(query["labels"][0].split(","))
        is_open = query["state"] == ["open"]
        rows = [
            filled("issue", self._issue(one))
            for one in self.forge.issues
            if wanted <= one.labels and (one.standing == "open") == is_open
        ]
        for one in self.forge.pulls:
            if wanted <= one.labels and (one.standing == "open") == is_open:
                page = f"https://github.com/{self.forge.name}/pull/{one.number}"
                link = dict.fromkeys(("url", "html_url", "diff_url", "patch_url"), page)
                issue = FakeIssue(one.number, one.title, one.body, one.labels)
                rows.insert(0, {**filled("issue", self._issue(issue)), "pull_request": link})
        return self._paged(request, rows)

    def create_issue(self, request: httpx.Request, value: Any) -> httpx.Response:
        made = self.forge.add_issue(title=value["title"], body=value["body"], labels=value["labels"])
        return httpx.Response(201, json=filled("issue", self._issue(made)))

    def edit_issue(self, request: httpx.Request, value: Any, number: str) -> httpx.Response:
        one = next(one for one in self.forge.issues if one.number == int(number))
        one.body = value["body"]
        return httpx.Response(200, json=filled("issue", self._issue(one)))

    def add_labels(self, request: httpx.Request, value: Any, number: str) -> httpx.Response:
        one = self.forge.pull(int(number))
        one.labels |= set(value["labels"])
        return httpx.Response(200, json=[_label(name) for name in sorted(one.labels)])

    def drop_label(self, request: httpx.Request, value: Any, number: str, name: str) -> httpx.Response:
        one = self.forge.pull(int(number))
        if name not in one.labels:
            return httpx.Response(404, json={"message": "Label does not exist"})
        one.labels.discard(name)
        return httpx.Response(200, json=[_label(name) for name in sorted(one.labels)])

    def list_comments(self, request: httpx.Request, value: Any, number: str) -> httpx.Response:
        texts = self.forge.pull(int(number)).comments
        return self._paged(request, [filled("issue-comment", {"body": text}) for text in texts])

    def create_comment(self, request: httpx.Request, value: Any, number: str) -> httpx.Response:
        self.forge.pull(int(number)).comments.append(value["body"])
        return httpx.Response(201, json=filled("issue-comment", {"body": value["body"]}))

    def set_status(self, request: httpx.Request, value: Any, commit: str) -> httpx.Response:
        assert len(value["description"]) <= 140
        self.forge.git("cat-file", "-e", commit)
        self.forge.statuses.setdefault(commit, {})[value["context"]] = (value["state"], value["description"])
        return httpx.Response(
            201, json=filled("status", {"state": value["state"], "context": value["context"]})
        )

    # ------------------------------------------------------------ values

    def _paged(self, request: httpx.Request, rows: list[Any]) -> httpx.Response:
        query = parse_qs(request.url.query.decode())
        size = min(int(query.get("per_page", ["30"])[0]), self.page)
        place = int(query.get("page", ["1"])[0])
        headers = {}
        if place * size < len(rows):
            url = request.url.copy_merge_params({"page": str(place + 1)})
            headers["Link"] = f'<{url}>; rel="next", <{url}>; rel="last"'
        return httpx.Response(200, json=rows[(place - 1) * size : place * size], headers=headers)

    def _repository(self) -> dict[str, Any]:
        owner, _, name = self.forge.name.partition("/")
        return {
            "full_name": self.forge.name,
            "name": name,
            "default_branch": "main",
            "html_url": f"https://github.com/{self.forge.name}",
            "owner": filled("simple-user", {"login": owner}),
        }

    def _pull(self, one: FakePull) -> dict[str, Any]:
        head = self.forge.head(one.branch)
        one.last_head = head or one.last_head
        base = filled("repository", self._repository())
        own = {**base, "full_name": "stranger/locks"} if one.fork else base
        when = one.created.strftime(WHEN)
        refs = {
            "head": {"label": f"team:{one.branch}", "ref": one.branch, "sha": one.last_head, "repo": own,
                     "user": filled("simple-user", {})},
            "base": {"label": f"team:{one.base}", "ref": one.base, "sha": self.forge.head(one.base),
                     "repo": base, "user": filled("simple-user", {})},
        }  # fmt: skip
        return {
            **refs,
            "number": one.number,
            "title": one.title,
            "body": one.body,
            "state": "open" if one.standing == "open" else "closed",
            "merged_at": when if one.standing == "merged" else None,
            "created_at": when,
            "html_url": f"https://github.com/{self.forge.name}/pull/{one.number}",
            "labels": [_label(name) for name in sorted(one.labels)],
            "user": filled("simple-user", {"login": "mmlock[bot]"}),
        }

    def _issue(self, one: FakeIssue) -> dict[str, Any]:
        return {
            "number": one.number,
            "title": one.title,
            "body": one.body,
            "state": one.standing,
            "html_url": f"https://github.com/{self.forge.name}/issues/{one.number}",
            "labels": [_label(name) for name in sorted(one.labels)],
            "user": filled("simple-user", {"login": "mmlock[bot]"}),
        }


def _label(name: str) -> dict[str, Any]:
    return {"id": 1, "node_id": "n", "url": "https://api.github.com/l", "name": name, "description": "",
            "color": "ededed", "default": False}  # fmt: skip


# ---------------------------------------------------------------- whole values, from the description


def filled(name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """A value of a schema: what is known, and something of the right kind for all else that it requires."""
    value = _sample(description()["components"]["schemas"][name])
    assert isinstance(value, dict)
    return {**value, **known}


def _sample(schema: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _sample(description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if schema.get("nullable"):
        return None
    for word in ("oneOf", "anyOf", "allOf"):
        if word in schema:
            return _sample(schema[word][0])
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: _sample(properties[key]) for key in schema.get("required", ()) if key in properties}
    texts = {"date-time": "2026-11-28T12:00:00Z", "uri": "https://api.github.com/x", "email": "a@example.org"}
    samples = {
        "array": [],
        "integer": 1,
        "number": 1,
        "boolean": False,
        "string": texts.get(schema.get("format", ""), "x"),
    }
    return samples[kind]


# ---------------------------------------------------------------- held against the description


@cache
def _openapi() -> Any:
    from openapi_core import OpenAPI

    return OpenAPI.from_dict(description())


class _Request:
    """A request as openapi-core asks for one."""

    def __init__(self, request: httpx.Request) -> None:
        from openapi_core.datatypes import RequestParameters
        from werkzeug.datastructures import Headers, ImmutableMultiDict

        query = [
            (key, value)
            for key, values in parse_qs(request.url.query.decode(), keep_blank_values=True).items()
            for value in values
        ]
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(query),
            header=Headers(dict(request.headers)),
            cookie=ImmutableMultiDict(),
            path={},
        )
        self.host_url = "https://api.github.com"
        self.path = request.url.raw_path.decode().partition("?")[0]
        self.path_pattern = None
        self.full_url_pattern = f"https://api.github.com{self.path}"
        self.method = request.method.lower()
        self.content_type = request.headers.get("content-type", "")
        self.body = request.content or None
        self.names = {key for key, _ in query}


class _Response:
    """A reply as openapi-core asks for one."""

    def __init__(self, response: httpx.Response) -> None:
        from werkzeug.datastructures import Headers

        self.status_code = response.status_code
        self.headers = Headers(dict(response.headers))
        self.content_type = response.headers.get("content-type", "").partition(";")[0]
        self.data = response.content


def validate_request(request: httpx.Request) -> None:
    """Fails for a request that GitHub's description does not know: path, query, body."""
    asked = _Request(request)
    _openapi().validate_request(asked)
    # openapi-core passes over parameters that nobody described; GitHub ignores them, and we would not notice.
    for pattern, verbs in description()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", pattern), asked.path) and asked.method in verbs:
            known = {_parameter(one)["name"] for one in verbs[asked.method].get("parameters", ())}
            assert asked.names <= known, f"{asked.method} {pattern} has no parameter {asked.names - known}"
            return
    raise AssertionError(asked.path)


def _parameter(one: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in one:
        return one
    return description()["components"]["parameters"][one["$ref"].rpartition("/")[2]]


def validate_response(request: httpx.Request, response: httpx.Response) -> None:
    """Fails for a reply that GitHub would not give."""
    if response.status_code == 401:  # described nowhere, and sent everywhere
        return
    if response.status_code == 304:
        return
    _openapi().validate_response(_Request(request), _Response(response))
