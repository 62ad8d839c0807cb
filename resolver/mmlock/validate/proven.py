"""Verdicts beside locks as facts: what the solver prefers to what no one has run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from mmlock.core.errors import MmlockError, UsageError
from mmlock.core.names import Confidence, DeviceKind, PackageName, Sha256
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Validation
from mmlock.lock.formats import pylock
from mmlock.lock.model import LockedEnv, ReasonKind
from mmlock.lock.read import read_lock
from mmlock.validate.attest.trust import Trust
from mmlock.validate.model import Hardware, Result, Status, Verdict
from mmlock.validate.standing import Standing, VerdictError
from mmlock.validate.store import NAME, check_about, read_verdict, trusted_signer

__all__ = ["Evidence", "PassedOver", "validation", "validations"]

TORCH = "torch"


class PassedOver(Struct, frozen=True, kw_only=True):
    """A verdict that does not count."""

    path: str
    standing: Standing
    reason: str


class Evidence(Struct, frozen=True, kw_only=True):
    """What verdicts prove, and which of them prove nothing."""

    rows: tuple[Validation, ...] = ()
    passed_over: tuple[PassedOver, ...] = ()


def validations(folders: Iterable[Path], trust: Trust) -> Evidence:
    """What the verdicts below these folders prove: those of their locks, signed by someone who is trusted.

    Raises UsageError for a folder that is not there.
    """
    rows: list[Validation] = []
    passed_over: list[PassedOver] = []
    for path in _verdicts(folders):
        try:
            env, record = read_lock(path.parent), read_verdict(path)
            check_about(record.verdict, env, str(path))
            trusted_signer(record, trust, str(path))
        except MmlockError as error:
            if path.exists():  # else another process removed it just now
                standing = error.standing if isinstance(error, VerdictError) else Standing.UNREADABLE
                passed_over.append(PassedOver(path=str(path), standing=standing, reason=error.message))
            continue
        if (row := validation(env, record.verdict, record.digest, str(path))) is not None:
            rows.append(row)
    return Evidence(rows=tuple(rows), passed_over=tuple(passed_over))


def _verdicts(folders: Iterable[Path]) -> list[Path]:
    """Verdicts beside locks, in order. What vanishes, as another process writes locks, is passed over."""
    places: dict[Path, None] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                f"`--verdicts {folder}`: there is no such folder",
                hints=["name the folder that holds the locks"],
            )
        walked = (
            Path(place) for place, _, files in os.walk(folder) if NAME in files and pylock.NAME in files
        )
        places |= dict.fromkeys(sorted(place / NAME for place in walked))
    return list(places)


def validation(env: LockedEnv, verdict: Verdict, digest: Sha256, source: str) -> Validation | None:
    """The fact of a verdict that passed on what its lock is for; None for any other."""
    if verdict.result is not Result.PASSED or not verdict.on_target:
        return None
    torch, _, variant = env.torch.partition("+")
    rows = [row for suite in verdict.suites for row in suite.checks]
    versions = {p.name: p.version for p in env.packages if p.core}
    versions |= {step.package: step.version for step in env.steps}
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
        packages={name: version(text).public for name, text in sorted(versions.items()) if name != TORCH},
        built=tuple(sorted(_built(env))),
        passed=sum(row.status is Status.PASSED for row in rows),
        skipped=sum(row.status is Status.SKIPPED for row in rows),
        day=verdict.started.partition("T")[0],
        source=(source,),
        confidence=Confidence.MEASURED,
    )


def _built(env: LockedEnv) -> set[PackageName]:
    """Packages made from source, whether or not that has been done yet."""
    made = (p.name for p in env.packages if any(reason.kind is ReasonKind.BUILT for reason in p.reasons))
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
