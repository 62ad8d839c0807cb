"""The text files of an sdist or wheel, taken out of its bytes. Nothing is written, nothing is run."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping

from msgspec import Struct

from mmlock.files.tar_headers import BROKEN, HostileTarError, TooMuchError, look_over

__all__ = ["ArchiveTree", "BadArchive", "bare_info", "pkg_info", "read_tree", "requires_txt"]

_LIMIT = 512 * 1024 * 1024
"""Bytes an archive may unpack to; the largest release is a tenth of it."""
_MOST_MEMBERS = 200_000
_FILE_LIMIT = 4 * 1024 * 1024
"""Text files are smaller; what is larger is data."""
_TEXT = (".py", ".txt", ".toml", ".cfg", "PKG-INFO", "METADATA", ".in")


class BadArchive(Exception):
    """An archive that cannot be read: says which, and why."""


class ArchiveTree(Struct, frozen=True, kw_only=True):
    """An archive: every path below its root folder, and the bytes of what is text."""

    paths: frozenset[str]
    texts: Mapping[str, bytes]

    def text(self, path: str) -> str | None:
        """One file as text."""
        data = self.texts.get(path)
        return data.decode("utf-8-sig", "replace") if data is not None else None


def read_tree(name: str, data: bytes) -> ArchiveTree:
    """The tree of an archive. Raises BadArchive."""
    members = _zip(data, name) if name.endswith((".whl", ".zip")) else _tar(data, name)
    try:
        found = dict(members)
    except TooMuchError as fault:
        raise BadArchive(f"{name}: it unpacks to more than {_LIMIT} bytes") from fault
    except HostileTarError as fault:
        raise BadArchive(f"{name}: it {fault}") from fault
    except (OSError, *BROKEN) as fault:
        raise BadArchive(f"{name}: not a readable archive: {fault}") from fault
    if not name.endswith(".whl"):
        found = _below_root(found)
    texts = {path: body for path, body in found.items() if body is not None}
    return ArchiveTree(paths=frozenset(found), texts=texts)


def _is_plain(path: str) -> bool:
    """Whether a member's path stays inside: others are no part of any package."""
    return not path.startswith("/") and ".." not in path.split("/") and "\\" not in path and "\0" not in path


def _below_root(found: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """Paths without the one folder that everything in an sdist is in."""
    return {path.partition("/")[2]: body for path, body in found.items() if "/" in path}


def _wanted(path: str, size: int) -> bool:
    return path.endswith(_TEXT) and size <= _FILE_LIMIT


class _Bounded(io.RawIOBase):
    """A stream that ends with an error once too much has come out of it."""

    def __init__(self, stream: io.BufferedIOBase | gzip.GzipFile) -> None:
        super().__init__()
        self._stream = stream
        self._left = _LIMIT

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise OSError(f"it unpacks to more than {_LIMIT} bytes")
        return data


def _tar(data: bytes, name: str) -> Iterator[tuple[str, bytes | None]]:
    raw = io.BytesIO(data)
    look_over(raw, most_bytes=_LIMIT, most_members=_MOST_MEMBERS)
    stream: io.BufferedIOBase | gzip.GzipFile = raw
    if data[:2] == b"\x1f\x8b":
        stream = gzip.GzipFile(fileobj=raw)
    mode = "r|" if stream is not raw else "r|*"
    with tarfile.open(fileobj=_Bounded(stream), mode=mode, name=name) as archive:  # type: ignore[call-overload]
        for member in archive:
            if not member.isfile() or not _is_plain(member.name):
                continue
            path = member.name.removeprefix("./")
            taken = archive.extractfile(member) if _wanted(path, member.size) else None
            yield path, taken.read() if taken else None


def _zip(data: bytes, name: str) -> Iterator[tuple[str, bytes | None]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _LIMIT:
            raise BadArchive(f"{name}: it unpacks to more than {_LIMIT} bytes")
        for member in archive.infolist():
            if member.filename.endswith("/") or not _is_plain(member.filename):
                continue
            yield (
                member.filename,
                archive.read(member) if _wanted(member.filename, member.file_size) else None,
            )


# ---------------------------------------------------------------- metadata of sdists


def bare_info(tree: ArchiveTree, name: str) -> bytes:
    """PKG-INFO of an sdist as it is. Raises BadArchive."""
    infos = sorted((path for path in tree.texts if path.split("/")[-1] == "PKG-INFO"), key=len)
    if not infos:
        raise BadArchive(f"{name}: no PKG-INFO in it")
    return tree.texts[infos[0]]


def pkg_info(tree: ArchiveTree, name: str) -> bytes:
    """PKG-INFO with its requirements. Old setuptools kept them in requires.txt only.

    Raises BadArchive.
    """
    info = bare_info(tree, name)
    listed = requires_txt(tree)
    if b"\nRequires-Dist:" in info or listed is None:
        return info
    return _joined(info, listed)


def requires_txt(tree: ArchiveTree) -> str | None:
    """The egg-info's requires.txt, where there is one."""
    found = sorted((path for path in tree.texts if path.endswith(".egg-info/requires.txt")), key=len)
    return tree.text(found[0]) if found else None


def _joined(info: bytes, listed: str) -> bytes:
    """The header of PKG-INFO with `Requires-Dist` lines made of requires.txt."""
    lines, extra, marker = [], "", ""
    for line in listed.splitlines():
        if line.startswith("["):
            extra, _, marker = line.strip("[] ").partition(":")
            lines += [f"Provides-Extra: {extra}"] if extra else []
        elif line.strip():
            own = [f"({marker})"] if marker else []
            conditions = [*own, f'extra == "{extra}"'] if extra else own
            lines.append(f"Requires-Dist: {line}" + (f" ; {' and '.join(conditions)}" if conditions else ""))
    header = info.decode(errors="replace").split("\n\n", 1)[0].rstrip("\n")
    return "\n".join([header, *lines, "", ""]).encode()
