"""A wheel as a zip file, read with suspicion: entries by name, each as bytes or as a growing prefix."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from msgspec import Struct

from mmlock.binary.reading import BeyondPrefix, Source, Unreadable, check_span

_STORED, _DEFLATED = 0, 8
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x1
_END_SIZE = 22 + 65535
"""Of the record at the end of an archive, its comment included."""
_CHUNK = 256 * 1024


class ArchiveLimits(Struct, frozen=True, kw_only=True):
    """How much may be read and unpacked before an archive is refused."""

    directory: int = 16 * 1024 * 1024
    entry: int = 4 * 1024**3
    """Unpacked size of one file."""
    ratio: int = 200
    """Unpacked to packed; GPU code and machine code stay below 20."""
    ratio_from: int = 32 * 1024 * 1024
    """Files smaller than this may be packed as tightly as they like."""
    text: int = 8 * 1024 * 1024
    """Unpacked size of METADATA and the like."""


class Member(Struct, frozen=True, kw_only=True):
    """A file in the archive."""

    path: str
    size: int
    packed: int
    crc: int
    header_at: int
    method: int


class Archive:
    """The directory of a zip file and access to its members. Raises Unreadable throughout."""

    def __init__(self, source: Source, limits: ArchiveLimits | None = None) -> None:
        self.source = source
        self.limits = limits or ArchiveLimits()
        self.members: Mapping[str, Member] = _directory(source, self.limits)

    def text(self, path: str) -> bytes:
        """A small file as a whole."""
        member = self.members[path]
        if member.size > self.limits.text:
            raise Unreadable(f"`{path}` claims {member.size} bytes")
        return b"".join(self.chunks(member))

    def chunks(self, member: Member) -> Iterator[bytes]:
        """The unpacked bytes of a member, checked against its size and checksum at the end."""
        self.check(member)
        size, crc = 0, 0
        for chunk in self._unpacked(member):
            size += len(chunk)
            if size > member.size:
                raise Unreadable(f"`{member.path}` unpacks to more than the {member.size} bytes it claims")
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if size != member.size:
            raise Unreadable(f"`{member.path}` unpacks to {size} bytes, not the {member.size} it claims")
        if crc != member.crc:
            raise Unreadable(f"`{member.path}` is damaged: its checksum differs")

    def check(self, member: Member) -> None:
        """Raise Unreadable when a member must not be unpacked at all."""
        if member.size > self.limits.entry:
            raise Unreadable(f"`{member.path}` claims {member.size} bytes, more than is unpacked")
        if member.size > self.limits.ratio_from and member.size > self.limits.ratio * max(1, member.packed):
            raise Unreadable(
                f"`{member.path}` claims to unpack from {member.packed} to {member.size} bytes: a zip bomb"
            )

    def _unpacked(self, member: Member) -> Iterator[bytes]:
        at = self._data_at(member)
        engine = zlib.decompressobj(-15) if member.method == _DEFLATED else None
        for start in range(0, member.packed, _CHUNK):
            packed = self.source.read(at + start, min(_CHUNK, member.packed - start))
            if engine is None:
                yield packed
                continue
            yield from _inflated(engine, packed, member.path)
            if engine.eof:
                return
        if engine is not None and not engine.eof:
            raise Unreadable(f"`{member.path}` is cut short")

    def _data_at(self, member: Member) -> int:
        """Where the packed bytes start: after the local header, whose length only it knows."""
        raw = self.source.read(member.header_at, _LOCAL.size)
        magic, _, flags, method, *_, name, extra = _LOCAL.unpack(raw)
        if magic != b"PK\x03\x04" or method != member.method:
            raise Unreadable(f"`{member.path}` is not where the directory says")
        if flags & _ENCRYPTED:
            raise Unreadable(f"`{member.path}` is encrypted")
        at = member.header_at + _LOCAL.size + int(name) + int(extra)
        check_span(at, member.packed, self.source.size, f"`{member.path}`: bytes")
        return at


def _inflated(engine: zlib._Decompress, packed: bytes, path: str) -> Iterator[bytes]:
    """Inflate in bounded steps: one chunk can blow up a thousandfold."""
    rest = packed
    while rest:
        try:
            chunk = engine.decompress(rest, _CHUNK)
        except zlib.error as error:
            raise Unreadable(f"`{path}` cannot be unpacked: {error}") from error
        rest = engine.unconsumed_tail
        if chunk:
            yield chunk
        elif not rest or engine.eof:
            return


class Prefix:
    """The beginning of a member, unpacked as far as someone looks: a Source that grows.

    Looking further than `limit` unpacked bytes raises BeyondPrefix.
    """

    def __init__(self, archive: Archive, member: Member, limit: int) -> None:
        archive.check(member)
        self._stream = archive.chunks(member)
        self._data = bytearray()
        self._limit = min(limit, member.size)
        self.size = member.size

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the unpacked file."""
        end = offset + size
        check_span(offset, size, self.size)
        if end > self._limit:
            raise BeyondPrefix(f"only the first {self._limit} bytes are looked at")
        self._grow(end)
        return bytes(self._data[offset:end])

    def find(self, mark: bytes, offset: int) -> int:
        """Where a mark is at or after an offset, at a multiple of 8; -1 when not within the limit."""
        at = offset
        while True:
            at = self._data.find(mark, at, self._limit)
            if at >= 0 and at % 8 == 0:
                return at
            if at >= 0:
                at += 1
                continue
            if len(self._data) >= self._limit:
                return -1
            at = max(offset, len(self._data) - len(mark) + 1)
            self._grow(min(self._limit, len(self._data) + _CHUNK))

    def _grow(self, end: int) -> None:
        while len(self._data) < end:
            chunk = next(self._stream, None)
            if chunk is None:
                raise Unreadable("is cut short")
            self._data += chunk


# ---------------------------------------------------------------- the directory


class _Window(io.RawIOBase):
    """A Source as the file object that zipfile wants."""

    def __init__(self, source: Source, budget: int) -> None:
        super().__init__()
        self._source = source
        self._at = 0
        self._left = budget

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence] + offset
        if at < 0:
            raise OSError("an offset before the file")
        self._at = at
        return at

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self._source.size - self._at)
        size = left if size < 0 else min(size, left)
        self._left -= size
        if self._left < 0:
            raise Unreadable("has a directory larger than any wheel needs")
        data = self._source.read(self._at, size) if size else b""
        self._at += size
        return data


def _directory(source: Source, limits: ArchiveLimits) -> Mapping[str, Member]:
    window: IO[bytes] = _Window(source, limits.directory)  # type: ignore[assignment]
    try:
        with ZipFile(window) as archive:
            infos = archive.infolist()
    except (BadZipFile, EOFError, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise Unreadable(f"is no readable zip archive: {error}") from error
    _check_disks(source)
    members: dict[str, Member] = {}
    for info in infos:
        if info.filename in members:
            raise Unreadable(f"has `{info.filename}` twice")
        members[info.filename] = _member(info)
    _check_spans(members.values(), source.size)
    return members


def _check_disks(source: Source) -> None:
    """zipfile overlooks that an archive is one part of several."""
    size = min(source.size, _END_SIZE)
    tail = source.read(source.size - size, size)
    at = tail.rfind(b"PK\x05\x06")
    disks = struct.unpack_from("<HH", tail, at + 4) if 0 <= at <= len(tail) - 8 else (0, 0)
    if any(disk not in {0, 0xFFFF} for disk in disks):
        raise Unreadable("is one part of an archive of several disks")


def _member(info: ZipInfo) -> Member:
    # `info.is_dir()` raises IndexError where a member has no name.
    if info.compress_type not in {_STORED, _DEFLATED} and not info.filename.endswith("/"):
        raise Unreadable(
            f"`{info.filename}` is packed with method {info.compress_type}, which wheels do not use"
        )
    return Member(
        path=info.filename,
        size=info.file_size,
        packed=info.compress_size,
        crc=info.CRC,
        header_at=info.header_offset,
        method=info.compress_type,
    )


def _check_spans(members: Iterable[Member], size: int) -> None:
    """No two members may share bytes: that is how small archives unpack to enormous ones."""
    end = 0
    previous = ""
    for member in sorted(members, key=lambda member: member.header_at):
        check_span(member.header_at, _LOCAL.size + member.packed, size, f"`{member.path}`: bytes")
        if member.header_at < end:
            raise Unreadable(f"`{previous}` and `{member.path}` overlap")
        end = member.header_at + _LOCAL.size + member.packed
        previous = member.path
