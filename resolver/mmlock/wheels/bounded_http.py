"""uvicorn's HTTP/1.1 with bounds: on connections, on the head of a request, on clients that stall."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol
else:
    try:  # written in C: half the time of a quick answer is reading what was asked
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol

__all__ = ["CONNECTIONS", "HEADER_SECONDS", "LONGEST_HEAD", "STALL_SECONDS", "BoundedProtocol"]

CONNECTIONS = 100
"""Open at once; the next one is closed at once."""
HEADER_SECONDS = 10.0
"""How long a client may take to send the head of a request, after the connection or its first byte."""
LONGEST_HEAD = 65_536
"""Bytes of the head of a request."""
STALL_SECONDS = 60.0
"""How long a client may take nothing of an answer that waits for it."""


class BoundedProtocol(Protocol):
    """One connection."""

    _late: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _refused = False
    _head = 0

    def connection_made(self, transport: Any) -> None:
        """Take the connection, or close it where there are too many."""
        if len(self.connections) >= CONNECTIONS:
            self._refused = True
            transport.abort()
            return
        super().connection_made(transport)
        self._late = self.loop.call_later(HEADER_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the timers with the connection."""
        self._came()
        self._took()
        if not self._refused:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request; its head must be whole in time."""
        if self._refused:
            return
        if self._between():
            self._head += len(data)
            if self._late is None:
                self._late = self.loop.call_later(HEADER_SECONDS, self.transport.abort)
        super().data_received(data)
        if not self._between():
            self._came()
        elif self._head > LONGEST_HEAD:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Note that the client does not take what was sent."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that it does again."""
        self._took()
        super().resume_writing()

    def _between(self) -> bool:
        """Whether no request is being answered."""
        cycle: Any = self.cycle
        return cycle is None or bool(cycle.response_complete)

    def _came(self) -> None:
        self._head = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _took(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
