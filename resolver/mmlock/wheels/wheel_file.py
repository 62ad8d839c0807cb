"""Reads a wheel, and writes it again with another version and more files in its dist-info."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from email.parser import HeaderParser
from pathlib import Path

from msgspec import Struct
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import PackageName
from mmlock.files.atomic import aside
from mmlock.wheels.wheel_zip import read_text, zip_faults

_STAMP_DEFAULT = (1980, 1, 1, 0, 0, 0)
_SHOWN = 6
_UNREADABLE = (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error)
"""What zipfile raises for archives that are damaged, encrypted or packed in an odd way."""
_MODE = 0o644 << 16
_MODE_RUN = 0o755 << 16


class WheelFacts(Struct, frozen=True, kw_only=True):
    """What a wheel says of itself."""

    path: Path
    name: PackageName
    version: str
    build: str
    """Build tag; empty when it has none."""
    tags: frozenset[Tag]
    members: tuple[str, ...]
    requires: tuple[str, ...]
    metadata_name: str
    metadata_version: str

    @property
    def pure(self) -> bool:
        """Whether it says that it runs anywhere."""
        return all(tag.platform == "any" for tag in self.tags)

    @property
    def dist_info(self) -> str:
        return next(name.split("/")[0] for name in self.members if name.endswith(".dist-info/METADATA"))

    @property
    def libraries(self) -> tuple[str, ...]:
        """The compiled files in it."""
        return tuple(name for name in self.members if name.endswith((".so", ".pyd", ".dylib")))


def read_wheel(path: Path) -> WheelFacts:
    """The facts of a wheel on disk. Raises EnvironmentFault when it is not one."""
    try:
        name, version, build, tags = parse_wheel_filename(path.name)
        if wrong := list(zip_faults(path)):
            raise _broken(path, *wrong[:_SHOWN])
        with zipfile.ZipFile(path) as archive:
            members = tuple(info.filename for info in archive.infolist() if not info.filename.endswith("/"))
            metadata = [m for m in members if m.endswith(".dist-info/METADATA") and m.count("/") == 1]
            if len(metadata) != 1:
                raise _broken(path, f"it holds {len(metadata)} METADATA files")
            headers = HeaderParser().parsestr(read_text(archive, metadata[0]))
    except (InvalidWheelFilename, InvalidVersion, *_UNREADABLE) as error:
        raise _broken(path, str(error)) from error
    return WheelFacts(
        path=path,
        name=PackageName(name),
        version=str(version),
        build="".join(str(part) for part in build),
        tags=tags,
        members=members,
        requires=tuple(headers.get_all("Requires-Dist") or ()),
        metadata_name=str(headers["Name"]),
        metadata_version=str(headers["Version"]),
    )


def _broken(path: Path, *why: str) -> EnvironmentFault:
    return EnvironmentFault(f"`{path.name}` is no whole wheel", causes=why)


class Rewrite(Struct, frozen=True, kw_only=True):
    """What a wheel becomes."""

    version: str
    build: str
    """Build tag."""
    extra: Mapping[str, bytes]
    """Files for the dist-info folder, by their path in it."""
    stamp: tuple[int, int, int, int, int, int] = _STAMP_DEFAULT
    """The time that every member bears."""


def rewrite_wheel(facts: WheelFacts, folder: Path, change: Rewrite) -> Path:
    """Write the changed wheel into `folder`: members sorted, one time for all, RECORD again.

    The same input gives the same bytes.
    """
    stem = f"{facts.path.name.split('-')[0]}-{change.version}"
    tags = "-".join(facts.path.name.removesuffix(".whl").split("-")[-3:])
    target = folder / f"{stem}-{change.build}-{tags}.whl"
    old = facts.dist_info
    new = f"{stem}.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with aside(target) as place, zipfile.ZipFile(facts.path) as source, zipfile.ZipFile(place, "w") as out:
        parts = sorted(_parts(source, facts, change, old, new), key=lambda p: (p[0].startswith(new), p[0]))
        for name, data, mode in parts:
            _write(out, name, data, mode, change.stamp)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.writerow([name, f"sha256={digest}", len(data)])
        rows.writerow([f"{new}/RECORD", "", ""])
        _write(out, f"{new}/RECORD", record.getvalue().encode(), _MODE, change.stamp)
    return target


def _parts(
    source: zipfile.ZipFile, facts: WheelFacts, change: Rewrite, old: str, new: str
) -> Iterator[tuple[str, bytes, int]]:
    data_old = old.removesuffix(".dist-info") + ".data"
    data_new = new.removesuffix(".dist-info") + ".data"
    for name in facts.members:
        folder, _, rest = name.partition("/")
        data = source.read(name)
        mode = _MODE_RUN if source.getinfo(name).external_attr >> 16 & 0o111 else _MODE
        if folder == data_old:
            yield f"{data_new}/{rest}", data, mode
        elif folder != old:
            yield name, data, mode
        elif rest == "METADATA":
            yield f"{new}/{rest}", _set(data, b"Version", change.version), mode
        elif rest == "WHEEL":
            yield f"{new}/{rest}", _set(data, b"Build", change.build), mode
        elif rest not in {"RECORD", "RECORD.jws", "RECORD.p7s"} and rest not in change.extra:
            yield f"{new}/{rest}", data, mode
    for rest, data in change.extra.items():
        yield f"{new}/{rest}", data, _MODE


def _set(text: bytes, key: bytes, value: str) -> bytes:
    """The headers with one of them set; the body after the first empty line stays as it is."""
    head, gap, body = text.partition(b"\n\n")
    lines = head.rstrip(b"\n").split(b"\n")
    wanted = key.lower() + b":"
    line = key + b": " + value.encode()
    if any(row.lower().startswith(wanted) for row in lines):
        lines = [line if row.lower().startswith(wanted) else row for row in lines]
    else:
        lines.insert(1, line)
    return b"\n".join(lines) + (gap + body if gap else b"\n")


def _write(
    out: zipfile.ZipFile, name: str, data: bytes, mode: int, stamp: tuple[int, int, int, int, int, int]
) -> None:
    info = zipfile.ZipInfo(name, date_time=stamp)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = mode | (0o100000 << 16)
    info.create_system = 3
    out.writestr(info, data)
