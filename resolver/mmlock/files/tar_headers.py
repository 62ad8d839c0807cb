"""Looks over an archive of a stranger before it is read, and tells its faults from those of the disk.

`tarfile` believes what headers say: a long name or extended attributes are read into memory whole, a negative
size leads back to where the reader was, and a sparse map is read block by block for as long as it says.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BROKEN", "HostileTarError", "TooMuchError", "is_of_archive", "look_over"]

LARGEST_HEADER = 16 * 1024
"""Bytes of a long name or of extended attributes; paths have a few hundred."""
_MOST_IN_A_ROW = 8
"""Headers about one member."""
_BLOCK = 1 << 16
_ROOM = 1 << 20
"""Bytes that may be behind the last member."""
_ABOUT_THE_NEXT = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)

BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,  # a member is encrypted
    ValueError,
)
"""What readers of archives raise for one that is broken; see `is_of_archive` for OSError."""

_OF_NAMES = frozenset(
    {None, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EINVAL}
)


class HostileTarError(Exception):
    """A tar that no packer makes; the text completes "it ..."."""


class TooMuchError(Exception):
    """More bytes or members than allowed."""


def is_of_archive(error: OSError) -> bool:
    """Whether the archive is at fault, and not the disk: broken bytes, or names that no folder can hold."""
    return error.errno in _OF_NAMES


def look_over(raw: IO[bytes], *, most_bytes: int, most_members: int) -> None:
    """Read a tar through, compressed or not, and hold none of it in memory but one header.

    Raises HostileTarError, TooMuchError, one of BROKEN, or OSError (see `is_of_archive`). Leaves `raw` at its
    start.
    """
    with _Watched(_plain(raw)) as stream:
        # `tarinfo` is what makes each header of the raw block.
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:", tarinfo=stream.header) as tar:
            total = 0
            for count, member in enumerate(tar, 1):
                stream.headers = 0
                total += member.size
                if member.size < 0:
                    raise HostileTarError("states a negative size")
                if count > most_members or total > most_bytes:
                    raise TooMuchError
        stream.drain(most_bytes + _ROOM)
    raw.seek(0)


def _plain(raw: IO[bytes]) -> IO[bytes]:
    """The tar without its compression, which its first bytes tell."""
    start = raw.read(6)
    raw.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if start.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(raw))
    if start.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return cast("IO[bytes]", lzma.LZMAFile(raw))
    return raw


class _Watched:
    """A stream from which no more than the headers of a member are read between two members."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.headers = 0
        """Of the member that is read now."""
        self._left = 0
        watched = self

        class Header(tarfile.TarInfo):
            @classmethod
            def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
                made = super().frombuf(buf, encoding, errors)
                watched.see(made)
                return made

        self.header = Header

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """The stream belongs to whoever made it."""

    def see(self, header: tarfile.TarInfo) -> None:
        """Look at a header as it is, before anything is done about it."""
        self.headers += 1
        self._left = 2 * LARGEST_HEADER
        if header.size < 0:
            raise HostileTarError("states a negative size")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise HostileTarError("holds a sparse file")
        if header.type in _ABOUT_THE_NEXT and header.size > LARGEST_HEADER:
            raise HostileTarError(f"has a header of {header.size} bytes")
        if self.headers > _MOST_IN_A_ROW:
            raise HostileTarError("has too many headers in a row")

    def read(self, size: int = -1, /) -> bytes:
        """At most what the headers of one member need."""
        if size < 0 or size > 2 * LARGEST_HEADER:
            raise HostileTarError("has a header that is too long")
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < -2 * LARGEST_HEADER:
            raise HostileTarError("has a header that is too long")
        return data

    def drain(self, most: int) -> None:
        """Read to the end: the checksum of what is compressed is there."""
        while data := self._stream.read(_BLOCK):
            most -= len(data)
            if most < 0:
                raise TooMuchError

    def seek(self, place: int, whence: int = 0, /) -> int:
        """Go to where the next header is."""
        return self._stream.seek(place, whence)

    def tell(self) -> int:
        """Where it is."""
        return self._stream.tell()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
