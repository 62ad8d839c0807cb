"""Puts a sealed lock into a virtual environment: exactly its packages, each by its hash."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import distributions
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import normalize
from mmlock.files.private import open_cache
from mmlock.lock.formats.parts import unsealed
from mmlock.lock.model import LockedEnv
from mmlock.wheels.buildenv import Uv, find_python, version_of
from mmlock.wheels.machine import this_platform

LOCK = "pylock.toml"
_SHOWN = 8


MARK = "mmlock.json"
"""In an environment that mmlock made, and so may empty."""


class Installed(Struct, frozen=True, kw_only=True):
    """What an installation came to."""

    prefix: Path
    python: str
    """The interpreter of the environment."""
    made: bool
    """Whether the environment was not there before."""


def install(
    env: LockedEnv, folder: Path, prefix: Path, uv: Uv, *, python: str | None, exact: bool | None = None
) -> Installed:
    """Install a lock into `prefix`, which is made when it is not there.

    `exact` removes what the lock does not hold; None does so only where mmlock made the environment.
    Raises UsageError for a lock that is not sealed, EnvironmentFault when machine or environment do not fit.
    """
    _require_fit(env, folder, prefix)
    if env.conda:
        return _install_conda(env, folder, prefix, uv)
    made = not (prefix / "pyvenv.cfg").is_file()
    if made:
        _make(prefix, find_python(uv, env.python, python), uv)
    interpreter = str(interpreter_of(prefix))
    try:
        _fill(env, folder, prefix, uv, exact=exact)
    except BaseException:
        if made:
            shutil.rmtree(prefix, ignore_errors=True)
        raise
    return Installed(prefix=prefix, python=interpreter, made=made)


def _install_conda(env: LockedEnv, folder: Path, prefix: Path, uv: Uv) -> Installed:
    """The conda part by rattler, then the pip part into it; what is there already of either stays."""
    from mmlock.lock.formats.conda_parts import subdir
    from mmlock.wheels.conda_prefix import fill_prefix, is_prefix

    made = not is_prefix(prefix)
    if made and prefix.exists() and any(prefix.iterdir()):
        raise EnvironmentFault(
            f"`{prefix}` is in the way: it is no conda environment",
            hints=["name a folder that does not exist yet, or a conda environment, with `--prefix`"],
        )
    cache = open_cache(os.environ) / "conda"
    fill_prefix(env.conda, prefix, subdir(env.target.platform), cache=cache, progress=uv.progress)
    interpreter = str(interpreter_of(prefix))
    try:
        if env.packages:
            uv.progress(f"installing {len(env.packages)} PyPI packages into {prefix}")
            # Never a sync: to uv, what conda installed is there too many.
            words = ["install", "--no-deps", "--require-hashes", "--quiet", "--python", interpreter]
            lock = str((folder / "requirements.txt").resolve())
            uv.run(["pip", *words, "-r", lock], f"the pip part of `{folder}` cannot be installed")
    except BaseException:
        if made:
            shutil.rmtree(prefix, ignore_errors=True)
        raise
    return Installed(prefix=prefix, python=interpreter, made=made)


def interpreter_of(prefix: Path) -> Path:
    """The Python of a virtual environment."""
    return prefix / "Scripts" / "python.exe" if os.name == "nt" else prefix / "bin" / "python"


def _require_fit(env: LockedEnv, folder: Path, prefix: Path) -> None:
    """Raise unless the lock can be installed on this machine, into that place."""
    if not env.sealed:
        names = ", ".join(f"{name} {version}" for name, version, _ in unsealed(env))
        raise UsageError(
            f"the lock `{folder}` is not sealed",
            causes=[f"still to build or download: {names}"],
            hints=[f"`mmlock build {folder}` does that"],
        )
    here = this_platform()
    if here is not None and here is not env.target.platform:
        raise EnvironmentFault(
            f"the lock is for {env.target.platform.value}, this machine is {here.value}",
            hints=["make a lock for this machine: `mmlock solve --platform ...`"],
        )
    if prefix.exists() and prefix.samefile(sys.prefix):
        raise EnvironmentFault(
            f"`{prefix}` is where mmlock itself runs",
            causes=["installing a lock there would take mmlock apart"],
            hints=["name another folder with `--prefix`"],
        )


def _fill(env: LockedEnv, folder: Path, prefix: Path, uv: Uv, *, exact: bool | None) -> None:
    interpreter = str(interpreter_of(prefix))
    found = version_of(interpreter)
    if found != env.python:
        raise EnvironmentFault(
            f"`{prefix}` has Python {found}, the lock is for {env.python}",
            hints=["name another folder with `--prefix`: it is made with the right Python"],
        )
    if exact is None and not (prefix / MARK).is_file():
        _refuse_removal(env, prefix)
    uv.progress(f"installing {len(env.packages)} packages into {prefix}")
    words = ["install", "--no-deps", "-r"] if exact is False else ["sync"]
    uv.run(
        ["pip", *words, str((folder / LOCK).resolve()), "--quiet", "--python", interpreter],
        f"the lock `{folder}` cannot be installed",
    )


def _site_packages(prefix: Path) -> list[Path]:
    return [*prefix.glob("lib/*/site-packages"), *prefix.glob("Lib/site-packages")]


def _refuse_removal(env: LockedEnv, prefix: Path) -> None:
    """Raise when someone else's environment holds what the lock does not."""
    held = {package.name for package in env.packages}
    there = {dist.name for dist in distributions(path=[str(path) for path in _site_packages(prefix)])}
    foreign = sorted(name for name in there if normalize(name) not in held)
    if foreign:
        more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        raise EnvironmentFault(
            f"`{prefix}` holds what the lock does not, and mmlock did not make it",
            causes=[f"installing exactly the lock would remove {', '.join(foreign[:_SHOWN])}{more}"],
            hints=[
                "name another folder with `--prefix`",
                "`--keep-others` leaves them, `--remove-others` removes them",
            ],
        )


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
    (prefix / MARK).write_text('{"made-by": "mmlock"}\n', encoding="utf-8")
