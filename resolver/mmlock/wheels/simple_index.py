"""The wheelhouse as a package index (PEP 503, 592, 629, 658, 691, 700, 714): pages as text, no network."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

from msgspec import Struct

from mmlock.wheels.index_file import IndexFile

HTML = "text/html; charset=utf-8"
JSON = "application/vnd.pypi.simple.v1+json"


class IndexDocument(Struct, frozen=True, kw_only=True):
    """A document of the index."""

    content_type: str
    body: bytes


def projects(files: Iterable[IndexFile]) -> Mapping[str, tuple[IndexFile, ...]]:
    """The files by project, names sorted, file names unique."""
    found: dict[str, dict[str, IndexFile]] = {}
    for file in files:
        found.setdefault(file.project, {}).setdefault(file.name, file)
    return {name: tuple(files[file] for file in sorted(files)) for name, files in sorted(found.items())}


def wants_json(accept: str) -> bool:
    """Whether a client prefers JSON: it names it, and no HTML before it."""
    words = [word.split(";")[0].strip() for word in accept.split(",")]
    liked = [
        word
        for word in words
        if word in {JSON, "application/json", "application/vnd.pypi.simple.latest+json"}
    ]
    return bool(liked) and not (words and words[0] == "text/html")


def root_page(names: Iterable[str], *, as_json: bool) -> IndexDocument:
    """The list of projects."""
    if as_json:
        return _json({"projects": [{"name": name} for name in names]})
    return _html("Simple index", (f'<a href="{quote(name)}/">{html.escape(name)}</a>' for name in names))


def project_page(
    name: str, files: Iterable[IndexFile], *, place: Callable[[IndexFile], str], as_json: bool
) -> IndexDocument:
    """The files of one project; `place` is the URL of a file, whose metadata is at `URL.metadata`."""
    rows = [(place(file), file) for file in files]
    if as_json:
        versions = sorted({file.version for _, file in rows})
        return _json({"name": name, "versions": versions, "files": [_row(url, file) for url, file in rows]})
    return _html(f"Links for {name}", (_link(url, file) for url, file in rows))


def _row(url: str, file: IndexFile) -> dict[str, object]:
    row: dict[str, object] = {
        "filename": file.name,
        "url": url,
        "hashes": {"sha256": file.sha256},
        "size": file.size,
        "yanked": file.yanked or False,
    }
    if file.created:
        row["upload-time"] = file.created
    if file.requires_python:
        row["requires-python"] = file.requires_python
    if file.torch:
        row["_mmlock"] = {"torch": file.torch, "archs": list(file.archs)}
    if file.metadata:
        # PEP 714: clients of PEP 658's days look for the former name, and one bug of pip's was in it.
        row["core-metadata"] = row["dist-info-metadata"] = {"sha256": file.metadata}
    return row


def _link(url: str, file: IndexFile) -> str:
    words = [f'href="{html.escape(url)}#sha256={file.sha256}"']
    if file.requires_python:
        words.append(f'data-requires-python="{html.escape(file.requires_python)}"')
    if file.metadata:
        words.append(f'data-core-metadata="sha256={file.metadata}"')
        words.append(f'data-dist-info-metadata="sha256={file.metadata}"')
    if file.torch:
        words.append(f'data-mmlock-torch="{html.escape(file.torch)}"')
        words.append(f'data-mmlock-archs="{html.escape(";".join(file.archs))}"')
    if file.yanked:
        words.append(f'data-yanked="{html.escape(file.yanked)}"')
    return f"<a {' '.join(words)}>{html.escape(file.name)}</a>"


def wheel_place(base: str) -> Callable[[IndexFile], str]:
    """Where a wheelhouse has its files: `BASE/KEY/NAME`."""
    return lambda file: f"{base}/{file.key}/{quote(file.name)}"


def _json(data: Mapping[str, object]) -> IndexDocument:
    body = json.dumps({"meta": {"api-version": "1.1"}, **data}, indent=1, sort_keys=True)
    return IndexDocument(content_type=JSON, body=body.encode())


def _html(title: str, lines: Iterable[str]) -> IndexDocument:
    head = f'<meta name="pypi:repository-version" content="1.1">\n<title>{html.escape(title)}</title>'
    body = "<br>\n".join(lines)
    text = f"<!DOCTYPE html>\n<html><head>\n{head}\n</head><body>\n{body}\n</body></html>\n"
    return IndexDocument(content_type=HTML, body=text.encode())
