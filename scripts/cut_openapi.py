"""Cut GitHub's OpenAPI description to what `mmlock.upkeep.forges.github` uses, for the tests of it.

npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
python scripts/cut_openapi.py package/generated/api.github.com.json

Source: https://github.com/octokit/openapi, made from https://github.com/github/rest-api-description (MIT).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parents[1] / "tests" / "upkeep" / "forges" / "data" / "github-openapi.json"
SOURCE = "@octokit/openapi 23.0.2, generated/api.github.com.json, cut by scripts/cut_openapi.py"
REPO = "/repos/{owner}/{repo}"
USED = {
    REPO: ("get",),
    f"{REPO}/installation": ("get",),
    f"{REPO}/pulls": ("get", "post"),
    f"{REPO}/pulls/{{pull_number}}": ("patch",),
    f"{REPO}/pulls/{{pull_number}}/merge": ("put",),
    f"{REPO}/pulls/{{pull_number}}/requested_reviewers": ("post",),
    f"{REPO}/issues": ("get", "post"),
    f"{REPO}/issues/{{issue_number}}": ("patch",),
    f"{REPO}/issues/{{issue_number}}/labels": ("post",),
    f"{REPO}/issues/{{issue_number}}/labels/{{name}}": ("delete",),
    f"{REPO}/issues/{{issue_number}}/comments": ("get", "post"),
    f"{REPO}/statuses/{{sha}}": ("post",),
    "/app/installations/{installation_id}/access_tokens": ("post",),
}
WORDS = {
    "description",
    "summary",
    "externalDocs",
    "x-github",
    "x-octokit",
    "tags",
    "title",
    "example",
    "examples",
}
"""What says something to people only."""


def main(file: Path) -> None:
    """Write the cut."""
    whole = json.loads(file.read_text())
    paths = {path: {verb: whole["paths"][path][verb] for verb in verbs} for path, verbs in USED.items()}
    cut: dict[str, Any] = {
        "openapi": whole["openapi"],
        "info": {"title": "GitHub", "version": whole["info"]["version"], "description": SOURCE},
        "servers": [{"url": "https://api.github.com"}],
        "paths": bare(paths),
        "components": {},
    }
    waiting = list(references(cut["paths"]))
    while waiting:
        kind, name = waiting.pop().removeprefix("#/components/").split("/", 1)
        if name in cut["components"].get(kind, {}):
            continue
        value = bare(whole["components"][kind][name])
        cut["components"].setdefault(kind, {})[name] = value
        waiting += references(value)
    OUT.write_text(json.dumps(cut, sort_keys=True, separators=(",", ":")) + "\n")
    print(f"{OUT}: {OUT.stat().st_size} bytes")


def bare(value: Any, *, names: bool = False) -> Any:
    """Without texts and examples. `names`: the keys are names of properties, not words of the schema."""
    if isinstance(value, list):
        return [bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: bare(one, names=key == "properties" and not names)
        for key, one in value.items()
        # A response must have a description.
        if names or key not in WORDS or (key == "description" and _is_response(value))
    }


def _is_response(value: dict[str, Any]) -> bool:
    return set(value) <= {"description", "headers", "content", "links"}


def references(value: Any) -> Iterator[str]:
    """All `$ref` below a value."""
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key == "$ref" and isinstance(one, str):
                if one.startswith("#/components/"):
                    yield one
            else:
                yield from references(one)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
