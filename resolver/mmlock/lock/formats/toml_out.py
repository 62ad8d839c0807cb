"""TOML as text, laid out for review: one package per block, one file per line, stable bytes.

A plain mapping becomes a `[table]`, an `Inline` one stays on its line, a list of plain mappings
becomes `[[tables]]`, a list of `Inline` ones an array with one item per line. Keys keep the order
they are given in; a key that is a `Comment` is printed as one and its value is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["Bare", "Comment", "Inline", "dumps"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")
_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r",
}  # fmt: skip
# Control characters may not stand in a TOML string; U+2028 and friends may, but break reviews.
_UNSAFE = re.compile('["\\\\\x00-\x1f\x7f\x85\u2028\u2029]')
_UNSAFE_COMMENT = re.compile("[\x00-\x1f\x7f]")
_WIDTH = 100


class Inline(dict[str, Any]):
    """A table that is written on one line."""


class Bare(str):
    """A value that is TOML already, such as a date-time."""

    __slots__ = ()


class Comment(str):
    """A key that stands for a comment in front of what follows."""

    __slots__ = ()


def dumps(document: Mapping[str, Any]) -> str:
    """The document as TOML text, ending in a newline."""
    lines = list(_table(document, ()))
    return "\n".join(lines).strip("\n") + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    tables = [(key, value) for key, value in table.items() if _is_block(value)]
    for key, value in table.items():
        if isinstance(key, Comment):
            yield from (f"# {_UNSAFE_COMMENT.sub(' ', line)}".rstrip() for line in key.splitlines())
        elif not _is_block(value):
            yield f"{_key(key)} = {_value(value)}"
    for key, value in tables:
        inner = (*path, key)
        name = ".".join(_key(part) for part in inner)
        many = not isinstance(value, Mapping)
        for item in value if many else (value,):
            if many or not _only_blocks(item):
                yield ""
                yield f"[[{name}]]" if many else f"[{name}]"
            yield from _table(item, inner)


def _is_block(value: object) -> bool:
    """Whether the value gets a header of its own."""
    if isinstance(value, Mapping):
        return not isinstance(value, Inline)
    return isinstance(value, (list, tuple)) and bool(value) and _is_block(value[0])


def _only_blocks(table: Mapping[str, Any]) -> bool:
    """Whether the headers below it already say that the table exists."""
    return bool(table) and all(_is_block(value) for value in table.values())


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) else _string(key)


def _value(value: object) -> str:
    if isinstance(value, Bare):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return _inline(value)
    if isinstance(value, (list, tuple)):
        return _array(value)
    raise TypeError(f"TOML cannot hold {type(value).__name__}")


def _inline(table: Mapping[str, object]) -> str:
    items = ", ".join(f"{_key(key)} = {_flat(item)}" for key, item in table.items())
    return f"{{ {items} }}" if items else "{}"


def _array(items: Sequence[object]) -> str:
    """On one line while it is short and plain, else an item a line."""
    flat = _flat(items)
    if len(flat) <= _WIDTH and not any(isinstance(item, Mapping) for item in items):
        return flat
    return "\n".join(["[", *(f"    {_flat(item)}," for item in items), "]"])


def _flat(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_flat(item) for item in value)}]"
    return _value(value)


def _string(text: str) -> str:
    if _UNSAFE.search(text):
        text = _UNSAFE.sub(lambda match: _escape(match[0]), text)
    return f'"{text}"'


def _escape(character: str) -> str:
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"
