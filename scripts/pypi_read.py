"""Reading PyPI: pages, and single entries of remote archives by HTTP range."""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import httpx

from mmlock.matrix.model import File

__all__ = ["Reader", "Unreadable"]

_BLOCK = 1 << 16
_WHOLE_LIMIT = 64 << 20
"""A server that ignores ranges sends the whole file; more than this is refused."""
_ATTEMPTS = 4
_RETRIED = frozenset({429, 500, 502, 503, 504})


class Unreadable(Exception):
    """A page or file could not be read: says which, and why."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One client for all requests; answers are kept in `cache` when that is given."""

    client: httpx.Client
    cache: Path | None = None

    def page(self, url: str) -> bytes:
        """A page, whole. Raises Unreadable."""
        kept = self._kept(url)
        if kept is not None and kept.is_file():
            return kept.read_bytes()
        data = self._get(url, {}).content
        self._keep(kept, data)
        return data

    def wheel_metadata(self, file: File) -> bytes | None:
        """METADATA of a wheel, read by range; None when the wheel has none. Raises Unreadable."""
        kept = self._kept(f"{file.url}#METADATA")
        if kept is not None and kept.is_file():
            return kept.read_bytes()
        try:
            with zipfile.ZipFile(_Remote(self, file)) as archive:
                names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
                if not names:
                    return None
                data = archive.read(min(names, key=len))
        except (zipfile.BadZipFile, ValueError) as fault:
            raise Unreadable(f"{file.url}: not a readable wheel: {fault}") from fault
        self._keep(kept, data)
        return data

    def sdist_metadata(self, file: File) -> bytes:
        """PKG-INFO of an sdist, its requirements in it. Raises Unreadable."""
        kept = self._kept(f"{file.url}#PKG-INFO")
        if kept is not None and kept.is_file():
            return kept.read_bytes()
        data = pkg_info(self._get(file.url, {}).content, file.url)
        self._keep(kept, data)
        return data

    def span(self, file: File, start: int, end: int) -> bytes:
        """Bytes start..end (exclusive) of a remote file."""
        response = self._get(file.url, {"Range": f"bytes={start}-{end - 1}"})
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            return response.content
        return response.content[start:end]

    def _get(self, url: str, headers: dict[str, str]) -> httpx.Response:
        for attempt in range(_ATTEMPTS):
            try:
                with self.client.stream("GET", url, headers=headers) as response:
                    if response.status_code in _RETRIED and attempt + 1 < _ATTEMPTS:
                        time.sleep(2**attempt)
                        continue
                    response.raise_for_status()
                    if int(response.headers.get("content-length", 0)) > _WHOLE_LIMIT:
                        raise Unreadable(
                            f"{url}: the server ignores ranges and the file is too big to read whole"
                        )
                    response.read()
                    return response
            except httpx.HTTPStatusError as fault:
                raise Unreadable(f"{url}: {fault.response.status_code}") from fault
            except httpx.TransportError as fault:
                if attempt + 1 == _ATTEMPTS:
                    raise Unreadable(f"{url}: {fault!r}") from fault
                time.sleep(2**attempt)
        raise Unreadable(f"{url}: no answer after {_ATTEMPTS} attempts")

    def _kept(self, key: str) -> Path | None:
        return self.cache / hashlib.sha256(key.encode()).hexdigest() if self.cache else None

    @staticmethod
    def _keep(path: Path | None, data: bytes) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_suffix(".new")
            aside.write_bytes(data)
            aside.replace(path)


class _Remote(io.RawIOBase):
    """A remote file for zipfile: reads blocks by range and keeps them."""

    def __init__(self, reader: Reader, file: File) -> None:
        super().__init__()
        if file.size is None:
            raise ValueError("its size is not known")
        self._reader, self._file, self._size = reader, file, file.size
        self._position = 0
        self._spans: list[tuple[int, bytes]] = []

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._position + size)
        data = self._read(self._position, end) if end > self._position else b""
        self._position += len(data)
        return data

    def _read(self, start: int, end: int) -> bytes:
        for at, data in self._spans:
            if at <= start and end <= at + len(data):
                return data[start - at : end - at]
        # The end of the archive is asked for in small steps; a block serves them all.
        first = max(0, min(start, self._size - _BLOCK))
        last = min(self._size, max(end, first + _BLOCK))
        data = self._reader.span(self._file, first, last)
        if len(data) < end - first:
            raise ValueError("the server sent less than was asked for")
        self._spans.append((first, data))
        return data[start - first : end - first]


def pkg_info(data: bytes, name: str) -> bytes:
    """PKG-INFO with its requirements. Old setuptools kept them in requires.txt only.

    Raises Unreadable.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            members = {member.name: member for member in archive.getmembers() if member.isfile()}
            infos = sorted((path for path in members if path.endswith("/PKG-INFO")), key=len)
            if not infos:
                raise Unreadable(f"{name}: no PKG-INFO in it")
            info = _member(archive, members[infos[0]])
            listed = next((path for path in members if path.endswith(".egg-info/requires.txt")), None)
            if b"\nRequires-Dist:" in info or listed is None:
                return info
            return from_requires_txt(info, _member(archive, members[listed]))
    except (tarfile.TarError, zlib.error, EOFError) as fault:
        raise Unreadable(f"{name}: not a readable archive: {fault}") from fault


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return stream.read() if stream else b""


def from_requires_txt(info: bytes, listed: bytes) -> bytes:
    """The header of PKG-INFO with `Requires-Dist` lines made of requires.txt."""
    lines, extra, marker = [], "", ""
    for line in listed.decode().splitlines():
        if line.startswith("["):
            extra, _, marker = line.strip("[]").partition(":")
        elif line.strip():
            conditions = [part for part in (marker, f'extra == "{extra}"' if extra else "") if part]
            lines.append(f"Requires-Dist: {line}" + (f" ; {' and '.join(conditions)}" if conditions else ""))
    header = info.decode(errors="replace").split("\n\n", 1)[0].rstrip("\n")
    return "\n".join([header, *lines, "", ""]).encode()
