"""Where bytes come from: files, memory, anything that can be read at an offset."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Protocol

from msgspec import Struct


class Unreadable(Exception):
    """Bytes that are not what they claim to be, or that cannot be read. The text is a clause."""


class OutOfReach(Unreadable):
    """Bytes that did not come over the network today: this says nothing of the file."""


class BeyondPrefix(Unreadable):
    """What is wanted comes later in a stream than was agreed to read."""


class Source(Protocol):
    """Bytes that can be read anywhere."""

    @property
    def size(self) -> int:
        """How many there are; for a stream, how many it says there are."""
        ...

    def read(self, offset: int, size: int) -> bytes:
        """Exactly those bytes. Raises Unreadable when they are not all there."""
        ...


def check_span(offset: int, size: int, total: int, what: str = "bytes") -> None:
    """Raise Unreadable unless the span is inside the file."""
    if offset < 0 or size < 0 or offset + size > total:
        raise Unreadable(f"{what} {offset}-{offset + size} are outside the file of {total} bytes")


class Memory(Struct, frozen=True):
    """Bytes at hand, or a memory map of a file."""

    data: bytes | mmap.mmap

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        """Those bytes. Raises Unreadable when they are not all there."""
        check_span(offset, size, len(self.data))
        return self.data[offset : offset + size]


class MappedFile:
    """A file on disk, mapped: only what is looked at is read. A context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map: mmap.mmap | None = None

    def __enter__(self) -> Source:
        try:
            # A pipe would wait for a writer without O_NONBLOCK.
            flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            with os.fdopen(os.open(self._path, flags), "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise Unreadable("is not a file")
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file cannot be mapped
            return Memory(b"")
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror or error}") from error
        return Memory(self._map)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None
