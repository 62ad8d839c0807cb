"""Verdicts beside locks as facts: what the solver prefers to what nobody has run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from mmlock.core.errors import MmlockError
from mmlock.core.names import Confidence, DeviceKind, PackageName, Sha256
from mmlock.core.progress import Progress, silent
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Validation
from mmlock.lock.formats import pylock
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.validate.model import Hardware, Result, Status, Verdict
from mmlock.validate.store import NAME, read_verdict, verify
from mmlock.wheels.seal import BUILT

TORCH = "torch"


def validations(folder: Path, *, progress: Progress = silent) -> Iterator[Validation]:
    """What the verdicts below a folder prove. One that cannot stand, as of another lock, proves nothing."""
    for path in _verdicts(folder):
        try:
            env, verdict = read_lock(path.parent), read_verdict(path)
            verify(verdict, env, str(path))
        except MmlockError as error:
            progress(f"not counted: {error.message}")
            continue
        digest = Sha256(hashlib.sha256(path.read_bytes()).hexdigest())
        if (row := validation(env, verdict, digest, str(path))) is not None:
            yield row


def _verdicts(folder: Path) -> list[Path]:
    """Verdicts beside locks, in order. What vanishes, as another process writes locks, is passed over."""
    found = (Path(place) for place, _, files in os.walk(folder) if NAME in files and pylock.NAME in files)
    return sorted(place / NAME for place in found)


def validation(env: LockedEnv, verdict: Verdict, digest: Sha256, source: str) -> Validation | None:
    """The fact of a verdict that passed on what its lock is for; None for any other."""
    if verdict.result is not Result.PASSED or not verdict.on_target:
        return None
    torch, _, variant = env.torch.partition("+")
    rows = [row for suite in verdict.suites for row in suite.checks]
    decided = {p.name: p.version for p in env.packages if p.core}
    decided |= {step.package: step.version for step in env.steps}
    return Validation(
        lock=Sha256(verdict.lock_digest),
        verdict=digest,
        stack=env.stack,
        kind=env.target.kind,
        archs=_archs(env, verdict.hardware),
        platform=env.target.platform,
        machine=_machine(verdict.hardware),
        python=env.python,
        torch=torch,
        variant=variant,
        packages={name: version(text).public for name, text in sorted(decided.items()) if name != TORCH},
        built=tuple(sorted(_built(env))),
        passed=sum(row.status is Status.PASSED for row in rows),
        skipped=sum(row.status is Status.SKIPPED for row in rows),
        day=verdict.started.partition("T")[0],
        source=(source,),
        confidence=Confidence.MEASURED,
    )


def _built(env: LockedEnv) -> set[PackageName]:
    """Packages made from source, whether or not that has been done yet."""
    made = (p.name for p in env.packages if any(reason.text.startswith(BUILT) for reason in p.reasons))
    return {*made, *(step.package for step in env.build)}


def _archs(env: LockedEnv, hardware: Hardware) -> tuple[str, ...]:
    """The GPU code that ran: that of the first GPU, where torch puts everything."""
    return (hardware.gpus[0].arch,) if env.target.kind is not DeviceKind.CPU and hardware.gpus else ()


def _machine(hardware: Hardware) -> str:
    parts = [gpu.name for gpu in hardware.gpus[:1]]
    parts += [hardware.cpu] if hardware.cpu else []
    parts += [f"{hardware.cores} cores"]
    parts += [f"driver {hardware.driver}"] if hardware.driver else []
    parts += [f"glibc {hardware.glibc}"] if hardware.glibc else []
    return ", ".join(parts)
