"""Hashes of wheels whose index publishes none, as lock files that others published state them. Pure.

A file is what its URL says: one name has other bytes in other directories. One lock is enough, and is named
as the source: a wrong hash makes a download fail, it lets no other bytes in. Locks that differ seal nothing.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct, structs

from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix.model import File
from mmlock.facts.scrape import openmmlab, pytorch
from mmlock.facts.scrape.pytorch_files import VARIANT
from mmlock.facts.scrape.tags import wheel_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["LockStatement", "UnreadableLock", "home", "laid_over", "section_of", "statements"]

GITHUB = "github-releases"
"""Stands for a package in `files/`: wheels that projects attach to their releases on GitHub."""

_COMPANIONS = frozenset({"torch", "torchvision", "torchaudio"})
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_RELEASE = re.compile(r"/[^/]+/[^/]+/releases/download/[^/]+/[^/]+\.whl")
_PYTORCH_HOSTS = frozenset({"download.pytorch.org", "download-r2.pytorch.org"})
"""Both serve the same files; locks of 2026 name the second."""


class UnreadableLock(Exception):
    """Bytes that are no lock file of a kind that states URLs; the text says why."""


class LockStatement(Struct, frozen=True, kw_only=True):
    """A lock says that the file at this URL has this hash."""

    url: str
    sha256: Sha256
    source: str
    """Key of the source: one for each lock."""


def statements(data: bytes, source: str) -> tuple[LockStatement, ...]:
    """What `uv.lock`, `pylock.toml` or a JSON list of `url` and `sha256` says. Raises UnreadableLock."""
    try:
        document = _document(data.decode())
    except (ValueError, RecursionError) as fault:
        raise UnreadableLock(f"neither TOML nor a JSON list: {fault}") from fault
    pairs = _listed(document) if isinstance(document, list) else _locked(document)
    told = tuple(
        LockStatement(url=home(url), sha256=Sha256(match[1]), source=source)
        for url, digest in pairs
        if (match := _SHA256.fullmatch(digest)) and section_of(home(url)) is not None
    )
    return tuple(dict.fromkeys(told))


def _document(text: str) -> Any:
    """A TOML table or a JSON list. Raises ValueError or RecursionError."""
    try:
        return tomllib.loads(text)
    except ValueError:
        found = json.loads(text)
        if not isinstance(found, list):
            raise
        return found


def _listed(rows: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for row in rows:
        pair = (row.get("url"), row.get("sha256")) if isinstance(row, dict) else (None, None)
        if isinstance(pair[0], str) and isinstance(pair[1], str):
            yield pair[0], pair[1]


def _locked(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """URL and hash of each wheel; uv writes `package` and `hash`, PEP 751 `packages` and `hashes`."""
    packages = document.get("package") or document.get("packages")
    if not isinstance(packages, list):
        raise UnreadableLock("it has neither `package` (uv.lock) nor `packages` (pylock.toml)")
    for package in packages:
        wheels = package.get("wheels") if isinstance(package, dict) else None
        for wheel in wheels if isinstance(wheels, list) else ():
            if not isinstance(wheel, dict):
                continue
            hashes = wheel.get("hashes")
            digest = hashes.get("sha256") if isinstance(hashes, dict) else wheel.get("hash")
            if isinstance(digest, str) and isinstance(wheel.get("url"), str):
                yield wheel["url"], digest


def home(url: str) -> str:
    """A URL as this matrix writes it: by https, at the index's own host, without query, `+` escaped."""
    parts = urlsplit(url)
    host = "download.pytorch.org" if parts.netloc in _PYTORCH_HOSTS else parts.netloc
    return f"https://{host}{quote(unquote(parts.path))}"


def section_of(url: str) -> str | None:
    """The file of `files/` that keeps wheels of this place; None for places that no lock of ours uses."""
    parts = urlsplit(url)
    name = wheel_name(unquote(parts.path).rpartition("/")[2])
    if name is None or name.platform is None:
        return None
    if url.startswith(f"{pytorch.BASE}/"):
        variant = name.version.partition("+")[2]
        folder = parts.path.split("/")[2:-1]
        served = name.name in _COMPANIONS and VARIANT.fullmatch(variant) and folder == [variant]
        return "pytorch-index" if served else None
    if url.startswith(f"{openmmlab.BASE}/"):
        folder_name = parts.path.removeprefix(urlsplit(openmmlab.BASE).path).strip("/").rpartition("/")[0]
        return "openmmlab-index" if openmmlab.is_directory(folder_name) else None
    return GITHUB if parts.netloc == "github.com" and _RELEASE.fullmatch(unquote(parts.path)) else None


def laid_over(
    known: Sequence[File], stated: Iterable[LockStatement]
) -> tuple[tuple[File, ...], tuple[str, ...]]:
    """Rows with what the locks state, and a sentence for each URL on which they differ.

    A hash that an index or a copy on disk told is not withdrawn for a lock that says otherwise.
    """
    by_url: dict[str, dict[Sha256, list[str]]] = {}
    for one in stated:
        by_url.setdefault(one.url, {}).setdefault(one.sha256, []).append(one.source)
    rows = {row.url: row for row in known}
    warnings = []
    for url, claims in sorted(by_url.items()):
        row = _row(rows.get(url), url, claims)
        if len(claims) > 1 or (row.sha256 is not None and row.sha256 not in claims) or row.disputed:
            warnings.append(f"`{url}`: {', '.join(sorted({*claims, *row.disputed}))} are stated for it")
        rows[url] = row
    return tuple(rows.values()), tuple(warnings)


def _row(old: File | None, url: str, claims: Mapping[Sha256, Sequence[str]]) -> File:
    keys = tuple(sorted({key for found in claims.values() for key in found}))
    if old is None:
        name = unquote(urlsplit(url).path).rpartition("/")[2]
        old = File(
            name=name,
            url=url,
            sha256=None,
            size=None,
            requires_python=None,
            yanked=False,
            source=keys,
            confidence=Confidence.CAPTURED,
        )
        hashes = set(claims)
    else:
        hashes = {*claims, *old.disputed, *([old.sha256] if old.sha256 else [])}
    if len(hashes) == 1:
        sources = old.source if old.sha256 else keys
        more = tuple(key for key in keys if key not in sources) if old.sha256 else ()
        return structs.replace(old, sha256=next(iter(hashes)), source=(*sources, *more))
    if old.sha256 is not None and old.confidence is Confidence.MEASURED:
        return old
    return structs.replace(
        old,
        sha256=None,
        disputed=tuple(sorted(hashes)),
        source=tuple(dict.fromkeys((*old.source, *keys))),
    )
