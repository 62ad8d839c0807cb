"""The logins of `credentials` as what httpx asks for one. Imported only where a client is opened."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from mmlock.net.credentials import Credentials

__all__ = ["LoginAuth"]


class LoginAuth(httpx.Auth):
    """Basic authentication with the login of the very origin that is asked, and no other.

    Redirects are followed one request at a time, so each hop gets the login of its own origin.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        login = self._credentials.given(str(request.url))
        if login is None:
            yield request
        else:
            yield from httpx.BasicAuth(*login).auth_flow(request)
