"""One validation, from a lock and an interpreter to a verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from mmlock import __version__
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.progress import Progress
from mmlock.core.validate_arguments import ValidateArguments
from mmlock.validate.model import KernelDevice, Verdict
from mmlock.validate.runner import KERNELS, TargetInterpreter

if TYPE_CHECKING:
    from mmlock.lock.model import LockedEnv
    from mmlock.validate.model import Probe
    from mmlock.validate.suites import KernelSuite

__all__ = ["ValidationRun", "chosen_suites", "concern_data", "in_sandbox", "isolated", "require_sealed"]


_LEAKS = ("PYTHON", "PIP_", "VIRTUAL_ENV", "CONDA", "LD_PRELOAD", "LD_LIBRARY_PATH", "UV_")
_KEPT = ("UV_CACHE_DIR", "UV_LINK_MODE", "UV_CONCURRENT", "UV_HTTP", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS")
_SHOWN = frozenset({"PATH", "LANG", "TZ"})
_SHOWN_PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "OMP_", "HIP_", "ROCR_")
_TEMPORARY = "/tmp"  # noqa: S108 - the sandbox's own
AUTO = "auto"
"""`--device`: what the target of the lock says."""


def concern_data(verdict: Verdict) -> list[dict[str, str]]:
    """What a reader of the verdict must know, as data."""
    from mmlock.validate.conclude import concerns_of
    from mmlock.validate.text import concern

    return [{"kind": one.kind.value, "text": concern(one)} for one in concerns_of(verdict)]


def require_sealed(env: LockedEnv, folder: Path) -> None:
    """Raises UsageError where something of the lock is still to build or download."""
    from mmlock.lock.formats.parts import unsealed

    if not env.sealed:
        names = ", ".join(f"{name} {version}" for name, version, _ in unsealed(env))
        raise UsageError(
            f"the lock `{folder}` is not sealed yet",
            causes=[f"still to build or download: {names}"],
            hints=[f"run `mmlock build {folder}` first"],
        )


def chosen_suites(env: LockedEnv, request: ValidateArguments) -> tuple[tuple[KernelSuite, str], ...]:
    """The suites to run, each with the package that it checks. Raises UsageError for an unknown suite."""
    from mmlock.validate.suites import SUITES, chosen

    known = {suite.name for suite in SUITES}
    if unknown := sorted(set(request.suites) - known):
        raise UsageError(
            f"unknown suite `{unknown[0]}`", hints=[f"expected one of {', '.join(sorted(known))}"]
        )
    return chosen((package.name for package in env.packages), request.suites)


def isolated(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what could bring packages or libraries from outside into a prefix."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_LEAKS) or name.startswith(_KEPT)
    }


def in_sandbox(environ: Mapping[str, str]) -> dict[str, str]:
    """Of an environment, what a package may see that runs apart from everything else: no secret is in it."""
    kept = {name: v for name, v in environ.items() if name in _SHOWN or name.startswith(_SHOWN_PREFIXES)}
    return {**kept, "HOME": _TEMPORARY, "TMPDIR": _TEMPORARY}


class ValidationRun(Struct, frozen=True, kw_only=True):
    """One validation, from an interpreter to its verdict."""

    env: LockedEnv
    request: ValidateArguments
    interpreter: TargetInterpreter
    installed: float | None
    chosen: tuple[tuple[KernelSuite, str], ...]

    def verdict(self, started: datetime, progress: Progress) -> Verdict:
        from mmlock.validate.making import ValidationFacts, make_verdict
        from mmlock.validate.probe import probe
        from mmlock.validate.runner import RunOptions, kernels_digest, run_suites

        request = self.request
        clock = time.monotonic()
        progress("examining what is installed")
        deep = [package for suite, package in self.chosen if suite.name != "torch"]
        probed = probe(self.interpreter, deep)
        device = self._device(probed)
        looked = time.monotonic() - clock
        options = RunOptions(
            device=device,
            seed=request.seed,
            limit=request.limit,
            only=request.checks,
            kernels=(request.kernels or KERNELS).absolute(),
        )
        suites = run_suites(self.interpreter, self.chosen, options, progress) if probed.torch else ()
        checked = time.monotonic() - clock - looked
        seconds = {} if self.installed is None else {"install": round(self.installed, 2)}
        seen = ValidationFacts(
            probed=probed,
            device=device,
            suites=suites,
            kernels_digest=kernels_digest(options.kernels),
            seed=request.seed,
            fresh=self.installed is not None,
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds={**seconds, "probe": round(looked, 2), "checks": round(checked, 2)},
            tool=f"mmlock {__version__}",
        )
        return make_verdict(self.env, seen)

    def _device(self, probed: Probe) -> KernelDevice:
        """What to run the kernels on. Raises EnvironmentFault when this machine has no such device."""
        from mmlock.validate.conclude import wanted_device

        named = self.request.device
        wanted = wanted_device(self.env.target) if named == AUTO else KernelDevice(named)
        if wanted is None:
            raise EnvironmentFault(
                f"no kernel suite runs on {self.env.target.kind.value} devices",
                hints=[
                    "`--device cpu` runs the CPU kernels; the verdict then says that it was not on target"
                ],
            )
        if wanted is KernelDevice.CUDA and not probed.hardware.gpus:
            raise EnvironmentFault(
                "the lock is for a GPU and torch sees none on this machine",
                causes=[probed.torch_error] if probed.torch_error else [],
                hints=[
                    "run `mmlock validate` on a machine with such a GPU",
                    "`--device cpu` runs the CPU kernels; the verdict will say that it was not on target",
                ],
            )
        return wanted
