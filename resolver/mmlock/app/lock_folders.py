"""Lock folders as use cases meet them: what is in one already, and whether the user knows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import MmlockError
from mmlock.core.names import PackageName
from mmlock.core.report import Page
from mmlock.lock.folders import lock_folder, require_place
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock

__all__ = ["accept", "held", "require_place", "review", "stays_known", "with_preferences"]


def held(folder: Path) -> LockedEnv | None:
    """The lock that is in a folder; None where there is none that can be read."""
    try:
        return read_lock(folder)
    except MmlockError:
        return None


def with_preferences(arguments: SolveArguments) -> SolveArguments:
    """The request that prefers the versions of the lock in its folder, as far as it wants that."""
    if arguments.out is None or arguments.upgrade or not (arguments.out / "pylock.toml").is_file():
        return arguments
    env = held(arguments.out)
    if env is None:
        return arguments
    fresh = set(arguments.upgrade_packages)
    versions = {package.name: package.version for package in env.packages}
    versions |= {PackageName(step.package): step.version for step in env.steps}
    versions |= {PackageName("python"): env.python, PackageName("torch"): env.torch}
    return replace(
        arguments,
        preferences=tuple(sorted((n, v) for n, v in versions.items() if n not in fresh)),
    )


def review(lock: Path) -> Page | None:
    """What using a lock would run, for a user who neither solved nor accepted it; None for one who did.

    Raises MmlockError for a lock that cannot be read.
    """
    from mmlock.upkeep.known_locks import is_known, what_it_runs

    folder = lock_folder(lock)
    if is_known(folder, os.environ):
        return None
    env = read_lock(folder)
    lines = tuple(what_it_runs(env, folder))
    return Page(text="\n".join(lines), data={"lock": str(folder), "runs": lines})


def accept(lock: Path) -> None:
    """Note that the user accepts a lock as it is."""
    from mmlock.upkeep.known_locks import remember

    remember(lock_folder(lock), os.environ)


@contextmanager
def stays_known(lock: Path) -> Iterator[None]:
    """While mmlock itself changes a lock that the user knows, it stays one that he knows."""
    from mmlock.upkeep.known_locks import is_known

    known = is_known(lock_folder(lock), os.environ)
    try:
        yield
    finally:
        if known:
            accept(lock)
