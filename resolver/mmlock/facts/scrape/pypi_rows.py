"""The files of a page as rows: what is known of them stays, what the page says now is laid over it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from mmlock.core.artifact import Artifact
from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix.model import File

__all__ = ["Detail", "ListedFiles", "details", "home", "listing"]


_PYPI_FOLDERS = re.compile(r"/packages/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}/[^/?#]+$")


class Detail(Struct, frozen=True, kw_only=True):
    """What the JSON API says of a file and a page in HTML does not."""

    sha256: str | None
    size: int | None
    upload_time: str | None
    yanked: bool


class ListedFiles(Struct, frozen=True, kw_only=True):
    """The rows of a page, and what on it is not believed."""

    rows: tuple[File, ...]
    warnings: tuple[str, ...]


def details(data: bytes) -> dict[str, Detail]:
    """File name -> detail, from `/pypi/NAME/json`; empty when it is no such page."""
    try:
        releases = json.loads(data)["releases"]
        entries = [entry for found in releases.values() for entry in found]
        return {str(entry["filename"]): _detail(entry) for entry in entries}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return {}


def _detail(entry: Mapping[str, Any]) -> Detail:
    size, digest = entry.get("size"), (entry.get("digests") or {}).get("sha256")
    return Detail(
        sha256=digest if isinstance(digest, str) else None,
        size=size if isinstance(size, int) and size > 0 else None,
        upload_time=entry.get("upload_time_iso_8601") or None,
        yanked=entry.get("yanked") is True,
    )


def listing(
    files: Sequence[Artifact], known: Sequence[File], more: Mapping[str, Detail], source: str
) -> ListedFiles:
    """Rows for files. A hash that differs from the recorded one is never taken: a file cannot change."""
    recorded = {row.name: row for row in known}
    rows: dict[str, File] = {}
    warnings = []
    for file in files:
        old, detail = recorded.get(file.name), more.get(file.name)
        hashes = {old.sha256 if old else None, file.sha256, detail.sha256 if detail else None} - {None}
        if len(hashes) > 1 or not re.fullmatch(r"[0-9a-f]{64}", next(iter(hashes), "0" * 64) or ""):
            warnings.append(f"{file.name}: its pages state different hashes; the known one is kept")
            if old is not None:
                rows[file.name] = old
            continue
        url = old.url if old else home(file.url)
        if not url.startswith("https://"):
            warnings.append(f"{file.name}: `{url}` is no https URL, and a lock would hold it; it is left out")
            continue
        rows[file.name] = _again(old, file, detail) if old else _new(file, url, detail, source)
    return ListedFiles(rows=tuple(rows.values()), warnings=tuple(warnings))


def _again(old: File, file: Artifact, detail: Detail | None) -> File:
    """A known file: its address and times stay, whichever mirror was asked."""
    return structs.replace(
        old,
        sha256=old.sha256 or file.sha256,
        size=old.size or file.size or (detail.size if detail else None),
        upload_time=old.upload_time or file.upload_time or (detail.upload_time if detail else None),
        # A file cannot change what it asks for; a page may leave it out, as PyTorch's does.
        requires_python=file.requires_python or old.requires_python,
        yanked=file.yanked or bool(detail and detail.yanked),
    )


def home(url: str) -> str:
    """The address of a file on PyPI itself, where a mirror keeps its folders: they are hashes of the file."""
    found = _PYPI_FOLDERS.search(url)
    return f"https://files.pythonhosted.org{found[0]}" if found else url


def _new(file: Artifact, url: str, detail: Detail | None, source: str) -> File:
    digest = file.sha256 or (Sha256(detail.sha256) if detail and detail.sha256 else None)
    return File(
        name=file.name,
        url=url,
        sha256=digest,
        size=file.size or (detail.size if detail else None),
        requires_python=file.requires_python,
        yanked=file.yanked or bool(detail and detail.yanked),
        source=(source,),
        confidence=Confidence.CAPTURED,
        upload_time=file.upload_time or (detail.upload_time if detail else None),
    )
