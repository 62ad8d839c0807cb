"""One matrix file as values, or what is wrong with it and where: file, row, key, and what is wanted. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache, lru_cache
from typing import Any, get_args, get_type_hints

import msgspec

from mmlock.core.errors import MatrixError
from mmlock.facts.matrix import model
from mmlock.facts.matrix.layout import Section, key_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["LINT_HINT", "decode", "parse_toml"]

LINT_HINT = "run `mmlock matrix lint` to see every fault of every matrix file at once"
_ROW = re.compile(r"\$\.rows\[(\d+)\]")
_PLACE = re.compile(r"\$\.rows\[\d{1,9}\]([^`$]*)`")
_BYTE = re.compile(r"\(byte (\d+)\)")


@lru_cache(maxsize=64)
def parse_toml(data: bytes) -> Mapping[str, Any]:
    """A TOML document, to be read and not changed: a lint wants each several times. Raises ValueError."""
    return tomllib.loads(data.decode())


@cache
def _decoder(row: type) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(model.Document[row])  # type: ignore[valid-type]


def decode(section: Section, path: str, data: bytes) -> model.Document[Any]:
    """One matrix file as values. Raises MatrixError naming the file, the row and the fault."""
    try:
        if not section.curated:
            document: model.Document[Any] = _decoder(section.row).decode(data)
        else:
            document = msgspec.convert(
                parse_toml(data),
                model.Document[section.row],  # type: ignore[name-defined]
            )
    except (ValueError, RecursionError) as error:
        raise MatrixError(
            f"matrix file `{path}` is broken", causes=[_explain(section, data, error)], hints=[LINT_HINT]
        ) from error
    if document.schema != section.name:
        raise MatrixError(
            f"matrix file `{path}` states schema `{document.schema}`, not `{section.name}`",
            hints=["this mmlock and this matrix folder are of different releases", LINT_HINT],
        )
    return document


def _explain(section: Section, data: bytes, error: Exception) -> str:
    """What is wrong and where, with the key of the row when it can still be read."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}"
    if isinstance(error, msgspec.ValidationError):
        row = _ROW.search(str(error))
        key = _raw_key(section, data, int(row[1])) if row else None
        text = f"{error} (row `{key}`)" if key else str(error)
        return "; ".join((text, *_expected(section, str(error))))
    if isinstance(error, msgspec.DecodeError) and (byte := _BYTE.search(str(error))):
        line = data.count(b"\n", 0, int(byte[1])) + 1
        return f"{error}, line {line}"
    return str(error) or type(error).__name__


def _raw_key(section: Section, data: bytes, index: int) -> str | None:
    """The key of a row that does not fit its type, from the bare document."""
    try:
        raw = parse_toml(data) if section.curated else msgspec.json.decode(data)
        row = raw["rows"][index]
    except (ValueError, LookupError, TypeError):
        return None
    return key_text(section.key, row) if isinstance(row, dict) else None


def _expected(section: Section, fault: str) -> Iterator[str]:
    """The words that may be where a word of a closed vocabulary is wrong."""
    if not fault.startswith("Invalid enum value") or (place := _PLACE.search(fault)) is None:
        return
    kind: Any = section.row
    for name in re.findall(r"\.(\w+)", place[1]):
        kind = get_type_hints(kind).get(name)
        kind = next((one for one in (kind, *_inner(kind)) if _is_class(one, (Enum, msgspec.Struct))), None)
        if kind is None:
            return
    if _is_class(kind, (Enum,)):
        yield "expected one of " + ", ".join(f"`{word.value}`" for word in kind)


def _inner(kind: Any) -> Iterator[Any]:
    """Every type that is inside of another: of `tuple[When, ...] | None` both When and None."""
    for one in get_args(kind):
        yield one
        yield from _inner(one)


def _is_class(kind: Any, bases: tuple[type, ...]) -> bool:
    return isinstance(kind, type) and issubclass(kind, bases)
