"""Unpacks source archives from strangers: nothing may land outside the folder, nor fill the disk.

Where members go, which kinds there may be and what modes they get is the business of `tarfile`'s filter
`data` (PEP 706) and of `zipfile`; here they are only counted, all of them before the first is written.
"""

from __future__ import annotations

import stat
import tarfile
import zipfile
from pathlib import Path

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.files.tar_headers import BROKEN, HostileTarError, TooMuchError, is_of_archive, look_over

MAX_BYTES = 8 * 1024**3
MAX_FILES = 200_000
_LONGEST = 1000
"""Characters of a name or a link's target: chains of long links have led filters astray (CVE-2025-4517)."""


def unpack(
    archive: Path,
    folder: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    hint: str = "its hash was right, so the recorded file itself is at fault",
) -> Path:
    """Unpack into `folder` (new or empty) and give the one top folder, or `folder` itself.

    `hint`: what to do about a broken archive.

    Raises UsageError for an archive that is broken or hostile, EnvironmentFault when the disk refuses or this
    Python is too old to unpack what strangers made.
    """
    if not hasattr(tarfile, "data_filter"):
        raise EnvironmentFault(
            "this Python cannot unpack archives safely",
            causes=["its tarfile has no filter `data` (PEP 706)"],
            hints=["use Python 3.10.12, 3.11.4, or 3.12 and newer"],
        )
    folder.mkdir(parents=True, exist_ok=True)
    limits = _Limits(archive.name, max_bytes, max_files)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, folder, limits)
        else:
            _untar(archive, folder, limits)
    except tarfile.FilterError as error:
        raise limits.hostile(f"holds what would lead outside its folder: {error}") from error
    except HostileTarError as error:
        raise limits.hostile(str(error)) from error
    except TooMuchError as error:
        raise limits.too_much() from error
    except BROKEN as error:
        raise _broken(archive, str(error) or type(error).__name__, hint) from error
    except OSError as error:
        if is_of_archive(error):
            raise _broken(archive, error.strerror or str(error), hint) from error
        raise EnvironmentFault(
            f"cannot unpack `{archive.name}` into `{folder}`",
            causes=[error.strerror or str(error)],
            hints=["free some space, or set MMLOCK_CACHE_DIR to a folder on another disk"],
        ) from error
    inner = list(folder.iterdir())
    return inner[0] if len(inner) == 1 and inner[0].is_dir() else folder


def _broken(archive: Path, cause: str, hint: str) -> UsageError:
    return UsageError(
        f"`{archive.name}` is not an archive that can be unpacked", causes=[cause], hints=[hint]
    )


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
            raise self.too_much()

    def too_much(self) -> UsageError:
        return self.hostile("holds more than an archive of sources should")

    def hostile(self, why: str) -> UsageError:
        return UsageError(
            f"`{self.name}` {why}",
            hints=["nothing of it was run; do not use this file"],
        )


def _untar(archive: Path, folder: Path, limits: _Limits) -> None:
    with archive.open("rb") as stream:
        look_over(stream, most_bytes=limits.bytes, most_members=limits.files)

    def counted(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        limits.take(member.size)
        if max(len(member.name), len(member.linkname)) > _LONGEST:
            raise limits.hostile("holds a name that is too long")
        # The filter would take the first as a relative name; the second means two things on two systems.
        if member.name.startswith("/") or "\\" in member.name:
            raise limits.hostile(f"holds `{member.name!r}`, which would be written outside its folder")
        return tarfile.data_filter(member, path)

    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter=counted)  # noqa: S202  that is what the filter is for


def _unzip(archive: Path, folder: Path, limits: _Limits) -> None:
    with zipfile.ZipFile(archive) as pack:
        members = pack.infolist()
        for info in members:
            limits.take(info.file_size)
        for info in members:
            # zipfile writes none of these outside, but under other names than the archive gives them.
            name = info.orig_filename.replace("\\", "/")
            if name.startswith("/") or ".." in name.split("/") or ":" in name.split("/")[0] or "\0" in name:
                raise limits.hostile(f"holds `{name!r}`, which would be written outside its folder")
            if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise limits.hostile(f"holds `{info.filename}`, which is neither file nor folder")
            place = Path(pack.extract(info, folder))
            if info.external_attr >> 16 & stat.S_IXUSR and not info.filename.endswith("/"):
                place.chmod(0o755)
