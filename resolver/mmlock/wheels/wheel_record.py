"""The RECORD of a wheel: each member once, with the hash and the size that it really has, and no more."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from mmlock.wheels.wheel_zip import read_text

__all__ = ["record_fault", "record_faults"]

_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
"""Those that the wheel format allows: sha256 or better."""
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_UNREADABLE = (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error)
_BLOCK = 1 << 20
_FIELDS = 3


def record_fault(path: Path) -> str | None:
    """The first thing that contradicts the RECORD inside a wheel; None when all of it holds."""
    return next(record_faults(path), None)


def record_faults(path: Path) -> Iterator[str]:
    """All that contradicts the RECORD inside a wheel, which is read whole: checksums are compared, too."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _faults(archive)
    except (*_UNREADABLE, csv.Error) as error:
        yield f"it is no whole wheel: {str(error) or type(error).__name__}"


def _faults(archive: zipfile.ZipFile) -> Iterator[str]:
    members = {info.filename: info for info in archive.infolist() if not info.filename.endswith("/")}
    named = [name for name in members if name.endswith(".dist-info/RECORD") and name.count("/") == 1]
    if len(named) != 1:
        yield f"it holds {len(named)} RECORD files"
        return
    folder = named[0].rpartition("/")[0]
    unhashed = {f"{folder}/{name}" for name in _UNHASHED}
    rows: dict[str, tuple[str, str]] = {}
    for row in csv.reader(io.StringIO(read_text(archive, named[0]))):
        if not row:
            continue
        if row[0] in rows:
            yield f"`{row[0]}` is twice in its RECORD"
        rows[row[0]] = (row[1], row[2]) if len(row) == _FIELDS else ("", "")
    for name in rows:
        if name not in members:
            yield f"`{name}` is in its RECORD, but not in the wheel"
    for name, info in members.items():
        if name not in unhashed:
            yield from _member(archive, info, rows.get(name))


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, row: tuple[str, str] | None) -> Iterator[str]:
    name = info.filename
    method, _, wanted = row[0].partition("=") if row else ("", "", "")
    if method not in _HASHES:
        yield f"`{name}` has no sha256 in its RECORD"
        return
    if row and row[1] and row[1] != str(info.file_size):
        yield f"`{name}` has {info.file_size} bytes, its RECORD says {row[1][:20]}"
    digest = _HASHES[method]()
    with archive.open(info) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    if base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode() != wanted.rstrip("="):
        yield f"`{name}` is not what its RECORD says"
