"""`mmlock validate` and `mmlock verdict`: a lock is installed and its kernels are run."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from mmlock import __version__
from mmlock.core.cache import cache_root
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.core.validate_arguments import ValidateArguments, VerdictAction, VerdictArguments
from mmlock.lock.folders import lock_folder
from mmlock.lock.read import read_lock
from mmlock.validate.model import Verdict
from mmlock.validate.runner import KERNELS, Interpreter

if TYPE_CHECKING:
    from mmlock.lock.model import LockedEnv
    from mmlock.validate.model import Probe
    from mmlock.validate.suites import Suite

_LEAKS = ("PYTHON", "PIP_", "VIRTUAL_ENV", "CONDA", "LD_PRELOAD", "LD_LIBRARY_PATH", "UV_")
_KEPT = ("UV_CACHE_DIR", "UV_LINK_MODE", "UV_CONCURRENT", "UV_HTTP", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS")
_SPACE = 3
"""A wheel unpacks to about three times its size."""


def validate(request: ValidateArguments, *, progress: Progress = silent) -> Page:
    """Install a lock into a fresh prefix, or take an interpreter, and run the kernels of its packages.

    Raises EnvironmentFault or UsageError when that cannot be done; red kernels are an answer.
    """
    from mmlock.app.building import write
    from mmlock.validate.store import NAME, sign, write_verdict
    from mmlock.validate.text import lines

    folder = lock_folder(request.lock)
    env = read_lock(folder)
    _sealed(env, folder)
    chosen = _suites(env, request)
    started = datetime.now(timezone.utc)
    with _interpreter(env, folder, request, progress) as (interpreter, installed):
        run = _Run(env=env, request=request, interpreter=interpreter, installed=installed, chosen=chosen)
        verdict = run.verdict(started, progress)
    text = [*lines(verdict), ""]
    place = request.out or (None if request.partial else folder / NAME)
    data: dict[str, object] = {"result": verdict.result.value, "reasons": list(verdict.reasons)}
    if place is None:
        text.append("partial validation: no verdict was written; `--out FILE` writes one")
    else:
        digest = write_verdict(verdict, place)
        data |= {"verdict": str(place), "sha256": digest}
        if place == folder / NAME:
            write(replace(env, verdict=digest), folder)  # the lock says that it was validated
        text.append(f"verdict: {place}")
        if request.sign is not None:
            data["signature"] = str(sign(place, request.sign))
    return Page(text="\n".join(text) + "\n", data={**data, **_plain(verdict)})


def verdict(request: VerdictArguments) -> Page:
    """Show a verdict, or check that it is about a lock, whole, and signed by somebody known."""
    from mmlock.validate.store import NAME, read_verdict, verify, verify_signature
    from mmlock.validate.text import lines

    alone = request.lock.suffix == ".json" and request.action is VerdictAction.SHOW
    path = request.file or (request.lock if alone else lock_folder(request.lock) / NAME)
    found = read_verdict(path)
    if request.action is VerdictAction.SHOW:
        return Page(text="\n".join(lines(found)) + "\n", data=_plain(found))
    folder = lock_folder(request.lock)
    env = read_lock(folder)
    verify(found, env, str(path))
    who = verify_signature(path, request.signers) if request.signers else None
    text = [f"{path}: about this lock, and complete", *_filled(env, found), f"result: {found.result.value}"]
    text += [f"  {reason}" for reason in found.reasons]
    text += [f"signed by {who}"] if who else ["not checked: who signed it (`--allowed-signers FILE`)"]
    return Page(text="\n".join(text) + "\n", data={"result": found.result.value, "signer": who})


def _filled(env: LockedEnv, found: Verdict) -> list[str]:
    """The wheels with which a lock that has steps is the one that was validated."""
    steps = {step.package for step in env.steps}
    wheels = [wheel for wheel in found.decided if wheel.package in steps]
    return [f"its steps made {name}, sha256 {sha256}" for wheel in wheels for name, sha256 in wheel.files]


def _plain(found: Verdict) -> dict[str, object]:
    from mmlock.validate.statement import to_statement

    return {"statement": to_statement(found)}


def _sealed(env: LockedEnv, folder: Path) -> None:
    from mmlock.lock.formats.parts import unsealed

    if not env.sealed:
        names = ", ".join(f"{name} {version}" for name, version, _ in unsealed(env))
        raise UsageError(
            f"the lock `{folder}` is not sealed",
            causes=[f"still to build or download: {names}"],
            hints=[f"run `mmlock build {folder}`"],
        )


def _suites(env: LockedEnv, request: ValidateArguments) -> tuple[tuple[Suite, str], ...]:
    from mmlock.validate.suites import SUITES, chosen

    known = {suite.name for suite in SUITES}
    if unknown := sorted(set(request.suites) - known):
        raise UsageError(
            f"unknown suite `{unknown[0]}`", hints=[f"expected one of {', '.join(sorted(known))}"]
        )
    return chosen((package.name for package in env.packages), request.suites)


# ---------------------------------------------------------------- where it runs


@contextmanager
def _interpreter(
    env: LockedEnv, folder: Path, request: ValidateArguments, progress: Progress
) -> Iterator[tuple[Interpreter, float | None]]:
    """The interpreter to validate, and the seconds its installation took (None: it was there)."""
    if request.python is not None:
        path = shutil.which(request.python)
        if path is None:
            raise EnvironmentFault(
                f"`{request.python}` is not a runnable Python interpreter",
                hints=["pass the path of a Python, such as `.venv/bin/python`"],
            )
        path = str(Path(path).absolute())  # it is started from other folders; links must stay links
        yield Interpreter(path=path, environ={**os.environ, **env.environment}, isolated=False), None
        return
    with _root(request) as root:
        started = time.monotonic()
        python = _install(env, folder, root, request, progress)
        environ = {**_clean(os.environ), **env.environment}
        yield Interpreter(path=python, environ=environ), time.monotonic() - started


@contextmanager
def _root(request: ValidateArguments) -> Iterator[Path]:
    """Where the prefix is made: in mmlock's cache, since installers link files on the same disk."""
    if request.keep is not None:
        yield request.keep.absolute()
        return
    from mmlock.validate.fresh import fresh_folder

    with fresh_folder(cache_root(os.environ).absolute() / "validate") as folder:
        yield folder / "prefix"


def _install(env: LockedEnv, folder: Path, root: Path, request: ValidateArguments, progress: Progress) -> str:
    from mmlock.app.building import find_uv
    from mmlock.wheels.install import install
    from mmlock.wheels.machine import room_for

    if root.exists() and any(root.iterdir()):
        raise UsageError(
            f"`{root}` is not empty", hints=["name a folder that does not exist yet with `--prefix DIR`"]
        )
    sizes = [package.files[0].size or 0 for package in env.packages]
    room_for(root, _SPACE * sum(sizes))
    uv = replace(find_uv(offline=request.offline, progress=progress), environ=_clean(os.environ))
    return install(env, folder, root, uv, python=request.base_python, exact=True).python


def _clean(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what could bring packages or libraries from outside into a prefix."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_LEAKS) or name.startswith(_KEPT)
    }


# ---------------------------------------------------------------- the run


class _Run(Struct, frozen=True, kw_only=True):
    """One validation, from an interpreter to its verdict."""

    env: LockedEnv
    request: ValidateArguments
    interpreter: Interpreter
    installed: float | None
    chosen: tuple[tuple[Suite, str], ...]

    def verdict(self, started: datetime, progress: Progress) -> Verdict:
        from mmlock.validate.compare import compare
        from mmlock.validate.conclude import conclude, on_target
        from mmlock.validate.digest import decided, lock_digest
        from mmlock.validate.probe import probe
        from mmlock.validate.runner import RunOptions, kernels_digest, run_suites

        asked, env = self.request, self.env
        clock = time.monotonic()
        progress("examining what is installed")
        deep = [package for suite, package in self.chosen if suite.name != "torch"]
        found = probe(self.interpreter, deep)
        differences = compare(env, found)
        device = self._device(found)
        looked = time.monotonic() - clock
        options = RunOptions(
            device=device,
            seed=asked.seed,
            limit=asked.limit,
            only=asked.checks,
            kernels=(asked.kernels or KERNELS).absolute(),
        )
        suites = run_suites(self.interpreter, self.chosen, options, progress) if found.torch else ()
        checked = time.monotonic() - clock - looked
        fits = on_target(env.target, device, found.hardware.gpus)
        torch_error = None if found.torch else found.torch_error
        result, reasons = conclude(differences, suites, on_target=fits, torch_error=torch_error)
        seconds = {} if self.installed is None else {"install": round(self.installed, 2)}
        return Verdict(
            result=result,
            reasons=reasons,
            lock_digest=lock_digest(env),
            decided=decided(env),
            stack=env.stack,
            target=tuple(item.name for item in env.target.devices),
            device=device,
            on_target=fits,
            python=found.python,
            torch=found.torch,
            torch_error=torch_error,
            packages={name: package.version for name, package in sorted(found.packages.items())},
            environment=dict(env.environment),
            hardware=found.hardware,
            differences=differences,
            suites=suites,
            kernels_digest=kernels_digest(options.kernels),
            seed=asked.seed,
            fresh=self.installed is not None,
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds={**seconds, "probe": round(looked, 2), "checks": round(checked, 2)},
            tool=f"mmlock {__version__}",
        )

    def _device(self, found: Probe) -> str:
        """What to run the kernels on. Raises EnvironmentFault when this machine has no such device."""
        from mmlock.validate.conclude import wanted_device

        wanted = wanted_device(self.env.target) if self.request.device == "auto" else self.request.device
        if wanted is None:
            raise EnvironmentFault(
                f"no kernel suite supports {self.env.target.kind.value} devices",
                hints=["`--device cpu` runs the CPU kernels; the verdict will say that it was not on target"],
            )
        if wanted == "cuda" and not found.hardware.gpus:
            raise EnvironmentFault(
                "the lock is for a GPU, but its torch sees none on this machine",
                causes=[found.torch_error] if found.torch_error else [],
                hints=[
                    "run `mmlock validate` on a machine with such a GPU",
                    "`--device cpu` runs the CPU kernels; the verdict will say that it was not on target",
                ],
            )
        return wanted
