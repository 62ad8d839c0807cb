"""What an index says of a wheel, besides its bytes: read once, and kept by the digest of the wheel."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from mmlock.core.names import PackageName, Sha256
from mmlock.wheels.model import BuiltWheel, CheckStatus
from mmlock.wheels.wheel_zip import read_text

__all__ = ["IndexFile", "fits", "index_files", "metadata_of"]

_FILTER = re.compile(r"(cpu|cu\d{2,3})-torch(\d+\.\d+(?:\.\d+)?)")


class IndexFile(Struct, frozen=True, kw_only=True):
    """A wheel as an index lists it."""

    project: PackageName
    version: str
    name: str
    path: Path
    key: str
    """Of the build that made it."""
    sha256: Sha256
    size: int
    created: str | None
    """ISO 8601: without it, a file is nowhere for who asks for what is not newer than a day."""
    requires_python: str | None
    metadata: Sha256 | None
    """Digest of its METADATA (PEP 658); None: it cannot be read."""
    yanked: str | None
    """Why nobody should take it: a check of it failed."""
    torch: str | None
    """The torch that it was built for, with its variant."""
    archs: tuple[str, ...]
    """GPU code, as `TORCH_CUDA_ARCH_LIST` spells it; empty: none, or not known."""

    @property
    def variant(self) -> str | None:
        """`cu130` of `2.11.0+cu130`."""
        return (self.torch or "").partition("+")[2] or None


def index_files(wheels: Iterable[BuiltWheel]) -> Iterator[IndexFile]:
    """The wheels as an index lists them."""
    for wheel in wheels:
        body = metadata_of(wheel.path, wheel.sha256)
        headers = HeaderParser().parsestr((body or b"").decode("utf-8", "replace"))
        failed = [check.name for check in wheel.checks if check.status is CheckStatus.FAILED]
        torch, archs = wheel.record.get("torch"), wheel.record.get("archs")
        yield IndexFile(
            project=wheel.package,
            version=wheel.version,
            name=wheel.path.name,
            path=wheel.path,
            key=wheel.key,
            sha256=wheel.sha256,
            size=wheel.size,
            created=_text(wheel.record.get("created")),
            requires_python=_text(headers.get("Requires-Python")),
            metadata=None if body is None else Sha256(hashlib.sha256(body).hexdigest()),
            yanked=f"failed: {', '.join(failed)}" if failed else None,
            torch=_text(torch),
            archs=tuple(str(arch) for arch in archs) if isinstance(archs, list) else (),
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


@lru_cache(maxsize=2048)
def metadata_of(path: Path, sha256: Sha256) -> bytes | None:
    """The METADATA of a wheel whose bytes have this digest; None where it has none that can be read."""
    del sha256
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1]
            return read_text(archive, names[0]).encode() if len(names) == 1 else None
    except (OSError, ValueError, zipfile.BadZipFile, RuntimeError, EOFError):
        return None


def fits(file: IndexFile, where: str) -> bool | None:
    """Whether a wheel is for `cu130-torch2.11`; None: that names no torch and CUDA.

    A wheel that was built for no torch goes with every one.
    """
    found = _FILTER.fullmatch(where)
    if found is None:
        return None
    if file.torch is None:
        return True
    release, _, variant = file.torch.partition("+")
    return variant == found[1] and f"{release}.".startswith(f"{found[2]}.")
