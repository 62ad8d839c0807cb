"""Where uv is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from msgspec import Struct


class UvTool(Struct, frozen=True, kw_only=True):
    """A uv that can be started."""

    path: str
    version: str

    @property
    def engine(self) -> str:
        return f"uv {self.version}"


def find_uv(environ: Mapping[str, str]) -> UvTool | None:
    """The uv to use: `MMLOCK_UV`, the one installed beside mmlock, one on the PATH."""
    if told := environ.get("MMLOCK_UV"):
        return _asked(told)
    with suppress(ImportError, FileNotFoundError):
        import uv

        return _installed(uv.find_uv_bin(), Path(uv.__file__).parent.parent)
    import shutil

    on_path = shutil.which("uv", path=environ.get("PATH"))
    return _asked(on_path) if on_path else None


@lru_cache(maxsize=4)
def _installed(path: str, site: Path) -> UvTool | None:
    """The uv of the `uv` distribution. Its folder's name tells the version, which saves a process."""
    versions = [folder.name for folder in site.glob("uv-*.dist-info")]
    if len(versions) != 1:
        return _asked(path)
    return UvTool(path=path, version=versions[0].removeprefix("uv-").removesuffix(".dist-info"))


@lru_cache(maxsize=4)
def _asked(path: str) -> UvTool | None:
    """The uv at a path, if it starts and says its version."""
    import subprocess

    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    words = said.stdout.split()
    return UvTool(path=path, version=words[1]) if words[:1] == ["uv"] and len(words) > 1 else None
