"""When an index was last read whole: kept beside the cache, for the facts change only when they differ."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path

from mmlock.files.atomic import write_aside

__all__ = ["LastRead", "age", "is_recorded", "last_seen"]

_DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")


class LastRead:
    """Index -> the moment it was last read whole, for one matrix folder."""

    def __init__(self, cache: Path, root: Path) -> None:
        name = sha256(str(root.resolve()).encode()).hexdigest()[:16]
        self._path = cache / f"seen-{name}.json"
        try:
            loaded = json.loads(self._path.read_bytes())
            self._times = {str(key): str(value) for key, value in loaded.items()}
        except (OSError, ValueError, RecursionError, AttributeError):
            self._times = {}

    def when(self, index: str) -> str | None:
        """ISO 8601; None when it is not known."""
        return self._times.get(index)

    def note(self, index: str) -> None:
        """The index was read whole just now."""
        self._times[index] = datetime.now(tz=timezone.utc).isoformat(timespec="seconds")

    def save(self) -> None:
        """Keep it. A cache that cannot be written is no reason to fail."""
        try:
            write_aside(self._path, json.dumps(self._times, sort_keys=True).encode())
        except OSError:
            return


def last_seen(root: Path, patterns: Iterable[str], marks: Collection[str] = ()) -> str | None:
    """The newest day that the sources of some matrix files name: their facts are not younger.

    `marks`: keys of the sources that come of reading the index; empty: all do. A page of someone else that
    was read yesterday says nothing of the index.
    """
    days: list[str] = []
    for pattern in patterns:
        for path in root.glob(pattern):
            try:
                with path.open("rb") as file:
                    head = file.readline(1 << 20)
                sources = json.loads(head.rstrip() + b"]}")["sources"]
                texts = [str(text) for key, text in sources.items() if not marks or key in marks]
            except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
                continue
            days += _DAY.findall(" ".join(texts))
    return max(days, default=None)


def is_recorded(root: Path, patterns: Iterable[str]) -> bool:
    """Whether there are any facts of an index at all."""
    return any(True for pattern in patterns for _ in root.glob(pattern))


def age(moment: str | None) -> str:
    """`12 days old (2026-11-09)`."""
    if moment is None:
        return "of unknown age"
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return "of unknown age"
    then = then if then.tzinfo else then.replace(tzinfo=timezone.utc)
    days = max(0, (datetime.now(tz=timezone.utc) - then).days)
    old = "less than a day" if not days else "1 day" if days == 1 else f"{days} days"
    return f"{old} old ({moment[:10]})"
