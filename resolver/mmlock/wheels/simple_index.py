"""The wheelhouse as a package index (PEP 503 and PEP 691): pages as text, no network."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from msgspec import Struct

from mmlock.core.names import normalize
from mmlock.wheels.model import BuiltWheel

HTML = "text/html; charset=utf-8"
JSON = "application/vnd.pypi.simple.v1+json"


class IndexDocument(Struct, frozen=True, kw_only=True):
    """A document of the index."""

    content_type: str
    body: bytes


def projects(wheels: Iterable[BuiltWheel]) -> Mapping[str, tuple[BuiltWheel, ...]]:
    """The wheels by project, names sorted, file names unique."""
    found: dict[str, dict[str, BuiltWheel]] = {}
    for wheel in wheels:
        found.setdefault(normalize(wheel.package), {}).setdefault(wheel.path.name, wheel)
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


def project_page(name: str, wheels: Iterable[BuiltWheel], *, base: str, as_json: bool) -> IndexDocument:
    """The files of one project; `base` is the URL in front of `KEY/FILE`."""
    rows = [(f"{base}/{wheel.key}/{quote(wheel.path.name)}", wheel) for wheel in wheels]
    if as_json:
        files = [
            {
                "filename": wheel.path.name,
                "url": url,
                "hashes": {"sha256": wheel.sha256},
                "size": wheel.size,
                "upload-time": wheel.record.get("created"),
            }
            for url, wheel in rows
        ]
        versions = sorted({wheel.version for _, wheel in rows})
        return _json({"name": name, "versions": versions, "files": files})
    return _html(
        f"Links for {name}",
        (f'<a href="{url}#sha256={wheel.sha256}">{html.escape(wheel.path.name)}</a>' for url, wheel in rows),
    )


def _json(data: Mapping[str, object]) -> IndexDocument:
    body = json.dumps({"meta": {"api-version": "1.1"}, **data}, indent=1, sort_keys=True)
    return IndexDocument(content_type=JSON, body=body.encode())


def _html(title: str, lines: Iterable[str]) -> IndexDocument:
    head = f'<meta name="pypi:repository-version" content="1.1">\n<title>{html.escape(title)}</title>'
    body = "<br>\n".join(lines)
    text = f"<!DOCTYPE html>\n<html><head>\n{head}\n</head><body>\n{body}\n</body></html>\n"
    return IndexDocument(content_type=HTML, body=text.encode())
