"""Keeps what a stranger's request names away from a private network: a guard before every connection.

A URL says where a fetch begins. Where it ends, redirects, links and name servers decide, and uv follows them
in a process of its own. So the guard is a proxy on the loopback interface, for one job, behind a password
that only the job knows: it looks every name up itself, connects to the address that it looked at, and
refuses those that are not public.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import secrets
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.net.credentials import bare

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["EgressGuard", "EgressPolicy", "guarded"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LONGEST_HEAD = 16_384
_PATIENCE = 20.0
_BLOCK = 1 << 16


class EgressPolicy(Struct, frozen=True, kw_only=True):
    """Which places may be reached: all public ones, and what an operator allowed."""

    hosts: frozenset[str] = frozenset()
    """Names, in lower case, that may be reached wherever they are."""
    networks: tuple[str, ...] = ()
    """Networks that may be reached, such as `10.1.0.0/16`."""

    @classmethod
    def allowing(cls, words: Iterable[str]) -> EgressPolicy:
        """The policy with what an operator named: hosts, addresses and networks. Raises UsageError."""
        hosts, networks = set(), []
        for word in filter(None, (word.strip().lower() for word in words)):
            try:
                networks.append(str(ipaddress.ip_network(word)))
            except ValueError:
                if "/" in word or ":" in word:
                    raise UsageError(
                        f"`{word}` is neither a host nor a network", hints=["for example `10.1.0.0/16`"]
                    ) from None
                hosts.add(word)
        return cls(hosts=frozenset(hosts), networks=tuple(networks))

    def refusal(self, host: str, address: str) -> str | None:
        """Why an address that a host has may not be reached; None: it may."""
        if host.lower().rstrip(".") in self.hosts:
            return None
        try:
            place = _plain(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return "its address cannot be read"
        if any(place in ipaddress.ip_network(network) for network in self.networks):
            return None
        if place.is_multicast or not place.is_global:
            return f"`{host}` is at {place}, which is not a public address"
        return None

    def require(self, url: str) -> None:
        """Raise UsageError for a URL of a request that may not be fetched: before anything is asked."""
        parts = urlsplit(url)
        shown = bare(url)
        hints = ["the operator can allow more hosts and networks: `allow` in the settings"]
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"`{shown}` is not an http or https URL, and this service reads no other")
        if "@" in parts.netloc:
            raise UsageError(
                f"`{shown}` came with a login, which this service does not keep",
                hints=["use an index that needs none, or have the operator configure it"],
            )
        try:
            found = _lookup(parts.hostname, parts.port or 443)
        except (OSError, UnicodeError, ValueError) as error:
            raise UsageError(f"`{shown}`: no such host", causes=[str(error)]) from error
        for address in found:
            if why := self.refusal(parts.hostname, address):
                raise UsageError(f"`{shown}` may not be fetched: {why}", hints=hints)


def _plain(place: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(place, ipaddress.IPv6Address):
        if place.ipv4_mapped is not None:
            return place.ipv4_mapped
        if place.sixtofour is not None:
            return place.sixtofour
        if place in _NAT64:
            return ipaddress.IPv4Address(int(place) & 0xFFFFFFFF)
    return place


def _lookup(host: str, port: int) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(row[4][0]) for row in found))


@contextmanager
def guarded(
    environ: MutableMapping[str, str], *, wanted: bool, policy: EgressPolicy | None = None
) -> Iterator[EgressGuard | None]:
    """Within it, what reads its proxy from `environ` (uv, httpx) goes through a guard.

    Not `wanted`: nothing changes. Raises EnvironmentFault where another proxy is in the way.
    """
    if not wanted:
        yield None
        return
    names = [name for name in environ if name.upper() in {*_PROXIES, "NO_PROXY"}]
    if any(environ[name] for name in names if name.upper() != "NO_PROXY"):
        raise EnvironmentFault(
            "this service cannot download what requests name: it is behind a proxy",
            hints=["leave out your own index"],
        )
    before = {name: environ.pop(name) for name in names}
    with EgressGuard(policy or EgressPolicy()) as guard:
        for name in _PROXIES:
            environ[name] = environ[name.lower()] = guard.url
        try:
            yield guard
        finally:
            for name in _PROXIES:
                environ.pop(name, None)
                environ.pop(name.lower(), None)
            environ.update(before)


class EgressGuard:
    """The proxy. A context manager; `refused` says what was not reached, and why."""

    def __init__(self, policy: EgressPolicy) -> None:
        self.policy = policy
        self.refused: dict[str, str] = {}
        """Host -> why."""
        self._password = secrets.token_urlsafe(24)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mmlock-egress", daemon=True)
        self._port = 0
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """What a client is told."""
        return f"http://mmlock:{self._password}@127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *error: object) -> None:
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=_LONGEST_HEAD)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------ one client

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                await self._exchange(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)
        }
        if not self._welcome(headers):
            await _answer(writer, "407 Proxy Authentication Required", "who are you?")
            return
        method, _, rest = line.partition(" ")
        target = rest.rpartition(" ")[0]
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        try:
            host, port = parts.hostname, parts.port or (443 if method == "CONNECT" else 80)
        except ValueError:
            host, port = None, 0
        if not host or (method != "CONNECT" and parts.scheme != "http"):
            await _answer(writer, "400 Bad Request", "an absolute URL is needed")
            return
        there = await self._connected(host, port, writer)
        if there is None:
            return
        away_reader, away = there
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
                kept = [f for f in fields if f and not f.lower().startswith(("proxy-", "connection:"))]
                text = "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""])
                away.write(text.encode("latin-1"))
            await asyncio.gather(_pump(reader, away), _pump(away_reader, writer))
        finally:
            away.close()

    def _welcome(self, headers: Mapping[str, str]) -> bool:
        wanted = base64.b64encode(f"mmlock:{self._password}".encode()).decode()
        return secrets.compare_digest(headers.get("proxy-authorization", ""), f"Basic {wanted}")

    async def _connected(
        self, host: str, port: int, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            found = await asyncio.to_thread(_lookup, host, port)
        except (OSError, UnicodeError, ValueError):
            await _answer(writer, "502 Bad Gateway", "no such host")
            return None
        for address in found:
            if why := self.policy.refusal(host, address):
                self.refused[host] = why
                await _answer(writer, "403 Forbidden", why)
                return None
        for address in found:
            with suppress(OSError, TimeoutError):
                return await asyncio.wait_for(asyncio.open_connection(address, port), _PATIENCE)
        await _answer(writer, "502 Bad Gateway", "no connection")
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _answer(writer: asyncio.StreamWriter, status: str, text: str) -> None:
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
    )
    if status.startswith("407"):
        head += '\r\nProxy-Authenticate: Basic realm="mmlock"'
    writer.write(f"{head}\r\n\r\n".encode() + body)
    await writer.drain()
