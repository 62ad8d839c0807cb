"""Which shared libraries a process of the environment would find, and which not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from mmlock.binary.exports import Exports
from mmlock.binary.reading import MappedFile, Unreadable
from mmlock.core.names import Platform
from mmlock.doctor.environment.model import Distribution, Interpreter, Lacking
from mmlock.doctor.environment.paths import exists

_CACHE = Path("/etc/ld.so.cache")
_FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/usr/local/cuda/lib64")
_LOADER = re.compile(r"ld-linux[\w-]*\.so[.\d]*|linux-vdso\.so[.\d]*|libpython3[.\dt]*\.so[.\d]*")
_DRIVER = re.compile(r"lib(?:cuda|nvidia-ml|nvcuvid|nvidia-encode)\.so[.\d]*")
"""Of the driver: absent on machines without a GPU, which is no fault of the environment."""


class LibraryFinder:
    """What the loader would find: libraries of packages, of the prefix, of the system."""

    def __init__(
        self, distributions: Iterable[Distribution], interpreter: Interpreter, environ: Mapping[str, str]
    ) -> None:
        self._packaged = {
            PurePosixPath(path).name
            for dist in distributions
            for path in dist.compiled
            if path not in dist.missing
        }
        paths = [Path(path) for path in environ.get("LD_LIBRARY_PATH", "").split(":") if path]
        machine = "aarch64" if interpreter.platform is Platform.LINUX_AARCH64 else "x86_64"
        system = [*_FOLDERS, f"/lib/{machine}-linux-gnu", f"/usr/lib/{machine}-linux-gnu"]
        self._folders = [*paths, interpreter.prefix / "lib", *(Path(path) for path in system)]
        self._cache = b""
        with suppress(OSError):
            self._cache = _CACHE.read_bytes()

    def has(self, soname: str) -> bool:
        """Whether a library of that name is anywhere the loader looks."""
        if soname in self._packaged or _LOADER.fullmatch(soname):
            return True
        raw = soname.encode("ascii", "replace")
        # A name in the cache may be the end of its path: equal ends of strings are stored once.
        if any(start + raw + b"\0" in self._cache for start in (b"\0", b"/")):
            return True
        return any(exists(folder / soname) for folder in self._folders)


def lacking(
    distributions: Iterable[Distribution],
    names: frozenset[str],
    interpreter: Interpreter,
    environ: Mapping[str, str],
) -> Iterator[Lacking]:
    """What the compiled files of the named distributions need and nothing brings."""
    if interpreter.platform not in {Platform.LINUX_X86_64, Platform.LINUX_AARCH64} or os.name != "posix":
        return
    everything = list(distributions)
    finder = LibraryFinder(everything, interpreter, environ)
    told: set[tuple[str, str]] = set()
    for dist in everything:
        there = (path for path in dist.compiled if path not in dist.missing)
        for path in there if dist.name in names else ():
            for soname in _needed(dist.site / path):
                if (dist.name, soname) in told or _DRIVER.fullmatch(soname) or finder.has(soname):
                    continue
                told.add((dist.name, soname))
                yield Lacking(library=soname, package=dist.name, file=path)


def _needed(path: Path) -> tuple[str, ...]:
    try:
        with MappedFile(path) as source:
            return Exports(source).needed
    except Unreadable:
        return ()
