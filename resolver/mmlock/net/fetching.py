"""What fetching asks and answers: the seam between readers of pages and the client."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct
from msgspec.structs import force_setattr

from mmlock.core.names import StrEnum
from mmlock.net.credentials import bare, redact

__all__ = ["FetchFault", "FetchProblem", "Fetched", "Fetcher", "Limits", "NetFault", "hints"]


class FetchProblem(StrEnum):
    """Why there are no bytes."""

    UNREACHABLE = "unreachable"  # no connection, a time-out, a server error that stayed
    NOT_FOUND = "not-found"  # 404 or 410
    DENIED = "denied"  # 401 or 403
    STATUS = "status"  # some other status that asking again will not change
    REDIRECTS = "redirects"  # it is redirected again and again
    INSECURE = "insecure"  # it is redirected from https to http
    TOO_BIG = "too-big"
    TOO_SLOW = "too-slow"  # bytes kept coming, but not within the time a request may take
    CORRUPT = "corrupt"  # the bytes are not those that were promised
    NO_RANGES = "no-ranges"  # the server sends whole files only
    SETTINGS = "settings"  # certificates or a proxy of the environment cannot be used
    OFFLINE = "offline"  # not cached, and network access is disabled


_HINTS = {
    FetchProblem.UNREACHABLE: "check the network and the proxy (HTTPS_PROXY), or name a mirror",
    FetchProblem.DENIED: "check the login: in the URL, in ~/.netrc, or in a keyring",
    FetchProblem.NOT_FOUND: "check the URL",
    FetchProblem.STATUS: "check the URL, or ask the operator of the server",
    FetchProblem.REDIRECTS: "check the URL and the login; a server that redirects for ever is set up wrongly",
    FetchProblem.INSECURE: "use the https address, or ask the operator of the server to stay on https",
    FetchProblem.TOO_BIG: "check that the URL is that of the right file",
    FetchProblem.TOO_SLOW: "try again later, or name a faster mirror",
    FetchProblem.CORRUPT: "try again; if it stays, the server sends something else than it should",
    FetchProblem.SETTINGS: "correct SSL_CERT_FILE, SSL_CERT_DIR, PIP_CERT or the proxy variables",
    FetchProblem.OFFLINE: "run it once without `--offline`",
}


def hints(problem: FetchProblem | None) -> list[str]:
    """What a person can do about a problem: nothing or one line."""
    return [_HINTS[problem]] if problem in _HINTS else []


class NetFault(Struct, frozen=True, kw_only=True):
    """Something that did not work on the network, as a sentence that holds no password of any URL."""

    text: str

    def __post_init__(self) -> None:
        force_setattr(self, "text", redact(self.text))


class FetchFault(NetFault, frozen=True, kw_only=True):
    """A request without an answer to use."""

    problem: FetchProblem
    url: str
    """Without a login."""
    status: int | None = None
    """What the server answered; None: it did not answer."""

    def __post_init__(self) -> None:
        NetFault.__post_init__(self)
        force_setattr(self, "url", bare(self.url))


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
    """The longest a whole answer, or the head of a download, may take, however steadily it drips."""
    host_seconds: float = 300.0
    """The longest all requests of one host together may hold the work, if it sends less than `host_rate`."""
    host_rate: float = 4096.0
    """Bytes per second that are no drip."""
    max_bytes: int = 64 * 1024 * 1024
    """Of a page, unpacked."""
    redirects: int = 10
    file_bytes: int = 16 << 30
    """Of a downloaded file. The largest wheels are of torch, with a bit over 3 GB."""
    file_seconds: float = 6 * 3600.0
    """The longest a download may take, all its attempts together."""
    drip_seconds: float = 60.0
    drip_rate: float = 1024.0
    """A download that sends less than so many bytes per second, for `drip_seconds`, is given up."""
    first_pause: float = 0.4
    longest_pause: float = 30.0
    fresh_seconds: float = 600.0
