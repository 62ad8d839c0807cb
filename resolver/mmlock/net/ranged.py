"""A remote zip read by range requests: the METADATA of a wheel for some kilobytes of a gigabyte."""

from __future__ import annotations

import io
import re
import zlib
from zipfile import BadZipFile, ZipFile

from msgspec.structs import force_setattr

from mmlock.net.credentials import bare, redact
from mmlock.net.fetching import Fetched, Fetcher, FetchFault, FetchProblem, NetFault

METADATA = r"[^/]+\.dist-info/METADATA"
_CHUNK = 64 * 1024


class RangeFault(NetFault, frozen=True, kw_only=True):
    """Why a remote file could not be read in parts."""

    url: str
    problem: FetchProblem | None = None
    """What the client met; None: the bytes came and are no readable wheel."""

    def __post_init__(self) -> None:
        NetFault.__post_init__(self)
        force_setattr(self, "url", bare(self.url))


class _Gave(OSError):
    """Carries a fault through zipfile, which knows exceptions only."""

    def __init__(self, text: str, problem: FetchProblem | None = None) -> None:
        self.text = redact(text)
        super().__init__(self.text)
        self.problem = problem


class RangedFile(io.RawIOBase):
    """A remote file that can be read anywhere; every byte is requested once, in chunks.

    Reading raises OSError when the server gives up or `budget` bytes have been read.
    """

    def __init__(self, fetcher: Fetcher, url: str, *, budget: int, chunk: int = _CHUNK) -> None:
        super().__init__()
        self._fetcher = fetcher
        self._url = url
        self._chunk = chunk
        self._chunks: dict[int, bytes] = {}
        self._position = 0
        self._left = budget
        self.requests = 0
        self._size, tail = self._tail()
        self._tail_start, self._tail_bytes = self._size - len(tail), tail

    @property
    def size(self) -> int:
        return self._size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        end = self._size if size < 0 else min(self._size, self._position + size)
        data = self._between(self._position, end)
        self._position += len(data)
        return data

    def _between(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        if start >= self._tail_start:
            return self._tail_bytes[start - self._tail_start : end - self._tail_start]
        first, last = start // self._chunk, (end - 1) // self._chunk
        self._want(first, last)
        data = b"".join(self._chunks[at] for at in range(first, last + 1))
        return data[start - first * self._chunk : end - first * self._chunk]

    def _want(self, first: int, last: int) -> None:
        """Fetch the chunks that are missing, neighbours in one request."""
        missing = [at for at in range(first, last + 1) if at not in self._chunks]
        if not missing:
            return
        start = missing[0] * self._chunk
        end = min(self._size, (missing[-1] + 1) * self._chunk)
        body = self._ask(start, end - 1).body
        if len(body) != end - start:
            raise _Gave(f"`{self._url}`: {end - start} bytes were asked for, {len(body)} came")
        for at in range(missing[0], missing[-1] + 1):
            offset = at * self._chunk - start
            self._chunks[at] = body[offset : offset + self._chunk]

    def _tail(self) -> tuple[int, bytes]:
        """The size of the file and its last bytes, where a zip has its directory."""
        answer = self._ask(-self._chunk, 0)
        if answer.total is None:
            raise _Gave(f"`{self._url}`: the server does not say how large the file is")
        return answer.total, answer.body

    def _ask(self, start: int, end: int) -> Fetched:
        wanted = -start if start < 0 else end - start + 1
        if wanted > self._left:
            raise _Gave(f"`{self._url}`: more would have to be read than allowed")
        self._left -= wanted
        self.requests += 1
        answer = self._fetcher.get_range(self._url, start, end)
        if isinstance(answer, FetchFault):
            raise _Gave(answer.text, answer.problem)
        return answer


def read_metadata(fetcher: Fetcher, url: str, *, budget: int = 8 * 1024 * 1024) -> bytes | RangeFault:
    """The METADATA of a remote wheel, without downloading the wheel."""
    return read_member(fetcher, url, METADATA, budget=budget)


def read_member(
    fetcher: Fetcher, url: str, member: str, *, budget: int = 8 * 1024 * 1024, chunk: int = _CHUNK
) -> bytes | RangeFault:
    """The one member of a remote wheel whose path the expression matches."""
    try:
        return _member(RangedFile(fetcher, url, budget=budget, chunk=chunk), url, member, budget)
    except _Gave as gave:
        return RangeFault(url=url, text=gave.text, problem=gave.problem)


def member_of(data: bytes, url: str, member: str, *, budget: int = 8 * 1024 * 1024) -> bytes | RangeFault:
    """The same of a wheel that came whole."""
    return _member(io.BytesIO(data), url, member, budget)


def _member(file: io.RawIOBase | io.BytesIO, url: str, member: str, budget: int) -> bytes | RangeFault:
    pattern = re.compile(member)
    what = "METADATA" if member == METADATA else f"`{member}`"
    try:
        with ZipFile(file) as archive:
            names = [name for name in archive.namelist() if pattern.fullmatch(name)]
            if len(names) != 1:
                return RangeFault(url=url, text=f"`{url}` has {len(names)} {what} files, not one")
            if archive.getinfo(names[0]).file_size > budget:
                return RangeFault(url=url, text=f"`{url}`: its {what} is larger than allowed")
            return archive.read(names[0])
    except _Gave:
        raise
    except (BadZipFile, OSError, EOFError, NotImplementedError, ValueError, zlib.error) as error:
        return RangeFault(url=url, text=f"`{url}` is no readable wheel: {error}")
