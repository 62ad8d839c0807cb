"""How long a host may hold the work with next to nothing: pages just within their time add up to hours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct, field

__all__ = ["Patience"]


class _Held(Struct):
    """What one host did with our time."""

    open: int = 0
    since: float = 0.0
    seconds: float = 0.0
    """With at least one request under way, those that run at once counted once."""
    received: int = 0


class Patience(Struct):
    """The time given to each host. One that sends at a fair rate may take as long as it needs."""

    seconds: float
    rate: float
    """Bytes per second, on the mean, from which on a host is not held to be slow."""
    clock: Callable[[], float] = time.monotonic
    _hosts: dict[str, _Held] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def waiting(self, host: str) -> Iterator[None]:
        """While a request of that host is under way."""
        with self._lock:
            held = self._hosts.setdefault(host, _Held())
            if not held.open:
                held.since = self.clock()
            held.open += 1
        try:
            yield
        finally:
            with self._lock:
                held.open -= 1
                if not held.open:
                    held.seconds += self.clock() - held.since

    def received(self, host: str, count: int) -> None:
        """Note bytes that a host sent."""
        with self._lock:
            self._hosts.setdefault(host, _Held()).received += count

    def lost(self, host: str) -> str | None:
        """Why a host is not waited for any more; None while it may be."""
        with self._lock:
            held = self._hosts.get(host)
            if held is None:
                return None
            spent = held.seconds + (self.clock() - held.since if held.open else 0.0)
            if spent <= self.seconds or held.received >= self.rate * spent:
                return None
            return (
                f"`{host}` is too slow: in {spent:.3g} seconds it sent {held.received} bytes; "
                "it is not waited for any more, and what it did not tell stays as it was"
            )
