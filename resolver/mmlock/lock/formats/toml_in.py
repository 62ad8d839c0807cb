"""Reading a TOML document we wrote: typed getters that say *where* a value is wrong.

Faults are collected, so that a person sees all of them at once: a getter that fails notes the fault
and gives an empty value, and `Cursor.check` raises at the end.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from mmlock.core.errors import UsageError
from mmlock.core.names import Sha256, StrEnum

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Cursor", "open_toml"]

_HEX = re.compile(r"[0-9a-f]{64}\Z")
_SHOWN = 12

Choice = TypeVar("Choice", bound=StrEnum)


class Cursor:
    """A table inside a document, and the path that leads to it."""

    __slots__ = ("_data", "_faults", "_file", "_path")

    def __init__(self, data: Mapping[str, Any], *, file: str, path: str = "", faults: list[str]) -> None:
        self._data = data
        self._file = file
        self._path = path
        self._faults = faults

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def keys(self) -> list[str]:
        return list(self._data)

    def where(self, key: str) -> str:
        """The path of a key: `packages[2].wheels[0].url`."""
        return f"{self._path}.{key}" if self._path else key

    def fault(self, key: str, text: str) -> None:
        """Note that the value at `key` is not what it must be."""
        self._faults.append(f"`{self.where(key)}` {text}")

    def faults(self, found: Iterable[tuple[str, str]]) -> None:
        """Note several, each as the key below this table and what is wrong there."""
        for key, text in found:
            self.fault(key, text)

    def check(self) -> None:
        """Raise UsageError with every fault noted so far, if there is any."""
        if not self._faults:
            return
        shown = self._faults[:_SHOWN]
        if more := len(self._faults) - len(shown):
            shown.append(f"and {more} more")
        raise UsageError(
            f"`{self._file}` is not a file that this mmlock can read",
            causes=shown,
            hints=["it was edited or written by another version: run `mmlock solve` again to rewrite it"],
        )

    # ------------------------------------------------------------ getters

    def text(self, key: str) -> str:
        value = self._data.get(key)
        if isinstance(value, str):
            self._plain(key, value)
            return value
        self._wrong(key, "a string")
        return ""

    def maybe_text(self, key: str) -> str | None:
        return self.text(key) if key in self._data else None

    def flag(self, key: str) -> bool:
        value = self._data.get(key)
        if isinstance(value, bool):
            return value
        self._wrong(key, "true or false")
        return False

    def number(self, key: str) -> int:
        value = self._data.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self._wrong(key, "a whole number")
        return 0

    def maybe_number(self, key: str) -> int | None:
        return self.number(key) if key in self._data else None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; nothing when the key is absent."""
        value = self._data.get(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            self._plain(key, *value)
            return tuple(value)
        self._wrong(key, "a list of strings")
        return ()

    def mapping(self, key: str) -> dict[str, str]:
        """A table of strings; nothing when the key is absent."""
        value = self._data.get(key, {})
        if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            self._plain(key, *value, *value.values())
            return dict(value)
        self._wrong(key, "a table of strings")
        return {}

    def table(self, key: str) -> Cursor:
        value = self._data.get(key)
        if not isinstance(value, dict):
            self._wrong(key, "a table")
            value = {}
        return Cursor(value, file=self._file, path=self.where(key), faults=self._faults)

    def tables(self, key: str) -> list[Cursor]:
        """A list of tables; nothing when the key is absent."""
        value = self._data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._wrong(key, "a list of tables")
            return []
        return [
            Cursor(item, file=self._file, path=f"{self.where(key)}[{index}]", faults=self._faults)
            for index, item in enumerate(value)
        ]

    def choice(self, key: str, words: type[Choice]) -> Choice:
        """A word of a closed vocabulary."""
        value = self._data.get(key)
        for word in words:
            if value == word.value:
                return word
        self.fault(key, f"is {value!r}, not one of {', '.join(word.value for word in words)}")
        return next(iter(words))

    def sha256(self, key: str) -> Sha256:
        text = self.text(key)
        if text and not _HEX.match(text):
            self.fault(key, "is not 64 lower-case hex digits")
        return Sha256(text)

    def moment(self, key: str) -> str | None:
        """A date-time as ISO 8601 with `Z`."""
        value = self._data.get(key)
        if value is None:
            return None
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.isoformat().replace("+00:00", "Z")
        self._wrong(key, "a date-time with its zone")
        return None

    def _plain(self, key: str, *texts: str) -> None:
        """No program takes a null character in a word or a file name: it would end there."""
        if any("\0" in text for text in texts):
            self.fault(key, "contains a null character")

    def _wrong(self, key: str, wanted: str) -> None:
        self.fault(key, f"must be {wanted}" if key in self._data else f"is missing; it must be {wanted}")


def open_toml(text: str, file: str) -> Cursor:
    """The document as a cursor at its root. Raises UsageError when it is no TOML."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(
            f"`{file}` is not TOML",
            causes=[str(error) or type(error).__name__],
            hints=["run `mmlock solve` again to rewrite it"],
        ) from error
    return Cursor(data, file=file, faults=[])
