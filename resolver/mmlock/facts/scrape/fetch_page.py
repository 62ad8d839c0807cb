"""How an index says what it wants to read: the seam between pure scrapers and the one fetch loop.

A scraper is a generator: it yields a batch of requests, is sent the answers in the same order, and returns
what it found. It opens nothing itself, so a test answers it with bytes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from msgspec import Struct

from mmlock.core.names import Sha256
from mmlock.facts.matrix.merge import Facts
from mmlock.net.fetching import Fetched, FetchFault

__all__ = ["Answer", "FetchPage", "Get", "Scrape", "Scraped", "WheelMember", "WholeFile"]


class Get(Struct, frozen=True, kw_only=True):
    """A page, whole."""

    url: str
    accept: str = "*/*"


class WheelMember(Struct, frozen=True, kw_only=True):
    """One member of a remote wheel: read by range. Its bytes never change, so they are kept."""

    url: str
    member: str
    """A regular expression for the path of the member."""
    beside: str | None = None
    """Where the index serves the same bytes by themselves (PEP 658)."""
    beside_sha256: Sha256 | None = None
    """What the index says that these bytes are."""
    whole: bool = False
    """Whether the whole wheel may be fetched, and nothing less; a small one."""


class WholeFile(Struct, frozen=True, kw_only=True):
    """A whole file whose hash is known. It is checked, and kept by its hash."""

    url: str
    sha256: Sha256


FetchPage = Get | WheelMember | WholeFile
Answer = Fetched | FetchFault


class Scraped(Struct, frozen=True, kw_only=True):
    """What a scraper brings home."""

    facts: tuple[Facts, ...] = ()
    stale: tuple[str, ...] = ()
    """What could not be read, each with its reason: the old facts about it stay."""
    warnings: tuple[str, ...] = ()
    """What was read and is not believed or not understood."""
    read: int = 0
    """Pages that could be read; 0 with something stale is an outage."""


Scrape = Generator[Sequence[FetchPage], Sequence[Answer], Scraped]
