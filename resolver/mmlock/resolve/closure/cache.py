"""Answers of the closure, kept so that an unchanged question starts nothing.

An entry may be lost or broken at any time: it is then computed again. Two processes may write the
same entry: both write aside and rename.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.cache import FRESH_SECONDS, fresh_seconds, unheard
from mmlock.files.atomic import write_aside
from mmlock.files.private import open_cache
from mmlock.resolve.closure.model import Closed, ClosureConflict, ClosureRequest

_FORMAT = 3
"""Raised whenever the same question would be answered differently by newer code."""

_KEPT = 30 * 86400.0


class _CacheEntry(Struct, frozen=True, kw_only=True):
    digest: str
    stored: float
    closed: Closed | None = None
    refused: ClosureConflict | None = None


def request_digest(request: ClosureRequest, *facts: str) -> str:
    """What names the answer: the request (whether online or not) and what else it depends on."""
    question = msgspec.json.encode([_FORMAT, replace(request, offline=False), *facts])
    return sha256(question).hexdigest()


class ClosureCache:
    """A folder of answers."""

    def __init__(
        self,
        folder: Path,
        *,
        ttl: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.time,
        served: Callable[[float], object] = unheard,
    ) -> None:
        self.folder = folder
        self._ttl = ttl
        self._clock = clock
        self._served = served
        """Told when an answer that is given out was stored."""

    @classmethod
    def of_user(
        cls, environ: Mapping[str, str], *, served: Callable[[float], object] = unheard
    ) -> ClosureCache:
        """The cache of the user whose environment this is."""
        return cls(open_cache(environ) / "closure", ttl=fresh_seconds(environ), served=served)

    def load(self, digest: str, *, any_age: bool = False) -> Closed | ClosureConflict | None:
        """The stored answer; None when there is none, it is broken, or too old."""
        try:
            entry = msgspec.json.decode(self._path(digest).read_bytes(), type=_CacheEntry)
        except (OSError, msgspec.DecodeError):
            return None
        if entry.digest != digest or not (any_age or abs(self._clock() - entry.stored) < self._ttl):
            return None
        self._served(entry.stored)
        return replace(entry.closed, from_cache=True) if entry.closed else entry.refused

    def store(self, digest: str, answer: Closed | ClosureConflict) -> None:
        """Keep an answer. A cache that cannot be written is no reason to fail."""
        entry = _CacheEntry(
            digest=digest,
            stored=self._clock(),
            closed=answer if isinstance(answer, Closed) else None,
            refused=answer if isinstance(answer, ClosureConflict) else None,
        )
        with suppress(OSError):
            path = self._path(digest)
            write_aside(path, msgspec.json.encode(entry))
            self._prune(path.parent)

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.json"

    def _prune(self, shard: Path) -> None:
        """Drop what nobody asked for in a month, in the one shard that was written."""
        for path in shard.iterdir():
            with suppress(OSError):
                if self._clock() - path.stat().st_mtime > _KEPT:
                    path.unlink()
