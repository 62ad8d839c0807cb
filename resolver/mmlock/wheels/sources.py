"""Brings the sources of a step into its build folder: an archive by its hash, or a folder by its digest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.extension import SourceTree, is_source, tree_digest
from mmlock.files.names import UnsafeNameError, bare_file_name
from mmlock.lock.model import BuildStep
from mmlock.lock.trees import sources_of
from mmlock.net.download import Downloader, Wanted
from mmlock.wheels.archive import unpack


def safe_name(name: str) -> str:
    """A name of a lock, which becomes a file. Raises UsageError when it would not be one in one folder."""
    try:
        return bare_file_name(name)
    except UnsafeNameError as error:
        raise UsageError(
            f"nothing is downloaded: {error}", hints=["mmlock did not write this lock: do not use it"]
        ) from error


def bring(step: BuildStep, home: Path, downloader: Downloader, projects: Sequence[Path]) -> Path:
    """The verified sources of a step below `home`, which must not exist; gives their top folder.

    Raises EnvironmentFault when they are not available, or are not those of the lock.
    """
    source = step.source
    if isinstance(source, SourceTree):
        downloader.progress(f"taking {source.path}")
        return _copied(step, source, home, projects)
    downloader.progress(f"fetching {source.name}")
    file = downloader.get(Wanted(name=safe_name(source.name), urls=(source.url,), sha256=source.sha256))
    return unpack(file.path, home)


def _copied(step: BuildStep, tree: SourceTree, home: Path, projects: Sequence[Path]) -> Path:
    """A copy of the very files that the digest is of: a build must not write into the user's tree."""
    wrong: list[str] = []
    for project in dict.fromkeys(path.absolute() for path in projects):
        try:
            files = dict(sources_of(project, tree.path))
        except UsageError as error:
            wrong.append(error.message)
            continue
        found = tree_digest(files.items())
        if found != tree.sha256:
            wrong.append(
                f"`{project / tree.path}` holds {len(files)} files with digest {found[:16]}...,"
                f" the lock is of {tree.files} with {tree.sha256[:16]}..."
            )
            continue
        top = home / (Path(tree.path).name or "sources")
        for name, data in files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)
        return top
    raise EnvironmentFault(
        f"the sources of {step.package} {step.version} are not those of the lock",
        causes=wrong or ["no folder was named that could hold them"],
        hints=[
            "run it in the project, or name the project with `--project DIR`",
            "if the sources were changed on purpose, run `mmlock solve` again",
        ],
    )


def renew(new: Path, old: Path) -> None:
    """Make `old` hold the sources of `new`, which is used up. Files that are the same keep their times.

    Objects of an earlier build stay; what it had put together for the wheel goes, or a file that is no
    longer there would get into the next one.
    """
    if not old.is_dir():
        new.rename(old)
        return
    wanted = _files(new)
    for name, path in _files(old).items():
        if name not in wanted:
            path.unlink()
    for name, path in wanted.items():
        there = old / name
        if not there.is_file() or there.read_bytes() != path.read_bytes():
            there.parent.mkdir(parents=True, exist_ok=True)
            path.replace(there)
    for stale in (*old.glob("*/build/lib*"), *old.glob("*/build/bdist*")):
        shutil.rmtree(stale)
    shutil.rmtree(new)


def _files(folder: Path) -> dict[str, Path]:
    """Sources by name; links cannot be among them."""
    found = ((path.relative_to(folder), path) for path in folder.rglob("*") if path.is_file())
    return {name.as_posix(): path for name, path in found if is_source(PurePosixPath(name.as_posix()))}
