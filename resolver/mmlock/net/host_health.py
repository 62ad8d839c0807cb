"""Hosts that are not asked any more: those that cannot be reached, and those that only drip."""

from __future__ import annotations

import threading
from collections import Counter

from msgspec import Struct, field

from mmlock.net.credentials import origin_of
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem

__all__ = ["MOST_DRIPS", "HostHealth"]

MOST_DRIPS = 3
"""So many answers of a host may drip past their time: each takes minutes, all of them hours."""


class HostHealth(Struct):
    """What is known of the hosts of one client. Threads may share it."""

    _down: dict[str, tuple[FetchProblem, str]] = field(default_factory=dict)
    _drips: Counter[str] = field(default_factory=Counter)
    _alive: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def down(self, url: str) -> FetchFault | None:
        """Why the host of a URL is not asked; None while it may be."""
        down = self._down.get(_host(url))
        return FetchFault(problem=down[0], url=url, text=down[1]) if down else None

    def known(self, url: str) -> bool:
        """Whether the host has answered, or was given up."""
        host = _host(url)
        return host in self._alive or host in self._down

    def note(self, url: str, answer: Fetched | FetchFault | None) -> None:
        """Learn from the last word on a request; None: the file came whole."""
        host = _host(url)
        with self._lock:
            if not isinstance(answer, FetchFault) or answer.status is not None:
                self._alive.add(host)
            elif answer.problem is FetchProblem.UNREACHABLE and host not in self._alive:
                self._down[host] = (answer.problem, answer.text)
            if isinstance(answer, FetchFault) and answer.problem is FetchProblem.TOO_SLOW:
                self._drips[host] += 1
                if self._drips[host] >= MOST_DRIPS:
                    text = f"{answer.text}; neither were others of that host"
                    self._down[host] = (answer.problem, text)

    def give_up(self, url: str, why: str) -> None:
        """Ask this host nothing any more."""
        with self._lock:
            self._down[_host(url)] = (FetchProblem.UNREACHABLE, why)


def _host(url: str) -> str:
    origin = origin_of(url)
    return f"{origin.host}:{origin.port}" if origin else url
