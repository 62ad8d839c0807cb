"""Unpacks source archives from strangers: nothing may land outside the folder, nor fill the disk."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from mmlock.core.errors import EnvironmentFault, UsageError

MAX_BYTES = 8 * 1024**3
MAX_FILES = 200_000


def unpack(archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> Path:
    """Unpack into `folder` (new or empty) and give the one top folder, or `folder` itself.

    Raises UsageError for an archive that is broken or hostile, EnvironmentFault when the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    limits = _Limits(archive.name, max_bytes, max_files)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, folder, limits)
        else:
            _untar(archive, folder, limits)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise UsageError(
            f"`{archive.name}` is not an archive that can be unpacked",
            causes=[str(error) or type(error).__name__],
            hints=["its hash was right, so the recorded file itself is at fault"],
        ) from error
    except OSError as error:
        raise EnvironmentFault(
            f"cannot unpack `{archive.name}` into `{folder}`",
            causes=[error.strerror or str(error)],
            hints=["free some space, or set MMLOCK_CACHE_DIR to a folder on another disk"],
        ) from error
    inner = list(folder.iterdir())
    return inner[0] if len(inner) == 1 and inner[0].is_dir() else folder


class _Limits:
    """How much may still be unpacked, and the refusal when it is too much."""

    def __init__(self, name: str, max_bytes: int, max_files: int) -> None:
        self.name = name
        self.bytes = max_bytes
        self.files = max_files

    def take(self, size: int) -> None:
        self.bytes -= size
        self.files -= 1
        if self.bytes < 0 or self.files < 0:
            raise self.hostile("holds more than an archive of sources should")

    def hostile(self, why: str) -> UsageError:
        return UsageError(
            f"`{self.name}` {why}",
            hints=["nothing of it was run; do not use this file"],
        )

    def place(self, folder: Path, name: str) -> Path:
        """Where a member goes."""
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name.split("/", maxsplit=1)[0] or "\0" in name:
            raise self.hostile(f"holds `{name!r}`, which would be written outside its folder")
        return folder.joinpath(*path.parts)


def _untar(archive: Path, folder: Path, limits: _Limits) -> None:
    links: list[tuple[tarfile.TarInfo, Path]] = []
    with tarfile.open(archive) as tar:
        for member in tar:
            target = limits.place(folder, member.name)
            limits.take(member.size)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                source = tar.extractfile(member)
                assert source is not None
                with source:
                    _put(source, target, executable=bool(member.mode & stat.S_IXUSR))
            elif member.issym() or member.islnk():
                links.append((member, target))
            else:
                raise limits.hostile(f"holds `{member.name}`, which is neither file, folder nor link")
    # Last, so that what they name is there. No link is ever made, so none can be written through.
    for member, target in links:
        _copy_of_link(member, target, folder, limits)


def _put(source: IO[bytes], target: Path, *, executable: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        while chunk := source.read(1 << 20):
            out.write(chunk)
    target.chmod(0o755 if executable else 0o644)


def _copy_of_link(member: tarfile.TarInfo, target: Path, folder: Path, limits: _Limits) -> None:
    """A link becomes a copy of what it names, if that is a file that was unpacked before."""
    base = target.parent if member.issym() else folder
    named = (base / member.linkname).resolve()
    if PurePosixPath(member.linkname).is_absolute() or not named.is_relative_to(folder.resolve()):
        raise limits.hostile(f"holds the link `{member.name}`, which leads outside its folder")
    if not named.is_file():
        raise limits.hostile(f"holds the link `{member.name}`, which leads to no file in it")
    limits.take(named.stat().st_size)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(named.read_bytes())


def _unzip(archive: Path, folder: Path, limits: _Limits) -> None:
    with zipfile.ZipFile(archive) as pack:
        for info in pack.infolist():
            target = limits.place(folder, info.filename)
            limits.take(info.file_size)
            if info.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in {0, stat.S_IFREG}:
                raise limits.hostile(f"holds `{info.filename}`, which is neither file nor folder")
            with pack.open(info) as source:
                _put(source, target, executable=bool(info.external_attr >> 16 & stat.S_IXUSR))
