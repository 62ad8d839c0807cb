"""Sets of releases as ranges: `2.25.0..2.28.2`, `3.0.0..` (to the newest), `..` (all)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mmlock.core.versions import InvalidVersion, version

__all__ = ["Spans", "in_order"]


def in_order(releases: Sequence[str]) -> tuple[str, ...]:
    """Releases, oldest first."""
    return tuple(sorted(releases, key=version))


class Spans:
    """The releases of one file, oldest first, and sets of them as bit masks."""

    def __init__(self, releases: Sequence[str]) -> None:
        self.releases = tuple(releases)
        self.place = {text: at for at, text in enumerate(self.releases)}
        self._by_version = {version(text): at for at, text in enumerate(self.releases)}
        self.all = (1 << len(self.releases)) - 1
        self._mask = lru_cache(maxsize=None)(self._parsed)

    def text(self, mask: int) -> str:
        """A set as ranges. A range that ends at the newest release stays open, for those that will come."""
        if mask == self.all:
            return ".."
        parts, at, count = [], 0, len(self.releases)
        while at < count:
            if not mask >> at & 1:
                at += 1
                continue
            end = at
            while end + 1 < count and mask >> (end + 1) & 1:
                end += 1
            first = self.releases[at] if at else ""
            last = self.releases[end] if end + 1 < count else ""
            parts.append(self.releases[at] if at == end and at and last else f"{first}..{last}")
            at = end + 1
        return ",".join(parts)

    def mask(self, text: str) -> int:
        """The set that ranges mean. Raises ValueError."""
        return self._mask(text)

    def _parsed(self, text: str) -> int:
        found = 0
        for part in text.split(","):
            first, dots, last = part.partition("..")
            start = self._at(first) if first else 0
            end = (self._at(last) if last else len(self.releases) - 1) if dots else start
            if not part or end < start:
                raise ValueError(f"`{part}` is no range of releases")
            found |= (1 << (end + 1)) - (1 << start)
        return found

    def _at(self, text: str) -> int:
        place = self.place.get(text)
        if place is None:
            raise ValueError(f"`{text}` is no release of this file")
        return place

    def bit(self, release: str) -> int:
        """The mask of one release, however it is spelled; 0 where it was not read."""
        try:
            place = self._by_version.get(version(release))
        except InvalidVersion:
            return 0
        return 0 if place is None else 1 << place

    def versions(self, mask: int) -> tuple[str, ...]:
        """The releases of a set, oldest first."""
        return tuple(text for at, text in enumerate(self.releases) if mask >> at & 1)
