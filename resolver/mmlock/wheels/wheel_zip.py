"""The zip archive of a wheel, looked at before anything of it is unpacked: names, sizes, kinds, places.

Two programs may read one archive in two ways (uv, pip, Python and the system's unzip do differ). What could
be read in more than one way is refused here.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from mmlock.files.names import NameProblem, UnsafeNameError, bare_file_name

__all__ = ["MAX_TEXT", "read_text", "zip_faults"]

MAX_TEXT = 64 * 2**20
"""Bytes of METADATA, WHEEL or RECORD; the RECORD of torch has two million."""

_MAX_BYTES = 32 * 2**30
_MAX_MEMBERS = 200_000
_RATIO = 100
"""Times that a wheel may grow when it is unpacked: those of torch grow by 3, zeros by 1000."""
_FREE = 64 * 2**20
"""Bytes that may always be unpacked: small files shrink well."""
_PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_LOCAL_HEADER = b"PK\x03\x04"
_SHOWN = 80


def zip_faults(path: Path) -> Iterator[str]:
    """What speaks against unpacking a wheel, as sentences. Its members are not read.

    Raises zipfile.BadZipFile and OSError for what is no archive at all.
    """
    with path.open("rb") as stream:
        if stream.read(4) != _LOCAL_HEADER:
            yield "there is data before its first member"
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MAX_MEMBERS:
            yield f"it holds {len(members)} members, more than {_MAX_MEMBERS}"
            return
        total = sum(info.file_size for info in members)
        if total > min(_MAX_BYTES, _FREE + _RATIO * path.stat().st_size):
            yield f"its {path.stat().st_size} bytes would become {total}, which no real wheel does"
        yield from _names(members)
        for info in members:
            yield from _kind(info)
        yield from _overlaps(members)


def read_text(archive: zipfile.ZipFile, name: str) -> str:
    """A text of a wheel. Raises zipfile.BadZipFile when it is too large or is not what its checksum says."""
    info = archive.getinfo(name)
    if info.file_size > MAX_TEXT:
        raise zipfile.BadZipFile(f"`{name}` has {info.file_size} bytes")
    try:
        return archive.read(info).decode("utf-8", "replace")
    except (EOFError, RuntimeError, ValueError, zlib.error) as error:  # what zipfile lets through
        raise zipfile.BadZipFile(f"`{name}` cannot be read: {error}") from error


def _names(members: list[zipfile.ZipInfo]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for info in members:
        # `orig_filename` is what stands in the archive: zipfile cuts names at a null character.
        name = info.orig_filename
        for part in name.removesuffix("/").split("/"):
            try:
                bare_file_name(part)
            except UnsafeNameError as error:
                # What only Windows cannot store, wheels for other systems do hold.
                if error.problem is NameProblem.RESERVED:
                    continue
                yield f"`{_shown(name)}` would not be written as one file in the environment: {error}"
                break
        key = name.removesuffix("/").casefold()
        if key in seen:
            yield f"`{_shown(name)}` is there twice" + (
                f", as `{_shown(seen[key])}`, too" if seen[key] != name else ""
            )
        seen[key] = name


def _kind(info: zipfile.ZipInfo) -> Iterator[str]:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        yield f"`{_shown(info.filename)}` is neither a file nor a folder"
    if info.flag_bits & _ENCRYPTED:
        yield f"`{_shown(info.filename)}` is encrypted"
    if info.compress_type not in _PACKINGS:
        yield f"`{_shown(info.filename)}` is packed in a way that installers do not know"


def _overlaps(members: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Members that share bytes: a small archive that unpacks without end."""
    end, before = 0, ""
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            yield f"`{_shown(info.filename)}` shares bytes with `{_shown(before)}`"
        end, before = info.header_offset + info.compress_size, info.filename


def _shown(text: str) -> str:
    return ascii(text[:_SHOWN])[1:-1]
