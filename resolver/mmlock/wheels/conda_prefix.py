"""Puts the conda part of a lock into a prefix: exactly its packages, each by its sha256."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mmlock.core.errors import EnvironmentFault
from mmlock.core.progress import Progress, silent
from mmlock.files.digest import sha256_of
from mmlock.lock.model import CondaPackage
from mmlock.resolve.closure.conda_solve import engine, rattler_record

__all__ = ["fill_prefix", "is_prefix"]

META = "conda-meta"
_SHOWN = 12
_PATIENCE, _PAUSE = 50, 0.1


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
    import asyncio  # brings ssl along

    from rattler import Subdir, install
    from rattler.exceptions import InstallerError, IoError, LinkError

    _require_hashes(packages)
    made = not prefix.exists()
    progress(f"installing {len(packages)} conda packages into {prefix}")
    try:
        asyncio.run(
            install(
                [rattler_record(package) for package in packages],
                target_prefix=prefix,
                cache_dir=cache,
                platform=Subdir(subdir),
                execute_link_scripts=False,
                show_progress=False,
            )
        )
        _require_same(packages, prefix)
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


def _require_hashes(packages: Sequence[CondaPackage]) -> None:
    """Raise EnvironmentFault for files of this machine that are not those of the lock.

    rattler checks the sha256 of what it downloads, and takes a package of a `file://` channel as it is.
    """
    wrong = []
    for package in packages:
        parts = urlsplit(package.url)
        if parts.scheme != "file":
            continue
        path = Path(unquote(parts.path))
        try:
            found = sha256_of(path)
        except OSError as error:
            wrong.append(f"{package.name}: `{path}`: {error.strerror or error}")
            continue
        if found != package.sha256:
            wrong.append(f"{package.name}: `{path}` has the sha256 {found}, the lock has {package.sha256}")
    if wrong:
        raise EnvironmentFault(
            "the conda part of the lock cannot be installed",
            causes=wrong[:_SHOWN],
            hints=["a package whose hash differs was changed after it was locked: nothing of it is used"],
        )


def _require_same(packages: Sequence[CondaPackage], prefix: Path) -> None:
    """Raise EnvironmentFault where the records that the installation left are not those of the lock."""
    from rattler import PrefixRecord

    there: dict[str, str | None] = {}
    for path in sorted((prefix / META).glob("*.json")):
        record = PrefixRecord.from_path(path)
        there[record.name.normalized] = record.sha256.hex() if record.sha256 else None
    wrong = [f"{one.name} is missing" for one in packages if one.name not in there]
    wrong += [
        f"{one.name} has another hash" for one in packages if there.get(one.name, one.sha256) != one.sha256
    ]
    if wrong:
        raise EnvironmentFault(
            f"`{prefix}` does not hold what the lock says",
            causes=wrong,
            hints=["name another folder with `--prefix`"],
        )


def _undo(prefix: Path, *, made: bool) -> None:
    """Remove a prefix that was made. rattler's own threads may still write for a moment."""
    for _ in range(_PATIENCE if made else 0):
        shutil.rmtree(prefix, ignore_errors=True)
        time.sleep(_PAUSE)
        if not prefix.exists():
            return
