"""The one client that does all fetching. What goes wrong on the way comes back as a value."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct, field

from mmlock.core.cache import unheard
from mmlock.net.credentials import Credentials, bare
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem, Limits
from mmlock.net.host_health import HostHealth
from mmlock.net.page_cache import PageCache
from mmlock.net.retries import AGAIN, pause
from mmlock.net.slow_hosts import Patience
from mmlock.net.unpacking import ENCODINGS, BombError, pieces

if TYPE_CHECKING:
    import httpx
    from typing_extensions import Self


class Traffic(Struct, eq=False):
    """What a client did on the wire."""

    requests: int = 0
    received: int = 0
    """Bytes of bodies as they were sent, compressed or not."""
    not_modified: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, received: int, status: int) -> None:
        """Note one answer."""
        with self.lock:
            self.received += received
            self.not_modified += status == HTTPStatus.NOT_MODIFIED

    def asked(self) -> None:
        """Note one request."""
        with self.lock:
            self.requests += 1


class Client(Struct):
    """An HTTP client with retries and a small cache of pages. A context manager; threads may share it."""

    limits: Limits = field(default_factory=Limits)
    cache: PageCache | None = None
    """None: nothing is kept."""
    offline: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.time
    served: Callable[[float], object] = unheard
    """Told when a kept page that is given out was stored."""
    transport: httpx.BaseTransport | None = None
    traffic: Traffic = field(default_factory=Traffic)
    credentials: Credentials | None = None
    """None: those of URLs, netrc and the keyring."""
    patience: Patience | None = None
    """None: that of the limits."""
    health: HostHealth = field(default_factory=HostHealth)
    stopped: bool = False
    """Set when the work is given up: nothing is tried again."""
    _client: httpx.Client | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(
        self, url: str, *, accept: str = "*/*", limit: int | None = None, keep: bool = True
    ) -> Fetched | FetchFault:
        """A whole file, from the cache while it is fresh.

        `limit`: most bytes, if not the usual. `keep`: whether it goes into the cache.
        """
        url = self.learn(url)
        cache = self.cache if keep else None
        known = cache.load(url, accept) if cache else None
        if known and (self.offline or abs(self.clock() - known.stored) < self.limits.fresh_seconds):
            self.served(known.stored)
            return known.page
        if self.offline:
            text = f"`{url}` is not cached, and network access is disabled (`--offline`)"
            return FetchFault(problem=FetchProblem.OFFLINE, url=url, text=text)
        headers = {"Accept": accept, "Accept-Encoding": ENCODINGS}
        if known and known.page.etag:
            headers["If-None-Match"] = known.page.etag
        elif known and known.page.modified:
            headers["If-Modified-Since"] = known.page.modified
        answer = self._fetch(url, headers, limit=limit)
        if isinstance(answer, FetchFault):
            return answer
        page = known.page if known and answer.status == HTTPStatus.NOT_MODIFIED else answer.page
        if cache:
            cache.store(url, accept, page, self.clock())
        return page

    def get_range(self, url: str, start: int, end: int) -> Fetched | FetchFault:
        """A part of a file, never cached."""
        url = self.learn(url)
        if self.offline:
            return FetchFault(
                problem=FetchProblem.OFFLINE,
                url=url,
                text=f"`{url}`: network access is disabled (`--offline`)",
            )
        span = f"bytes={start}" if start < 0 else f"bytes={start}-{end}"
        # A compressed answer would have other offsets.
        answer = self._fetch(url, {"Range": span, "Accept-Encoding": "identity"}, ranged=True)
        if isinstance(answer, FetchFault):
            return answer
        return answer.page

    @contextmanager
    def stream(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """One GET whose body the caller reads, after redirects.

        Raises httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError or GaveUpError: `fault_of` tells them.
        """
        from mmlock.net.connection import opened

        plain = self.learn(url)
        session = self._http()
        with opened(session, plain, headers, self._logins(), self.limits, self.traffic.asked) as response:
            try:
                yield response
            finally:
                self.traffic.count(response.num_bytes_downloaded, response.status_code)

    @contextmanager
    def patient(self, url: str) -> Iterator[None]:
        """While a request of that host is under way: its time is counted."""
        with self._patience().waiting(urlsplit(url).netloc):
            yield

    def too_slow(self, url: str, received: int) -> str | None:
        """Note bytes that came from a host; why it is not waited for any more, None while it may be."""
        host = urlsplit(url).netloc
        self._patience().received(host, received)
        return self._patience().lost(host)

    def learn(self, url: str) -> str:
        """The URL without its login, which is remembered for that origin."""
        return self._logins().learn(url)

    # ---------------------------------------------------------------- the wire

    def _fetch(
        self, url: str, headers: dict[str, str], *, ranged: bool = False, limit: int | None = None
    ) -> _Answer | FetchFault:
        """One GET, tried again while that may help; what comes of it is remembered of the host."""
        if down := self.health.down(url):
            return down
        answer = self._tried(url, headers, ranged=ranged, limit=limit)
        if not self.stopped:
            self.health.note(url, answer if isinstance(answer, FetchFault) else answer.page)
        return answer

    def _tried(
        self, url: str, headers: dict[str, str], *, ranged: bool, limit: int | None
    ) -> _Answer | FetchFault:
        last: _Answer | FetchFault | None = None
        for attempt in range(self.limits.attempts):
            if self.stopped:
                break
            if slow := self.too_slow(url, 0):
                return FetchFault(problem=FetchProblem.TOO_SLOW, url=url, text=slow)
            if attempt:
                told = last.retry_after if isinstance(last, _Answer) else None
                self.sleep(pause(self.limits, attempt, told, self.clock()))
            last = self._once(url, headers, ranged=ranged, limit=limit)
            if isinstance(last, FetchFault) and last.problem is not FetchProblem.UNREACHABLE:
                return last
            if isinstance(last, _Answer) and last.status not in AGAIN:
                return last
        if isinstance(last, _Answer):
            text = f"`{url}` answered {last.status}, {self.limits.attempts} times"
            return FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=text, status=last.status)
        return last or FetchFault(problem=FetchProblem.UNREACHABLE, url=url, text=f"`{url}` was not tried")

    def _once(
        self, url: str, headers: dict[str, str], *, ranged: bool, limit: int | None
    ) -> _Answer | FetchFault:
        status = None
        try:
            with self.patient(url), self.stream(url, headers) as response:
                status = response.status_code
                return self._read(url, response, ranged=ranged, limit=limit or self.limits.max_bytes)
        except Exception as error:  # noqa: BLE001 - raised again when it is not of the network
            return fault_of(url, error, status)

    def _read(self, url: str, response: httpx.Response, *, ranged: bool, limit: int) -> _Answer | FetchFault:
        status = response.status_code
        if fault := refusal(url, status, response.headers.get("content-encoding"), ranged=ranged):
            return fault
        body = bytearray()
        until = time.monotonic() + self.limits.total_seconds
        if status not in AGAIN:
            for chunk in pieces(response):
                body += chunk
                if len(body) > limit:
                    text = f"`{url}` is larger than {limit} bytes"
                    return FetchFault(problem=FetchProblem.TOO_BIG, url=url, text=text, status=status)
                slow = self.too_slow(url, len(chunk))
                if time.monotonic() > until:
                    slow = f"`{url}` was not sent whole within {self.limits.total_seconds:g} seconds"
                if slow:
                    return FetchFault(problem=FetchProblem.TOO_SLOW, url=url, text=slow, status=status)
        page = Fetched(
            url=bare(str(response.url)),
            content_type=response.headers.get("content-type", ""),
            body=bytes(body),
            etag=response.headers.get("etag"),
            modified=response.headers.get("last-modified"),
            total=_total(response.headers.get("content-range")),
        )
        return _Answer(status=status, page=page, retry_after=response.headers.get("retry-after"))

    def _logins(self) -> Credentials:
        if self.credentials is None:
            self.credentials = Credentials(environ=self.environ)
        return self.credentials

    def _patience(self) -> Patience:
        with self._lock:
            if self.patience is None:
                self.patience = Patience(seconds=self.limits.host_seconds, rate=self.limits.host_rate)
            return self.patience

    def _http(self) -> httpx.Client:
        from mmlock.net.connection import session

        with self._lock:
            if self._client is None:
                self._client = session(self.environ, self.limits, self.transport)
            return self._client


class _Answer(Struct, frozen=True, kw_only=True):
    status: int
    page: Fetched
    retry_after: str | None


def fault_of(url: str, error: Exception, status: int | None) -> FetchFault:
    """What an exception of `Client.stream` means; `status`: what the server had answered by then.

    Raises it again when it is not a network error.
    """
    import httpx

    from mmlock.net.connection import GaveUpError

    if isinstance(error, GaveUpError):
        return FetchFault(problem=error.problem, url=url, text=error.text, status=status)
    if isinstance(error, BombError):
        text = f"`{url}` is not unpacked: {error}"
        return FetchFault(problem=FetchProblem.TOO_BIG, url=url, text=text, status=status)
    # RuntimeError: the client was closed under a thread that still waits.
    if not isinstance(error, (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError)):
        raise error
    bad = isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol))
    problem = FetchProblem.NOT_FOUND if bad else FetchProblem.UNREACHABLE
    text = f"`{url}` could not be reached: {str(error) or type(error).__name__}"
    return FetchFault(problem=problem, url=url, text=text, status=status)


def refusal(url: str, status: int, encoding: str | None, *, ranged: bool) -> FetchFault | None:
    """What a head says for good; None when the body matters or another attempt may help."""
    problem = {
        401: FetchProblem.DENIED,
        403: FetchProblem.DENIED,
        404: FetchProblem.NOT_FOUND,
        410: FetchProblem.NOT_FOUND,
        416: FetchProblem.NO_RANGES,
    }.get(status)
    if problem is None and ranged and status == HTTPStatus.OK:
        text = f"`{url}`: the server sends whole files only"
        return FetchFault(problem=FetchProblem.NO_RANGES, url=url, text=text, status=status)
    useful = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or status == HTTPStatus.NOT_MODIFIED
    if useful and encoding and "," in encoding:
        # Nobody compresses twice in good faith, and each layer multiplies what a few bytes become.
        text = f"`{url}` is compressed more than once"
        return FetchFault(problem=FetchProblem.TOO_BIG, url=url, text=text, status=status)
    if problem is None and not useful and status not in AGAIN:
        problem = FetchProblem.STATUS
    text = f"`{url}` answered {status}"
    return FetchFault(problem=problem, url=url, text=text, status=status) if problem else None


def _total(content_range: str | None) -> int | None:
    """`bytes 0-99/1234` -> 1234."""
    tail = (content_range or "").rpartition("/")[2]
    return int(tail) if tail.isdigit() else None
