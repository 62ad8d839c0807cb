"""Puts a sealed lock into a virtual environment: exactly its packages, each by its hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmlock.build.buildenv import Uv, find_python, version_of
from mmlock.build.machine import this_platform
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.lock.formats.parts import unsealed
from mmlock.lock.model import LockedEnv

LOCK = "pylock.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an installation came to."""

    prefix: Path
    python: str
    """The interpreter of the environment."""
    made: bool
    """Whether the environment was not there before."""


def install(
    env: LockedEnv, folder: Path, prefix: Path, uv: Uv, *, python: str | None, exact: bool
) -> Installed:
    """Install a lock into `prefix`; with `exact`, what the lock does not hold is removed.

    Raises UsageError for a lock that is not sealed, EnvironmentFault when the machine does not fit.
    """
    if not env.sealed:
        names = ", ".join(f"{name} {version}" for name, version, _ in unsealed(env))
        raise UsageError(
            f"the lock `{folder}` is not sealed",
            causes=[f"still to be made or fetched: {names}"],
            hints=[f"`mmlock build {folder}` does that"],
        )
    here = this_platform()
    if here is not None and here is not env.target.platform:
        raise EnvironmentFault(
            f"the lock is for {env.target.platform.value}, this machine is {here.value}",
            hints=["make a lock for this machine: `mmlock solve --platform ...`"],
        )
    made = not (prefix / "pyvenv.cfg").is_file()
    if made:
        _make(prefix, find_python(uv, env.python, python), uv)
    interpreter = str(prefix / "bin" / "python")
    found = version_of(interpreter)
    if found != env.python:
        raise EnvironmentFault(
            f"`{prefix}` has Python {found}, the lock is for {env.python}",
            hints=["name another folder with `--prefix`: it is made with the right Python"],
        )
    uv.progress(f"installing {len(env.packages)} packages into {prefix}")
    words = ["sync"] if exact else ["install", "--no-deps", "-r"]
    try:
        uv.run(
            ["pip", *words, str((folder / LOCK).resolve()), "--quiet", "--python", interpreter],
            f"the lock `{folder}` cannot be installed",
        )
    except EnvironmentFault:
        if made:
            _remove(prefix)
        raise
    return Installed(prefix=prefix, python=interpreter, made=made)


def _make(prefix: Path, interpreter: str, uv: Uv) -> None:
    if prefix.exists() and (not prefix.is_dir() or any(prefix.iterdir())):
        raise EnvironmentFault(
            f"`{prefix}` is in the way: it is no virtual environment",
            hints=["name a folder that does not exist yet, or a virtual environment, with `--prefix`"],
        )
    uv.run(
        ["venv", "--quiet", "--no-project", "--python", interpreter, str(prefix)],
        f"the environment `{prefix}` cannot be made",
    )


def _remove(prefix: Path) -> None:
    import shutil

    shutil.rmtree(prefix, ignore_errors=True)
