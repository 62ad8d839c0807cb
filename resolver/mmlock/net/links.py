"""The links of an HTML page, and whether the page came whole."""

from __future__ import annotations

import re
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from msgspec import Struct

from mmlock.net.credentials import bare
from mmlock.net.html import LenientParser

__all__ = ["Anchor", "is_whole", "links"]

_ENDS = (b"</html>", b"<br>", b"<br/>", b"<br />", b"</a>", b"</pre>", b"</body>", b"-->")


class Anchor(Struct, frozen=True, kw_only=True):
    """One link."""

    name: str
    """The last part of its path, decoded; `..` and the like never come out of here as a path."""
    url: str
    fragment: str


class _LinkReader(LenientParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") if tag == "a" else None
        if href:
            self.hrefs.append(href)


def links(page: bytes, base: str) -> tuple[Anchor, ...]:
    """Every link that leads to a page or file of the web, in the order of the page."""
    reader = _LinkReader()
    reader.feed(page.decode("utf-8", "replace"))
    reader.close()
    found = []
    for href in reader.hrefs:
        try:
            url, fragment = urldefrag(bare(urljoin(base, href)))
            parts = urlsplit(url)
        except ValueError:  # `http://[` and other things that are no URL
            continue
        raw = parts.path.rpartition("/")[2]
        name = unquote(raw)
        if parts.scheme in {"http", "https"}:
            # What would be more than a file name when decoded stays as it is, and is no name of anything.
            name = raw if re.search(r"[/\\\x00-\x1f]", name) else name
            found.append(Anchor(name=name, url=url, fragment=fragment))
    return tuple(found)


def is_whole(page: bytes) -> bool:
    """Whether the page ends as pages do: a cut one breaks off in the middle of a tag or before `</html>`."""
    text = page.rstrip().lower()
    if b"<html" in text[:2000]:
        return text.endswith((b"</html>", b"-->"))
    return text.endswith(_ENDS)
