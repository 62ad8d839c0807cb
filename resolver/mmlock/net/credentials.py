"""Who one is on an index: from its URL, from netrc, from a keyring. Never part of what is shown or stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from msgspec import Struct, field

__all__ = ["Credentials", "Login", "bare"]

Login = tuple[str, str]
"""User and password."""


def bare(url: str) -> str:
    """The URL without user and password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _from_keyring(url: str) -> Login | None:
    """What the `keyring` library knows of a URL, where it is installed and works."""
    try:
        import keyring  # type: ignore[import-not-found,unused-ignore]

        found = keyring.get_credential(url, None)
    except Exception:  # noqa: BLE001 - a keyring without a backend fails in many ways; then it knows nothing
        return None
    return (found.username, found.password) if found and found.password else None


class Credentials(Struct):
    """Logins by host. Those of a URL are remembered for every file of that host."""

    environ: Mapping[str, str]
    keyring: Callable[[str], Login | None] = _from_keyring
    _known: dict[str, Login] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def learn(self, url: str) -> str:
        """Remember the login a URL carries and give the URL without it."""
        plain = bare(url)
        if plain != url:
            parts = urlsplit(url)
            user, _, word = parts.netloc.rpartition("@")[0].partition(":")
            self._known[urlsplit(plain).netloc] = (unquote(user), unquote(word))
        return plain

    def given(self, url: str) -> Login | None:
        """The login to send at once: from a URL of that host, else from netrc."""
        host = urlsplit(url).netloc
        return self._known.get(host) or self._from_netrc(urlsplit(url).hostname or "")

    def on_refusal(self, url: str) -> Login | None:
        """The login to try after a 401: the keyring's, asked once for each host."""
        host = urlsplit(url).netloc
        if host in self._asked:
            return None
        self._asked.add(host)
        found = self.keyring(url)
        if found:
            self._known[host] = found
        return found

    def _from_netrc(self, host: str) -> Login | None:
        import netrc

        path = Path(self.environ.get("NETRC") or Path.home() / ".netrc")
        try:
            found = netrc.netrc(str(path)).authenticators(host)
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            return None
        return (found[0], found[2] or "") if found and (found[0] or found[2]) else None
