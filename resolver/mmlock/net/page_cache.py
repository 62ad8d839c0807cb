"""Pages as they were fetched, kept in a folder: one line of JSON, then the body."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from mmlock.core.json_object import json_object
from mmlock.files.atomic import write_aside
from mmlock.net.credentials import bare
from mmlock.net.fetching import Fetched


class Known(Struct, frozen=True, kw_only=True):
    """A page from the cache, and when it was stored (seconds of the epoch)."""

    stored: float
    page: Fetched


class PageCache(Struct, frozen=True):
    """A folder of pages. An entry may be lost or broken at any time: then it is fetched again."""

    folder: Path

    def load(self, url: str, accept: str) -> Known | None:
        """The stored page; None when there is none or it is broken."""
        url = bare(url)
        try:
            head, _, body = self._path(url, accept).read_bytes().partition(b"\n")
            row = json_object(head)
            if row["url"] != url or row["sha256"] != sha256(body).hexdigest():
                return None
            page = Fetched(
                url=row["final"],
                content_type=row["type"],
                body=body,
                etag=row["etag"],
                modified=row.get("modified"),
            )
            return Known(stored=float(row["stored"]), page=page)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def store(self, url: str, accept: str, page: Fetched, now: float) -> None:
        """Keep a page. A cache that cannot be written is no reason to fail."""
        url = bare(url)
        head = {"url": url, "final": bare(page.url), "type": page.content_type, "etag": page.etag}
        head |= {"modified": page.modified, "sha256": sha256(page.body).hexdigest()}
        line = json.dumps({**head, "stored": now}).encode()
        try:
            write_aside(self._path(url, accept), line + b"\n" + page.body)
        except OSError:
            return

    def _path(self, url: str, accept: str) -> Path:
        name = sha256(f"{accept} {url}".encode()).hexdigest()
        return self.folder / name[:2] / name
