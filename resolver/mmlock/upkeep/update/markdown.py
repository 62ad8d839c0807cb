"""Text from outside as Markdown that shows it and does nothing: no mention, link, tag or cell of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

__all__ = ["code", "cut", "link", "more_of", "rows", "size", "text"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@&#8203;", "#": "#&#8203;"}
# Forges look for mentions and issues in the text that is shown: only a space that is not seen parts them.
_ENTITY = re.compile("[&<>@#]")
_BARE_URL = re.compile(r"(?i)\b(https?|ftp):(?=//)|\bwww\.")


def text(value: str) -> str:
    """Prose on one line; what stands in backticks is code."""
    parts = _shown(value).split("`")
    if len(parts) % 2 == 0:  # one of them has no other
        return _prose("`".join(parts))
    shown = [code(part) if place % 2 else _prose(part) for place, part in enumerate(parts)]
    return "".join(shown).replace("``", "` `")


def _prose(plain: str) -> str:
    plain = _SPECIAL.sub(r"\\\1", plain)
    plain = _ENTITY.sub(lambda found: _ENTITIES[found[0]], plain)
    return _BARE_URL.sub(lambda found: found[0][:-1] + ("&#58;" if found[1] else "&#46;"), plain)


def code(value: str) -> str:
    """A name or version as code; a table may hold it."""
    plain = _shown(value).replace("`", "'").replace("|", "\u2223")
    return f"`{plain}`" if plain else ""


def link(value: str, url: str, *, plain: bool = False) -> str:
    """Code that leads somewhere; without a scheme that a browser opens safely it leads nowhere.

    `plain`: prose, not code.
    """
    shown = text(value) if plain else code(value)
    if not url.startswith(("https://", "http://")):
        return shown
    return f"[{shown}]({quote(url, safe=_IN_URL)})"


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


def cut(lines: Iterable[str], count: int, most: int) -> Iterator[str]:
    """At most so many of the lines, and how many were left out."""
    for place, line in enumerate(lines):
        if place >= most:
            break
        yield line
    yield from more_of(count - most, "lines")


def more_of(count: int, of: str) -> Iterator[str]:
    """That so many are left out, where there are any."""
    if count > 0:
        yield ""
        yield f"*and {count} more {of}, cut here; the files of the branch have them*"


def _shown(value: str) -> str:
    """On one line, without what cannot be seen."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())
