"""Where the notes of a release are, from what its page on the package index links to. Pure.

Sources: https://docs.pypi.org/api/json/ (`info.project_urls`, `info.home_page`), and for the labels
https://packaging.python.org/specifications/well-known-project-urls/.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

__all__ = ["parse_notes_link"]

# Best first: what tells of one release, then of all, then where releases are made.
_NOTES = ("releasenotes", "changelog", "changes", "whatsnew", "history")
_SOURCES = ("source", "repository", "sourcecode", "github", "homepage")
_IGNORED = str.maketrans("", "", string.punctuation + string.whitespace)
_RELEASES = {"github.com": "/releases", "gitlab.com": "/-/releases", "codeberg.org": "/releases"}
_LONGEST = 500
_OWNER_AND_NAME = 2


class _Info(Struct, frozen=True):
    project_urls: Mapping[str, str | None] | None = None
    home_page: str | None = None


class _Page(Struct, frozen=True):
    info: _Info = _Info()


def parse_notes_link(data: bytes) -> str | None:
    """A page with the notes of releases; None where the JSON of a release names none, or is no such page."""
    try:
        info = msgspec.json.decode(data, type=_Page).info
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    links = {_label(label): url for label, url in (info.project_urls or {}).items() if url}
    if info.home_page:
        links.setdefault("homepage", info.home_page)
    for label in _NOTES:
        if (url := links.get(label)) is not None and _usable(url):
            return url
    for label in _SOURCES:
        if (url := links.get(label)) is not None and (found := _releases(url)) is not None:
            return found
    return None


def _label(text: str) -> str:
    return text.translate(_IGNORED).lower()


def _usable(url: str) -> bool:
    return url.startswith(("https://", "http://")) and len(url) <= _LONGEST and url.isprintable()


def _releases(url: str) -> str | None:
    """The page of releases of a repository on a host that is known to have one."""
    if not _usable(url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    folders = [one for one in parts.path.removesuffix(".git").split("/") if one]
    suffix = _RELEASES.get(parts.netloc.lower().removeprefix("www."))
    if suffix is None or len(folders) < _OWNER_AND_NAME:
        return None
    return f"https://{parts.netloc}/{'/'.join(folders[:_OWNER_AND_NAME])}{suffix}"
