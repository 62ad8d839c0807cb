"""Bytes of a remote file, asked for in ranges that grow while reading goes straight on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from mmlock.binary.reading import OutOfReach, Unreadable, check_span
from mmlock.net.fetching import Fetched, Fetcher, FetchFault, FetchProblem

_FIRST = 64 * 1024
_LARGEST = 8 * 1024 * 1024
_KEPT = 32 * 1024 * 1024
_TAIL = 256 * 1024


class NoRanges(Unreadable):
    """The server sends whole files only."""


_KINDS: Mapping[FetchProblem, type[Unreadable]] = {
    FetchProblem.NO_RANGES: NoRanges,
    FetchProblem.NOT_FOUND: Unreadable,
    FetchProblem.CORRUPT: Unreadable,
    FetchProblem.TOO_BIG: Unreadable,
}
"""What a fault says of the file itself; every other one is about the network of this moment."""


def unread(fault: FetchFault) -> Unreadable:
    """What a request without an answer means for whoever wanted to read the file."""
    return _KINDS.get(fault.problem, OutOfReach)(fault.text)


class Remote:
    """A remote file as a Source. Memory is bounded; `asked` counts the bytes that came."""

    def __init__(self, fetcher: Fetcher, url: str, *, budget: int) -> None:
        self._fetcher = fetcher
        self._url = url
        self._left = budget
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._held = 0
        self._step = _FIRST
        self._next = -1
        self.asked = 0
        self.requests = 0
        self.size, tail = self._tail()
        self._tail_at = self.size - len(tail)
        self._tail_bytes = tail

    def read(self, offset: int, size: int) -> bytes:
        """Those bytes. Raises Unreadable when the server does not give them."""
        check_span(offset, size, self.size)
        parts: list[bytes] = []
        at, end = offset, offset + size
        while at < end:
            part = self._at_hand(at, end)
            if part is None:
                self._fetch(at, end)
                continue
            parts.append(part)
            at += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _at_hand(self, at: int, end: int) -> bytes | None:
        if at >= self._tail_at:
            return self._tail_bytes[at - self._tail_at : end - self._tail_at]
        for start, block in self._blocks.items():
            if start <= at < start + len(block):
                self._blocks.move_to_end(start)
                return block[at - start : end - start]
        return None

    def _fetch(self, at: int, end: int) -> None:
        """Get a block that starts here; longer each time reading goes on where the last one ended."""
        self._step = min(_LARGEST, self._step * 2) if at == self._next else _FIRST
        stop = min(self._tail_at, max(at + self._step, min(end, at + _LARGEST)))
        body = self._ask(at, stop - 1)
        if len(body) != stop - at:
            raise OutOfReach(f"`{self._url}`: {stop - at} bytes were asked for, {len(body)} came")
        self._next = stop
        self._blocks[at] = body
        self._held += len(body)
        while self._held > _KEPT and len(self._blocks) > 1:
            self._held -= len(self._blocks.popitem(last=False)[1])

    def _tail(self) -> tuple[int, bytes]:
        """The size of the file and its last bytes, where a zip has its directory."""
        answer = self._get(-_TAIL, 0)
        if answer.total is None:
            raise OutOfReach(f"`{self._url}`: the server does not say how large the file is")
        if len(answer.body) != min(_TAIL, answer.total):
            raise OutOfReach(f"`{self._url}`: the server's answer does not have the length it states")
        return answer.total, answer.body

    def _ask(self, start: int, end: int) -> bytes:
        answer = self._get(start, end)
        if answer.total is not None and answer.total != self.size:
            raise OutOfReach(f"`{self._url}` changed its size while it was read")
        return answer.body

    def _get(self, start: int, end: int) -> Fetched:
        wanted = -start if start < 0 else end - start + 1
        if wanted > self._left:
            raise Unreadable(f"`{self._url}`: more would have to be read than allowed")
        self._left -= wanted
        self.requests += 1
        answer = self._fetcher.get_range(self._url, start, end)
        if isinstance(answer, FetchFault):
            raise unread(answer)
        self.asked += len(answer.body)
        return answer
