"""`exclude-newer` in the text of a `mmlock.toml`: for which locks it may move, the text with another date.

A date at the top, or in a table of a pair, is moved. One in a stack or a target is a wish of the project that
these stay as old as that: it is never touched.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from mmlock.core.catalogue import Pair

__all__ = ["KEY", "day_before", "is_later", "movable", "moved"]

KEY = "exclude-newer"


def day_before(now: datetime, age: timedelta) -> str:
    """The start of the last day (UTC) that is at least `age` ago: runs of one day agree on it."""
    then = (now - age).astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    return then.isoformat().replace("+00:00", "Z")


def is_later(date: str, than: str | None) -> bool:
    """Whether a date is later than another; without another, always."""
    return than is None or _read(date) > _read(than)


def _read(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def movable(text: str, pairs: Iterable[Pair]) -> frozenset[str]:
    """The names of the pairs whose date no stack and no target holds."""
    document = tomllib.loads(text.removeprefix("\ufeff"))
    frozen = {kind: _frozen(document.get(kind, {})) for kind in ("stacks", "targets")}
    return frozenset(
        pair.name
        for pair in pairs
        if pair.stack not in frozen["stacks"] and pair.target not in frozen["targets"]
    )


def _frozen(tables: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, table in tables.items() if KEY in table)


def moved(text: str, date: str, pairs: Iterable[str], *, whole: bool) -> str:
    """The text in which these pairs have that date; all else keeps its form.

    `whole`: no other pair would change with that date, so it is the one at the top, and pairs have none of
    their own.
    """
    import tomlkit

    document: Any = tomlkit.parse(text)
    tables: Any = document.get("pairs")
    if whole:
        if KEY in document:
            document[KEY] = date
        else:  # before the first table
            line = f'{KEY} = "{date}"\n'
            document = tomlkit.parse(line + tomlkit.dumps(document))
        tables = document.get("pairs")
        for name in list(tables or ()):
            tables[name].pop(KEY, None)
            if not tables[name]:
                del tables[name]
        if tables is not None and not tables:
            del document["pairs"]
        return tomlkit.dumps(document)
    if tables is None:
        document["pairs"] = tables = tomlkit.table(is_super_table=True)
    for name in pairs:
        if name not in tables:
            tables[name] = tomlkit.table()
        tables[name][KEY] = date
    return tomlkit.dumps(document)
