"""JSON over HTTP as forges speak it: retries, limits, pages, ETags. The token is in a header only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec
from msgspec import Struct

from mmlock.core.names import StrEnum
from mmlock.net.credentials import origin_of
from mmlock.net.fetching import Limits
from mmlock.net.retries import AGAIN, pause
from mmlock.upkeep.forges.model import ForgeFault, ForgeProblem

if TYPE_CHECKING:
    import httpx

    from mmlock.net.page_cache import PageCache

__all__ = ["HttpVerb", "Rest", "RestAnswer", "comment_once", "decoded", "make_once", "require_safe"]

LIMITS = Limits(attempts=4, total_seconds=60.0, longest_pause=60.0, max_bytes=32 * 1024 * 1024)
LONGEST_WAIT = 300.0
"""Seconds that one run waits for a rate limit, all waits together."""
MOST_PAGES = 20
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_TOLD = 300
T = TypeVar("T")


class HttpVerb(StrEnum):
    """HTTP methods."""

    GET = "GET"
    POST = "POST"
    PATCH = "PATCH"
    PUT = "PUT"
    DELETE = "DELETE"


class RestAnswer(Struct, frozen=True, kw_only=True):
    """What a forge said."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    """Names in lower case."""


class Rest(Struct, kw_only=True):
    """One API, as one user."""

    root: str
    """Without a slash at its end."""
    headers: Callable[[], Mapping[str, str]]
    """Those of every request: the token among them."""
    environ: Mapping[str, str]
    cache: PageCache | None = None
    """Answers that the forge need not send again; None: none are kept."""
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.time
    waited: float = 0.0
    requests: int = 0
    _client: httpx.Client | None = None

    def get(self, path: str, **query: str | int) -> RestAnswer:
        """One GET; an answer that is still the one of the last time is taken from the cache."""
        url = self._url(path, query)
        known = self.cache.load(url, "") if self.cache is not None else None
        extra = {"If-None-Match": known.page.etag} if known is not None and known.page.etag else {}
        answer = self._sent(HttpVerb.GET, url, None, extra, again=True)
        if answer.status == HTTPStatus.NOT_MODIFIED and known is not None:
            return RestAnswer(status=200, body=known.page.body, headers=answer.headers)
        etag = answer.headers.get("etag")
        # Pages that follow are told in a header, which is not kept.
        if (
            self.cache is not None
            and etag
            and answer.status == HTTPStatus.OK
            and "link" not in answer.headers
        ):
            self._keep(url, answer, etag)
        return answer

    def pages(
        self,
        path: str,
        kind: type[T],
        *,
        size: str = "per_page",
        most: int = 100,
        whole: bool = True,
        **query: str | int,
    ) -> Iterator[T]:
        """The rows of all pages. Raises ForgeFault for more than anybody would have.

        `whole`: False, what is on later pages than anybody would have is left out.
        """
        answer = self.get(path, **{size: most}, **query)
        for page in range(MOST_PAGES):
            yield from decoded(answer, list[kind])  # type: ignore[valid-type]
            following = _next(answer.headers.get("link", ""))
            if following is None:
                return
            if page == MOST_PAGES - 1 and not whole:
                return
            target = urljoin(f"{self.root}/", following)
            if origin_of(target) != origin_of(self.root):
                raise ForgeFault(ForgeProblem.STRANGE, f"`{self.root}` names a next page on another host")
            answer = self._sent(HttpVerb.GET, target, None, {}, again=True)
        raise ForgeFault(
            ForgeProblem.STRANGE,
            f"`{self.root}` has more than {MOST_PAGES} pages of `{path}`",
            hints=["close unneeded ones, or use a separate repository for the locks"],
        )

    def send(self, verb: HttpVerb, path: str, value: object = None, *, again: bool = True) -> RestAnswer:
        """A request that changes something. `again`: whether doing it twice is doing it once.

        Without `again`, ForgeFault UNREACHABLE says that nobody knows whether it was done.
        """
        return self._sent(verb, self._url(path, {}), value, {}, again=again)

    def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            self._client.close()
            self._client = None

    # ------------------------------------------------------------ the wire

    def _url(self, path: str, query: Mapping[str, str | int]) -> str:
        import httpx

        return str(httpx.URL(f"{self.root}{path}", params=dict(query) or None))

    def _keep(self, url: str, answer: RestAnswer, etag: str) -> None:
        from mmlock.net.fetching import Fetched

        page = Fetched(url=url, content_type="application/json", body=answer.body, etag=etag)
        if self.cache is not None:
            with suppress(OSError):
                self.cache.store(url, "", page, self.clock())

    def _sent(
        self, verb: HttpVerb, url: str, value: object, extra: Mapping[str, str], *, again: bool
    ) -> RestAnswer:
        last = "no attempt was made"
        waited = True
        for attempt in range(LIMITS.attempts):
            if not waited:
                self.sleep(pause(LIMITS, attempt, None, self.clock()))
            waited = False
            answer = self._once(verb, url, value, extra)
            if isinstance(answer, str):
                last = answer
                if not again:
                    break
                continue
            if (wait := self._limited(answer)) is not None:
                self._wait(wait)  # it was not done
                waited = True
                last = f"answered {answer.status}: a rate limit"
                continue
            if answer.status in AGAIN and answer.status != HTTPStatus.TOO_MANY_REQUESTS:
                last = f"answered {answer.status}"
                if not again:
                    break
                continue
            return self._checked(verb, url, answer)
        raise ForgeFault(
            ForgeProblem.UNREACHABLE,
            f"{verb} `{_shown(url)}` failed",
            causes=[last],
            hints=["run it again later: what was done stays, and the rest follows"],
        )

    def _once(self, verb: HttpVerb, url: str, value: object, extra: Mapping[str, str]) -> RestAnswer | str:
        """The answer, or why there is none."""
        import httpx

        self.requests += 1
        content = None if value is None else msgspec.json.encode(value)
        headers = {"User-Agent": "mmlock", "Accept": "application/json", **self.headers(), **extra}
        if content is not None:
            headers["Content-Type"] = "application/json"
        body = bytearray()
        try:
            with self._http().stream(verb.value, url, content=content, headers=headers) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > LIMITS.max_bytes:
                        return f"sent more than {LIMITS.max_bytes} bytes"
                told = {name.lower(): text for name, text in response.headers.items()}
                return RestAnswer(status=response.status_code, body=bytes(body), headers=told)
        except httpx.HTTPError as error:
            return str(error) or type(error).__name__

    def _http(self) -> httpx.Client:
        if self._client is None:
            from mmlock.net.connection import session

            self._client = session(self.environ, LIMITS, self.transport)
        return self._client

    def _limited(self, answer: RestAnswer) -> float | None:
        """Seconds to wait where the answer is that of a rate limit, None where it is not."""
        if answer.status not in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
            return None
        after = answer.headers.get("retry-after", "").strip()
        if after.isdecimal():
            return float(after)
        spent = answer.headers.get("x-ratelimit-remaining", answer.headers.get("ratelimit-remaining")) == "0"
        reset = answer.headers.get("x-ratelimit-reset", answer.headers.get("ratelimit-reset", "")).strip()
        if spent and reset.isdecimal():
            return max(0.0, float(reset) - self.clock()) + 1
        # https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api: at least a minute
        secondary = answer.status == HTTPStatus.TOO_MANY_REQUESTS
        return 60.0 if secondary else None

    def _wait(self, seconds: float) -> None:
        if self.waited + seconds > LONGEST_WAIT:
            raise ForgeFault(
                ForgeProblem.LIMITED,
                f"the rate limit of `{urlsplit(self.root).netloc}` is used up",
                causes=[f"it asks to wait {seconds:.0f} seconds"],
                hints=["run it again after that: what was done stays, and the rest follows"],
            )
        self.waited += seconds
        self.sleep(seconds)

    def _checked(self, verb: HttpVerb, url: str, answer: RestAnswer) -> RestAnswer:
        status = answer.status
        if status < HTTPStatus.MULTIPLE_CHOICES or status == HTTPStatus.NOT_MODIFIED:
            return answer
        if status < HTTPStatus.BAD_REQUEST:
            raise ForgeFault(
                ForgeProblem.STRANGE,
                f"{verb} `{_shown(url)}` was redirected",
                hints=["the repository may have been renamed: name it with `--repository OWNER/NAME`"],
            )
        problem = {401: ForgeProblem.DENIED, 403: ForgeProblem.DENIED, 404: ForgeProblem.NOT_FOUND}.get(
            status
        )
        hint = {
            ForgeProblem.DENIED: "it must be valid, and write contents, pull requests, issues, statuses",
            ForgeProblem.NOT_FOUND: "see that it exists and that the token may read it",
        }.get(problem or ForgeProblem.REFUSED)
        raise ForgeFault(
            problem or ForgeProblem.REFUSED,
            f"{verb} `{_shown(url)}` answered {status}",
            causes=[text] if (text := _message(answer)) else [],
            hints=[hint] if hint else [],
        )


def decoded(answer: RestAnswer, kind: type[T]) -> T:
    """The body as a value. Raises ForgeFault for an unexpected answer."""
    try:
        return msgspec.json.decode(answer.body, type=kind, strict=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ForgeFault(
            ForgeProblem.STRANGE,
            "the forge sent an unexpected answer",
            causes=[str(error)],
            hints=["see that `--api` names the API of that forge"],
        ) from error


def make_once(make: Callable[[], T], find: Callable[[], T | None], *, or_refused: bool = False) -> T:
    """Make what must not be there twice.

    Where nobody knows whether it was done, and with `or_refused` where the forge says that it cannot be, what
    is there is found and taken. Raises ForgeFault.
    """
    try:
        return make()
    except ForgeFault as error:
        refused = or_refused and error.problem is ForgeProblem.REFUSED
        if error.problem is not ForgeProblem.UNREACHABLE and not refused:
            raise
        if (found := find()) is not None:
            return found
        if refused:
            raise
    return make()


def comment_once(rest: Rest, path: str, text: str, comments: Callable[[], tuple[str, ...]]) -> None:
    """Write a comment; after a lost answer only where `comments` do not have it. Raises ForgeFault."""

    def plain(one: str) -> str:
        return one.replace("\r\n", "\n").strip()

    def write() -> bool:
        rest.send(HttpVerb.POST, path, {"body": text}, again=False)
        return True

    make_once(write, lambda: plain(text) in map(plain, comments()) or None)


def require_safe(url: str) -> str:
    """An API address that a token may be sent to, without a slash at its end. Raises ForgeFault."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise ForgeFault(
            ForgeProblem.REFUSED,
            "the token is not sent over a connection that others can read",
            hints=["name an `https://` address with `--api`"],
        )
    if "@" in parts.netloc:
        raise ForgeFault(
            ForgeProblem.REFUSED,
            "`--api` has a login in its URL",
            hints=["tokens are read from the environment only"],
        )
    return url.rstrip("/")


def _next(link: str) -> str | None:
    """The URL of the next page in a `Link` header (RFC 8288)."""
    for part in link.split(","):
        target, _, about = part.strip().partition(">")
        if 'rel="next"' in about and target.startswith("<"):
            return target[1:]
    return None


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc}{parts.path}"


def _message(answer: RestAnswer) -> str:
    """What the forge says of its refusal."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found: Any = msgspec.json.decode(answer.body)
        if isinstance(found, dict):
            parts = [str(found.get(key)) for key in ("message", "error") if found.get(key)]
            errors = found.get("errors")
            if isinstance(errors, list):
                parts += [
                    str(e.get("message") or e.get("code")) if isinstance(e, dict) else str(e) for e in errors
                ]
            return "; ".join(parts)[:_TOLD]
    return ""
