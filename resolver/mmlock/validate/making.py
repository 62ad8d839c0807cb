"""A verdict from what was seen, wherever it was seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from mmlock.validate.compare import compare
from mmlock.validate.conclude import conclude, on_target
from mmlock.validate.digest import core_wheels, lock_digest
from mmlock.validate.model import KernelDevice, Probe, SuiteRun, Verdict

if TYPE_CHECKING:
    from mmlock.lock.model import LockedEnv

__all__ = ["ValidationFacts", "make_verdict"]


class ValidationFacts(Struct, frozen=True, kw_only=True):
    """One run: the interpreter, and what its kernels did."""

    probed: Probe
    device: KernelDevice
    suites: tuple[SuiteRun, ...]
    kernels_digest: str
    seed: int
    fresh: bool
    started: str
    seconds: Mapping[str, float]
    tool: str


def make_verdict(env: LockedEnv, seen: ValidationFacts) -> Verdict:
    """What a run says of a lock."""
    probed = seen.probed
    differences = compare(env, probed)
    fits = on_target(env.target, seen.device, probed.hardware.gpus)
    torch_error = None if probed.torch else probed.torch_error
    result, _ = conclude(differences, seen.suites, on_target=fits, torch_error=torch_error)
    return Verdict(
        result=result,
        lock_digest=lock_digest(env),
        core_wheels=core_wheels(env),
        stack=env.stack,
        target=tuple(item.name for item in env.target.devices),
        device=seen.device,
        on_target=fits,
        python=probed.python,
        torch=probed.torch,
        torch_error=torch_error,
        packages={name: package.version for name, package in sorted(probed.packages.items())},
        environment=dict(env.environment),
        hardware=probed.hardware,
        differences=differences,
        suites=seen.suites,
        kernels_digest=seen.kernels_digest,
        seed=seen.seed,
        fresh=seen.fresh,
        started=seen.started,
        seconds=seen.seconds,
        tool=seen.tool,
    )
