"""How a connection is made and one GET is sent: certificates, proxies, redirects, logins, time limits."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import cache
from http import HTTPStatus

import httpx

from mmlock.core.background import PULSE
from mmlock.net.auth import LoginAuth
from mmlock.net.credentials import Credentials, bare, redact
from mmlock.net.fetching import FetchProblem, Limits

__all__ = ["GaveUpError", "opened", "session"]

_MOST_LEFT = 64 * 1024
"""Bytes of a redirect's own body that are read so that its connection serves the next request."""


class GaveUpError(Exception):
    """A request that is not carried on, and why as a value."""

    def __init__(self, problem: FetchProblem, text: str) -> None:
        self.problem = problem
        self.text = redact(text)
        super().__init__(self.text)


def session(
    environ: Mapping[str, str], limits: Limits, transport: httpx.BaseTransport | None = None
) -> httpx.Client:
    """The connections of one client. Raises GaveUpError when the environment's settings cannot be used."""
    try:
        return httpx.Client(
            follow_redirects=False,
            timeout=httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds),
            trust_env=True,
            transport=transport,
            verify=_certificates(environ),
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        # A bundle that is not there or holds no certificate; a proxy URL that is none.
        text = f"the certificates or the proxy that the environment names cannot be used: {error}"
        raise GaveUpError(FetchProblem.SETTINGS, text) from error


def _certificates(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Whom to trust: what SSL_CERT_FILE, SSL_CERT_DIR or PIP_CERT names, else httpx's usual bundle."""
    file = environ.get("SSL_CERT_FILE") or environ.get("PIP_CERT")
    folder = environ.get("SSL_CERT_DIR")
    if not file and not folder:
        return _usual_certificates()
    return ssl.create_default_context(cafile=file or None, capath=folder or None)


@cache
def _usual_certificates() -> ssl.SSLContext:
    """The bundle that httpx comes with, read once a process: that takes 30 ms."""
    return httpx.create_ssl_context(trust_env=False)


@contextmanager
def opened(
    client: httpx.Client,
    url: str,
    headers: Mapping[str, str],
    credentials: Credentials,
    limits: Limits,
    asked: Callable[[], object],
) -> Iterator[httpx.Response]:
    """The answer to a GET after redirects, its body still to be read. `asked` is called before each request.

    Raises httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError (the client was closed) or GaveUpError.
    """
    request = client.build_request("GET", url, headers=dict(headers))
    auth = LoginAuth(credentials)
    for _ in range(limits.redirects + 1):
        asked()
        response = _sent(client, request, auth, limits)
        if response.status_code == HTTPStatus.UNAUTHORIZED and credentials.on_refusal(str(request.url)):
            response.close()
            asked()
            response = _sent(client, request, auth, limits)
        with closing(response):
            if not response.has_redirect_location:
                yield response
                return
            request = _next(client, response)
            _finish(response)
    raise GaveUpError(FetchProblem.REDIRECTS, f"`{url}` was redirected more than {limits.redirects} times")


def _next(client: httpx.Client, response: httpx.Response) -> httpx.Request:
    """The request that a redirect asks for. What the Location says of a login is not used."""
    planned = response.next_request
    assert planned is not None
    target = bare(str(planned.url))
    if response.request.url.scheme == "https" and planned.url.scheme != "https":
        text = f"`{response.request.url}` redirects from https to `{target}`"
        raise GaveUpError(FetchProblem.INSECURE, text)
    kept = {name: value for name, value in planned.headers.items() if name not in {"host", "authorization"}}
    return client.build_request("GET", target, headers=kept)


def _finish(response: httpx.Response) -> None:
    """Read a small rest, so that the connection can be used again; a large one is cut off by closing it."""
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) <= _MOST_LEFT:
        for _ in response.iter_raw():
            pass


def _sent(client: httpx.Client, request: httpx.Request, auth: LoginAuth, limits: Limits) -> httpx.Response:
    """The head of the answer. A server that drips it byte by byte is not waited for longer than agreed.

    No time-out of a socket sees that, so another thread waits; it ends when the client is closed.
    """
    came: list[httpx.Response | BaseException] = []
    done, given_up, lock = threading.Event(), threading.Event(), threading.Lock()

    def work() -> None:
        result: httpx.Response | BaseException
        try:
            result = client.send(request, stream=True, auth=auth, follow_redirects=False)
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            result = error
        with lock:
            if given_up.is_set() and isinstance(result, httpx.Response):
                with suppress(Exception):
                    result.close()
            came.append(result)
            done.set()

    threading.Thread(target=work, daemon=True, name="fetch-head").start()
    try:
        until = time.monotonic() + limits.total_seconds
        while not done.is_set() and (left := until - time.monotonic()) > 0:
            done.wait(min(PULSE, left))
    finally:
        with lock:
            if not came:
                given_up.set()
    if not came:
        text = f"`{request.url}` did not begin to answer within {limits.total_seconds:g} seconds"
        raise GaveUpError(FetchProblem.TOO_SLOW, text)
    if isinstance(came[0], BaseException):
        raise came[0]
    return came[0]
