"""A package's page of a simple index (PEP 503 HTML, PEP 691 JSON), read into files. Pure."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from msgspec import Struct
from msgspec.structs import force_setattr

from mmlock.core.artifact import Artifact, BuiltFor
from mmlock.core.names import PackageName, Sha256, StrEnum, normalize
from mmlock.net.credentials import bare
from mmlock.net.fetching import NetFault
from mmlock.net.html import LenientParser

ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.01, */*;q=0.005"
)
"""What a client should ask an index for, best first."""

_SUFFIXES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")
_SHA256 = re.compile(r"sha256=([0-9a-f]{64})", re.IGNORECASE)
_TORCH = re.compile(r"\d+(?:\.\d+){1,3}\+[a-z0-9.]{1,20}")
_ARCH = re.compile(r"\d{1,2}\.\d[af]?(?:\+PTX)?")
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,198}[A-Za-z0-9])?")
_INDEX_TITLE = re.compile(r"\b(links for|simple index|directory listing|index of)\b", re.IGNORECASE)


class PageProblem(StrEnum):
    """Why a page holds no files of a package."""

    EMPTY = "empty"  # no bytes, or nothing but space
    LOGIN = "login"  # a form that asks who is there
    NOT_INDEX = "not-index"  # some other page
    BROKEN = "broken"  # an index page that cannot be read to its end


class ParseFault(NetFault, frozen=True, kw_only=True):
    """A page that is no index page: which, and what it is."""

    problem: PageProblem
    url: str

    def __post_init__(self) -> None:
        NetFault.__post_init__(self)
        force_setattr(self, "url", bare(self.url))


class IndexPage(Struct, frozen=True, kw_only=True):
    """The files a page lists, in its order."""

    files: tuple[Artifact, ...]
    with_metadata: Mapping[str, Sha256 | None]
    """URLs of the files whose METADATA the index serves by itself, at `URL.metadata` (PEP 658); its hash."""
    built_for: Mapping[str, BuiltFor] = MappingProxyType({})
    """By URL, where the index is one of mmlock's own and says so: `_mmlock` in JSON (PEP 700 leaves keys with
    an underscore to indexes), `data-mmlock-torch` and `data-mmlock-archs` in HTML."""


def parse_simple(data: bytes, content_type: str, url: str) -> tuple[Artifact, ...] | ParseFault:
    """The files of a package's page; `url` is where the page came from, after redirects."""
    page = parse_page(data, content_type, url)
    return page if isinstance(page, ParseFault) else page.files


def parse_page(data: bytes, content_type: str, url: str) -> IndexPage | ParseFault:
    """The page with all it tells. A legal page without any file is a page, not a fault."""
    if not data.strip():
        return ParseFault(problem=PageProblem.EMPTY, url=url, text=f"`{url}` answered with an empty page")
    kind, _, parameters = content_type.lower().partition(";")
    if kind.strip().endswith("json"):
        return _parse_json(data, url)
    return _parse_html(data.decode(_charset(parameters), "replace"), url)


# ---------------------------------------------------------------- JSON


def _parse_json(data: bytes, url: str) -> IndexPage | ParseFault:
    def fault(problem: PageProblem, text: str) -> ParseFault:
        return ParseFault(problem=problem, url=url, text=f"`{url}` {text}")

    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        return fault(PageProblem.BROKEN, f"is no JSON: {error}")
    if not isinstance(document, dict) or not isinstance(document.get("files"), list):
        return fault(PageProblem.NOT_INDEX, "is JSON, but no index page: it has no `files`")
    meta = document.get("meta", {})
    version = str(meta.get("api-version", "1.0")) if isinstance(meta, dict) else "unknown"
    if not version.startswith("1."):
        return fault(PageProblem.BROKEN, f"speaks version {version} of the index interface; 1.x is known")
    files: list[Artifact] = []
    served: dict[str, Sha256 | None] = {}
    built: dict[str, BuiltFor] = {}
    for at, row in enumerate(document["files"]):
        try:
            file = _json_file(row, url)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            return fault(
                PageProblem.BROKEN, f"cannot be read at `files[{at}]`: {type(error).__name__} {error}"
            )
        files.append(file)
        if beside := row.get("core-metadata", row.get("dist-info-metadata")):
            told = beside.get("sha256") if isinstance(beside, dict) else None
            served[file.url] = _sha256(f"sha256={told}")
        if (found := _built_for(row.get("_mmlock"))) is not None:
            built[file.url] = found
    return IndexPage(files=tuple(files), with_metadata=served, built_for=built)


def _built_for(told: object) -> BuiltFor | None:
    """What a wheel was built for; None where that is not said, or cannot be read."""
    torch = told.get("torch") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(torch, str) or not _TORCH.fullmatch(torch):
        return None
    archs = told.get("archs")
    known = isinstance(archs, list) and all(isinstance(a, str) and _ARCH.fullmatch(a) for a in archs)
    return BuiltFor(torch=torch, archs=tuple(archs) if isinstance(archs, list) and known else None)


def parse_projects(data: bytes, content_type: str, url: str) -> frozenset[PackageName] | ParseFault:
    """The projects that the root page of an index lists."""
    if content_type.lower().partition(";")[0].strip().endswith("json"):
        try:
            rows = json.loads(data)["projects"]
            return frozenset(normalize(str(row["name"])) for row in rows)
        except (ValueError, KeyError, TypeError, RecursionError):
            text = f"`{url}` is JSON, but no list of projects"
            return ParseFault(problem=PageProblem.NOT_INDEX, url=url, text=text)
    reader = _SimpleReader()
    reader.feed(data.decode(_charset(content_type), "replace"))
    reader.close()
    if not reader.anchors and (fault := _html_fault(reader, url)):
        return fault
    hrefs = (urldefrag(attributes.get("href") or "").url for attributes in reader.anchors)
    names = (unquote(href.rstrip("/").rpartition("/")[2]) for href in hrefs)
    return frozenset(normalize(name) for name in names if _PROJECT.fullmatch(name))


def _sha256(text: str) -> Sha256 | None:
    found = _SHA256.search(text)
    return Sha256(found[1].lower()) if found else None


def _json_file(row: Mapping[str, Any], base: str) -> Artifact:
    sha256 = row["hashes"].get("sha256")
    return Artifact(
        name=str(row["filename"]),
        url=urldefrag(bare(urljoin(base, row["url"]))).url,  # a lock would hold its login
        sha256=Sha256(sha256.lower()) if sha256 else None,
        size=row.get("size"),
        upload_time=row.get("upload-time"),
        requires_python=row.get("requires-python") or None,
        # A reason is a text; an empty one still means yanked.
        yanked=row.get("yanked", False) is not False,
    )


# ---------------------------------------------------------------- HTML


def _charset(parameters: str) -> str:
    found = re.search(r"charset=[\"']?([\w-]+)", parameters)
    try:
        return codecs.lookup(found[1]).name if found else "utf-8"
    except LookupError:
        return "utf-8"


def _parse_html(text: str, url: str) -> IndexPage | ParseFault:
    reader = _SimpleReader()
    reader.feed(text)
    reader.close()
    base = _base(url, reader.base)
    found = list(_html_files(reader, base))
    if not found and (fault := _html_fault(reader, url)):
        return fault
    return IndexPage(
        files=tuple(file for file, _, _ in found),
        with_metadata={file.url: _sha256(told) for file, told, _ in found if told is not None},
        built_for={file.url: built for file, _, built in found if built is not None},
    )


def _base(url: str, named: str | None) -> str:
    """What links are relative to: the page's own `<base>`, where it is one."""
    try:
        return urljoin(url, named) if named else url
    except ValueError:
        return url


def _html_files(reader: _SimpleReader, base: str) -> Iterator[tuple[Artifact, str | None, BuiltFor | None]]:
    """Files, each with what the page says of metadata beside it and of what it was built for."""
    for attributes in reader.anchors:
        try:
            href, fragment = urldefrag(bare(urljoin(base, attributes.get("href") or "")))
            parts = urlsplit(href)
        except ValueError:  # `http://[` and other things that are no URL
            continue
        name = unquote(parts.path.rpartition("/")[2])
        if not name.endswith(_SUFFIXES) or parts.scheme not in {"http", "https", "file"}:
            continue
        metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata", "false"))
        file = Artifact(
            name=name,
            url=href,
            sha256=_sha256(fragment),
            # In no standard, but some indexes say it in HTML too, and uv reads it.
            upload_time=attributes.get("data-upload-time") or None,
            requires_python=attributes.get("data-requires-python") or None,
            yanked="data-yanked" in attributes,
        )
        words = attributes.get("data-mmlock-archs")
        archs = None if words is None else [word for word in words.split(";") if word]
        built = _built_for({"torch": attributes.get("data-mmlock-torch"), "archs": archs})
        yield file, None if metadata == "false" else metadata or "", built


def _html_fault(reader: _SimpleReader, url: str) -> ParseFault | None:
    """Why a page without files is no index page; None when it is one, only empty."""
    if reader.password:
        return ParseFault(problem=PageProblem.LOGIN, url=url, text=f"`{url}` answered with a login page")
    if reader.repository_version or (_INDEX_TITLE.search(reader.heading) and not reader.anchors):
        return None
    heading = " ".join(reader.heading.split())[:80]
    what = f"a page `{heading}` that lists no files" if heading else "a page that lists no files"
    return ParseFault(
        problem=PageProblem.NOT_INDEX, url=url, text=f"`{url}` is no package index: it answered with {what}"
    )


class _SimpleReader(LenientParser):
    """What of an HTML page matters here."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []
        self.base: str | None = None
        self.heading = ""
        self.password = False
        self.repository_version = False
        self._in_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "a" and attributes.get("href"):
            self.anchors.append(attributes)
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "input":
            self.password |= (attributes.get("type") or "").lower() == "password"
        elif tag == "meta":
            self.repository_version |= attributes.get("name") == "pypi:repository-version"
        elif tag in {"title", "h1"}:
            self._in_heading = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"title", "h1"}:
            self._in_heading = False
            self.heading += " "

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.heading += data
