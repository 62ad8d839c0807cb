"""A lock is installed and its kernels are run."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mmlock.core.build_arguments import SandboxUse
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.core.validate_arguments import ValidateArguments
from mmlock.files.private import open_cache
from mmlock.lock.folders import lock_folder
from mmlock.lock.read import read_lock
from mmlock.validate.keeping import kept, signer_with, where_kept
from mmlock.validate.runner import TargetInterpreter
from mmlock.validate.statement import statement_data
from mmlock.validate.validation import (
    ValidationRun,
    chosen_suites,
    concern_data,
    in_sandbox,
    isolated,
    require_sealed,
)

if TYPE_CHECKING:
    from mmlock.lock.model import LockedEnv

_SPACE = 3
"""A wheel unpacks to about three times its size."""


def validate(request: ValidateArguments, *, progress: Progress = silent) -> Page:
    """Install a lock into a fresh prefix, or take an interpreter, and run the kernels of its packages.

    Raises EnvironmentFault or UsageError when that cannot be done; red kernels are an answer.
    """
    from mmlock.validate.store import NAME
    from mmlock.validate.text import lines

    folder = lock_folder(request.lock)
    env = read_lock(folder)
    require_sealed(env, folder)
    chosen = chosen_suites(env, request)
    if request.bundle is not None:
        from mmlock.validate.carrying import write_bundle

        return write_bundle(env, folder, request, chosen, progress)
    place = request.out or (None if request.partial else folder / NAME)
    # Before the hours of a validation: a key that cannot be used is found out now.
    signer = None if request.unsigned or place is None else signer_with(request.sign)
    started = datetime.now(timezone.utc)
    with _interpreter(env, folder, request, progress) as (interpreter, installed):
        run = ValidationRun(
            env=env, request=request, interpreter=interpreter, installed=installed, chosen=chosen
        )
        verdict = run.verdict(started, progress)
    record = kept(verdict, env, folder, place, signer)
    data: dict[str, object] = {"result": verdict.result.value, "concerns": concern_data(verdict)}
    if place is not None:
        data |= {"verdict": str(place), "digest": record.digest, "signed": signer is not None}
    text = [*lines(verdict), "", where_kept(place, signer)]
    return Page(text="\n".join(text) + "\n", data={**data, "statement": statement_data(record.statement)})


# ---------------------------------------------------------------- where it runs


@contextmanager
def _interpreter(
    env: LockedEnv, folder: Path, request: ValidateArguments, progress: Progress
) -> Iterator[tuple[TargetInterpreter, float | None]]:
    """The interpreter to validate, and the seconds its installation took (None: it was there)."""
    if request.python is not None:
        if request.sandbox is not SandboxUse.OFF:
            raise UsageError("a sandbox is for a prefix that mmlock makes, not for an interpreter of yours")
        path = shutil.which(request.python)
        if path is None:
            raise EnvironmentFault(
                f"`{request.python}` is not a runnable Python interpreter",
                hints=["pass the path of a Python, such as `.venv/bin/python`"],
            )
        path = str(Path(path).absolute())  # it is started from other folders; links must stay links
        yield TargetInterpreter(path=path, environ={**os.environ, **env.environment}, isolated=False), None
        return
    with _root(request) as root:
        started = time.monotonic()
        python = _install(env, folder, root, request, progress)
        environ = isolated(os.environ)
        shield = _shield(request, root, progress)
        if shield:
            environ = in_sandbox(environ)
        interpreter = TargetInterpreter(path=python, environ={**environ, **env.environment}, shield=shield)
        yield interpreter, time.monotonic() - started


def _shield(request: ValidateArguments, prefix: Path, progress: Progress) -> tuple[str, ...]:
    """Words in front of what runs the packages."""
    from mmlock.files.sandbox import own_folders, sandbox_for
    from mmlock.validate.runner import KERNELS
    from mmlock.wheels.buildenv import homes_of

    sandbox = sandbox_for(request.sandbox, own_folders(os.environ), progress)
    if sandbox is None:
        return ()
    reads = (prefix, *homes_of(prefix), KERNELS, *filter(None, (request.kernels,)))
    return sandbox.words(reads=reads, devices=True)


@contextmanager
def _root(request: ValidateArguments) -> Iterator[Path]:
    """Where the prefix is made: in mmlock's cache, since installers link files on the same disk."""
    if request.keep is not None:
        yield request.keep.absolute()
        return
    from mmlock.validate.fresh import fresh_folder

    with fresh_folder(open_cache(os.environ) / "validate") as folder:
        yield folder / "prefix"


def _install(env: LockedEnv, folder: Path, root: Path, request: ValidateArguments, progress: Progress) -> str:
    from mmlock.wheels.find_uv import find_uv
    from mmlock.wheels.install import install
    from mmlock.wheels.machine import room_for

    if root.exists() and any(root.iterdir()):
        raise UsageError(
            f"`{root}` is not empty", hints=["name a folder that does not exist yet with `--prefix DIR`"]
        )
    sizes = [package.files[0].size or 0 for package in env.packages]
    room_for(root, _SPACE * sum(sizes))
    uv = replace(find_uv(offline=request.offline, progress=progress), environ=isolated(os.environ))
    with _near(env, folder, request) as (lock, place):
        return install(lock, place, root, uv, python=request.base_python, exact=True).python


@contextmanager
def _near(env: LockedEnv, folder: Path, request: ValidateArguments) -> Iterator[tuple[LockedEnv, Path]]:
    """The lock and its folder; with the files of a wheelhouse, a copy of it that names them."""
    from mmlock.lock.write import write_lock
    from mmlock.wheels.local_files import held_by, with_local_files

    held = held_by((request.wheelhouse,), env) if request.wheelhouse is not None else {}
    if not held:
        yield env, folder
        return
    with tempfile.TemporaryDirectory(prefix="mmlock-near-") as name:
        near = with_local_files(env, held)
        write_lock(near, Path(name))
        yield near, Path(name)
