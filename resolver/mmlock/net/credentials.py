"""Who one is on an index: from its URL, from netrc, from a keyring. Never part of what is shown or stored.

`bare` takes the login out of one URL, `redact` out of every URL in a text.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct, field

__all__ = ["Credentials", "Login", "UrlOrigin", "bare", "origin_of", "redact"]

Login = tuple[str, str]
"""User and password."""

_SCHEME = re.compile(r"(?:[A-Za-z][\w+.-]*:)?//")


def _login_pattern(end: str, most: str) -> str:
    """A login up to the last `@` before the path, in what ends at one of the characters `end`.

    The second form has a password with a raw `/`, `?` or `#`: what follows the colon is no port then. An
    empty port is taken for one, too: a URL of that kind is rarer than a password that begins so.
    """
    return (
        rf"(?:[^{end}/?#\\]{most}@"
        rf"|[^{end}/?#@:\[\]\\]*:(?!\d+(?:[/?#{end}]|$))[^{end}]{most}@)"
    )


_LOGIN = re.compile(r"\A" + _login_pattern(r"\n", "*"))
# Bounded, so that a hostile text takes time in proportion to its length.
_LOGIN_IN_TEXT = re.compile("(?<!/)//" + _login_pattern(r"\s", "{0,2000}"))
_LOGIN_WITHOUT_SCHEME = re.compile(r"(?![A-Za-z]:[\\/])[^/@\s:]{1,255}:[^@\s]{0,2000}@(?=[^/@\s])")
_PORTS = {"http": 80, "https": 443}


def bare(url: str) -> str:
    """The URL without user and password. One that cannot be read, or is none, loses what looks like them."""
    if "@" not in url:
        return url
    if scheme := _SCHEME.match(url):
        rest = url[scheme.end() :]
        login = _LOGIN.match(rest)
        return url[: scheme.end()] + rest[login.end() :] if login else url
    if "//" in url:
        return _LOGIN_IN_TEXT.sub("//", url)
    login = _LOGIN_WITHOUT_SCHEME.match(url)
    return url[login.end() :] if login else url


def redact(text: str) -> str:
    """The text with `***` for user and password in each of its URLs."""
    return _LOGIN_IN_TEXT.sub("//***@", text) if "@" in text else text


class UrlOrigin(NamedTuple):
    """Whom a login is for: never another host, another port or a connection that others can read."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> UrlOrigin | None:
    """Scheme, host and port of an HTTP URL; None when it is not one."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return UrlOrigin(parts.scheme, parts.hostname, port) if parts.hostname else None


def _from_keyring(url: str) -> Login | None:
    """What the `keyring` library knows of a URL, where it is installed and works."""
    try:
        import keyring  # type: ignore[import-not-found,unused-ignore]

        found = keyring.get_credential(url, None)
    except Exception:  # noqa: BLE001 - a keyring without a backend fails in many ways; then it knows nothing
        return None
    return (found.username, found.password) if found and found.password else None


class Credentials(Struct):
    """Logins by origin. Those of a URL are remembered for every file of that origin. Threads may share it."""

    environ: Mapping[str, str]
    keyring: Callable[[str], Login | None] = _from_keyring
    _known: dict[UrlOrigin, Login] = field(default_factory=dict)
    _asked: set[UrlOrigin] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, url: str) -> str:
        """Remember the login a URL carries and give the URL without it."""
        plain = bare(url)
        origin = origin_of(plain)
        if plain != url and origin is not None and (login := _login(url)):
            with self._lock:
                self._known[origin] = login
        return plain

    def given(self, url: str) -> Login | None:
        """The login to send at once: from a URL of that origin, else from netrc.

        What was given for `http` is used for `https` of the same host, too, where both have their usual port.
        """
        origin = origin_of(url)
        if origin is None:
            return None
        secured = UrlOrigin("http", origin.host, 80) if origin[::2] == ("https", 443) else origin
        return self._known.get(origin) or self._known.get(secured) or self._from_netrc(origin.host)

    def on_refusal(self, url: str) -> Login | None:
        """The login to try after a 401: the keyring's, asked once for each origin."""
        origin = origin_of(url)
        with self._lock:
            if origin is None or origin in self._asked:
                return None
            self._asked.add(origin)
        found = self.keyring(bare(url))
        if found:
            with self._lock:
                self._known[origin] = found
        return found

    def _from_netrc(self, host: str) -> Login | None:
        import netrc

        try:
            path = Path(self.environ.get("NETRC") or Path.home() / ".netrc")
            found = netrc.netrc(str(path)).authenticators(host)
        except (OSError, RuntimeError, netrc.NetrcParseError, UnicodeDecodeError):  # RuntimeError: no home
            return None
        return (found[0], found[2] or "") if found and (found[0] or found[2]) else None


def _login(url: str) -> Login | None:
    """The login in a URL that can be read."""
    try:
        parts: SplitResult = urlsplit(url)
    except ValueError:
        return None
    if "@" not in parts.netloc:
        return None
    user, _, word = parts.netloc.rpartition("@")[0].partition(":")
    return unquote(user), unquote(word)
