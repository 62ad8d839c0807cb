"""Makes a lock folder that needs no network: every file is beside it, checked against its hash."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.errors import UsageError
from mmlock.core.progress import Progress, silent
from mmlock.lock.formats.parts import unsealed
from mmlock.lock.model import LockedEnv
from mmlock.net.download import Downloader, Wanted
from mmlock.wheels.wheelhouse import link_or_copy

__all__ = ["FILES", "Bundled", "bundle"]

FILES = "wheels"
"""The folder beside the lock that holds its files."""


class Bundled(Struct, frozen=True, kw_only=True):
    """What a bundle came to."""

    env: LockedEnv
    """The lock, with every file beside it."""
    files: int
    size: int
    """Of all files, in bytes."""


def bundle(
    env: LockedEnv, folder: Path, target: Path, downloader: Downloader, progress: Progress = silent
) -> Bundled:
    """Put every file of the lock in `folder` below `target`, and give the lock that names them there.

    Each file is downloaded by its hash, or taken from beside the lock; nothing is put where it differs.
    Raises UsageError for a lock that is not sealed, EnvironmentFault when a file is not available.
    """
    if not env.sealed:
        names = ", ".join(f"{name} {version}" for name, version, _ in unsealed(env))
        raise UsageError(
            f"the lock `{folder}` is not sealed",
            causes=[f"still to be built or downloaded: {names}"],
            hints=[f"`mmlock build {folder}` does that"],
        )
    wanted = [file for package in env.packages for file in package.files]
    size = 0
    for number, file in enumerate(wanted, 1):
        progress(f"{number}/{len(wanted)} {file.name}")
        size += _put(file, folder, target, downloader)
    packages = tuple(
        replace(package, files=tuple(replace(file, url=f"{FILES}/{file.name}") for file in package.files))
        for package in env.packages
    )
    return Bundled(env=replace(env, packages=packages), files=len(wanted), size=size)


def _put(file: Artifact, folder: Path, target: Path, downloader: Downloader) -> int:
    place = target / FILES / file.name
    known = replace(downloader, find_links=(*downloader.find_links, place.parent))
    url = file.url if "://" in file.url else str((folder / file.url).resolve())
    got = known.get(Wanted(name=file.name, urls=(url,), sha256=file.sha256, size=file.size))
    if got.path != place.resolve():
        link_or_copy(got.path, place)
    return got.size
