"""Puts the conda part of a lock into a prefix: exactly its packages, each by its sha256."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmlock.core.errors import EnvironmentFault
from mmlock.core.progress import Progress, silent
from mmlock.lock.model import CondaPackage
from mmlock.resolve.closure.conda_solve import engine, rattler_record

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fill_prefix", "is_prefix"]

META = "conda-meta"


def is_prefix(prefix: Path) -> bool:
    """Whether conda packages are installed there."""
    return (prefix / META).is_dir()


def fill_prefix(
    packages: Sequence[CondaPackage], prefix: Path, subdir: str, *, cache: Path, progress: Progress = silent
) -> None:
    """Make the prefix hold these packages and no other conda package. Scripts of packages are not run.

    Raises EnvironmentFault; a prefix that was not there before is then removed.
    """
    engine()
    from rattler import install
    from rattler.exceptions import InstallerError, IoError, LinkError

    made = not prefix.exists()
    progress(f"installing {len(packages)} conda packages into {prefix}")
    try:
        asyncio.run(
            install(
                [rattler_record(package) for package in packages],
                target_prefix=prefix,
                cache_dir=cache,
                platform=subdir,  # type: ignore[arg-type]
                execute_link_scripts=False,
                show_progress=False,
            )
        )
        if wrong := list(_other(packages, prefix)):
            raise EnvironmentFault(
                f"`{prefix}` does not hold what the lock says",
                causes=wrong,
                hints=["name another folder with `--prefix`"],
            )
    except (InstallerError, IoError, LinkError, OSError, RuntimeError) as error:
        _undo(prefix, made=made)
        raise EnvironmentFault(
            f"the conda part of the lock cannot be installed into `{prefix}`",
            causes=[" ".join(str(error).split())],
            hints=["a package whose hash differs was changed after it was locked: nothing of it is used"],
        ) from error
    except BaseException:
        _undo(prefix, made=made)
        raise


def _other(packages: Sequence[CondaPackage], prefix: Path) -> list[str]:
    """What is installed and differs from the lock, by the records that the installation left."""
    from rattler import PrefixRecord

    wanted: Mapping[str, CondaPackage] = {package.name: package for package in packages}
    there = {}
    for path in sorted((prefix / META).glob("*.json")):
        record = PrefixRecord.from_path(path)
        there[record.name.normalized] = record.sha256.hex() if record.sha256 else None
    missing = [f"{name} is missing" for name in wanted if name not in there]
    return missing + [
        f"{name} has another hash"
        for name, one in wanted.items()
        if there.get(name, one.sha256) != one.sha256
    ]


def _undo(prefix: Path, *, made: bool) -> None:
    if made:
        shutil.rmtree(prefix, ignore_errors=True)
