"""Text from outside as Markdown that shows it and does nothing: no mention, link, tag or cell of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

__all__ = ["code", "link", "rows", "size", "text"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@&#8203;", "#": "#&#8203;"}
# Forges look for mentions and issues in the text that is shown: only a space that is not seen parts them.
_ENTITY = re.compile("[&<>@#]")
_BARE_URL = re.compile(r"(?i)\b(https?|ftp):(?=//)|\bwww\.")


def text(value: str) -> str:
    """Prose on one line."""
    plain = _shown(value)
    plain = _SPECIAL.sub(r"\\\1", plain)
    plain = _ENTITY.sub(lambda found: _ENTITIES[found[0]], plain)
    return _BARE_URL.sub(lambda found: found[0][:-1] + ("&#58;" if found[1] else "&#46;"), plain)


def code(value: str) -> str:
    """A name or version as code; a table may hold it."""
    plain = _shown(value).replace("`", "'").replace("|", "\u2223")
    return f"`{plain}`" if plain else ""


def link(value: str, url: str) -> str:
    """Code that leads somewhere; without a scheme that a browser opens safely it leads nowhere."""
    if not url.startswith(("https://", "http://")):
        return code(value)
    return f"[{code(value)}]({quote(url, safe=_IN_URL)})"


_IN_URL = "/:?=&%#@+,;~.-_!$'*"


def rows(head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; its cells are Markdown already."""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for line in lines:
        yield f"| {' | '.join(line)} |"


def size(count: int) -> str:
    """Bytes for people: `1.2 GB`."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _shown(value: str) -> str:
    """On one line, without what cannot be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())
