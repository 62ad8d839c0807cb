"""What fetching asks and answers: the seam between readers of pages and the client."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from mmlock.core.names import StrEnum


class FetchProblem(StrEnum):
    """Why there are no bytes."""

    UNREACHABLE = "unreachable"  # no connection, a time-out, a server error that stayed
    NOT_FOUND = "not-found"  # 404 or 410
    DENIED = "denied"  # 401 or 403
    STATUS = "status"  # some other status that asking again will not change
    TOO_BIG = "too-big"
    TOO_SLOW = "too-slow"  # bytes kept coming, but not within the time a request may take
    CORRUPT = "corrupt"  # the bytes are not those that were promised
    NO_RANGES = "no-ranges"  # the server sends whole files only
    OFFLINE = "offline"  # not cached, and the network may not be used


class FetchFault(Struct, frozen=True, kw_only=True):
    """A request without an answer to use."""

    problem: FetchProblem
    url: str
    text: str
    status: int | None = None
    """What the server answered; None: it did not answer."""


class Fetched(Struct, frozen=True, kw_only=True):
    """What a server sent."""

    url: str
    """After redirects."""
    content_type: str
    body: bytes
    etag: str | None = None
    modified: str | None = None
    """Last-Modified, as the server spelled it."""
    total: int | None = None
    """Size of the whole file, when this is a part of it."""


class Fetcher(Protocol):
    """What the readers of this room need of a client."""

    def get(self, url: str, *, accept: str = "*/*") -> Fetched | FetchFault: ...

    def get_range(self, url: str, start: int, end: int) -> Fetched | FetchFault:
        """Bytes `start` to `end`, both included; a negative `start` counts from the end of the file."""
        ...


class Limits(Struct, frozen=True, kw_only=True):
    """How long, how often and how much."""

    attempts: int = 4
    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    """The longest silence."""
    total_seconds: float = 300.0
    """The longest a whole answer may take, however steadily it drips."""
    host_seconds: float = 300.0
    """The longest all requests of one host together may hold the work, if it sends less than `host_rate`."""
    host_rate: float = 4096.0
    """Bytes per second that are no drip."""
    max_bytes: int = 64 * 1024 * 1024
    first_pause: float = 0.4
    longest_pause: float = 30.0
    fresh_seconds: float = 600.0
