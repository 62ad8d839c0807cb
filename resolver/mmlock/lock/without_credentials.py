"""A locked environment without the logins that its URLs were given with: locks are committed and shared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import StrEnum
from mmlock.net.credentials import bare

__all__ = ["without_credentials"]

Value = TypeVar("Value", bound=Struct)

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s]+")


def without_credentials(value: Value) -> Value:
    """The value with user and password taken out of every URL in every text of it, sentences included."""
    changed = {
        name: new
        for name in value.__struct_fields__
        if (new := _cleaned(old := getattr(value, name))) is not old
    }
    return replace(value, **changed) if changed else value


def _cleaned(value: Any) -> Any:
    """The very value where nothing had to go."""
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return _URL.sub(lambda found: bare(found[0]), value) if "@" in value and "://" in value else value
    if isinstance(value, Struct):
        return without_credentials(value)
    if isinstance(value, tuple):
        items = tuple(_cleaned(item) for item in value)
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, Mapping):
        table = {key: _cleaned(item) for key, item in value.items()}
        return table if any(table[key] is not value[key] for key in table) else value
    return value
