"""The chosen wheels, looked at before the lock is written: whether they load beside that torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from mmlock.app.deciding import Decided, Refusal
from mmlock.app.inspect_tables import Tables
from mmlock.binary.cache import inspect_cached
from mmlock.binary.inspect import Effort, Uninspected
from mmlock.binary.model import Answer, Inspected, Verdict
from mmlock.binary.tables import TorchBuildId
from mmlock.binary.verdict import verdict
from mmlock.core.device import Code
from mmlock.core.names import Confidence, PackageName, Sha256
from mmlock.core.places import cache_root
from mmlock.core.progress import Progress
from mmlock.core.values import dataclass
from mmlock.graph.rows import BinaryChoice, IndexChoice, Option
from mmlock.lock.model import Finding, LockedEnv, LockedPackage, Reason
from mmlock.matrix.load import Matrix
from mmlock.scrape.fetching import Fetcher

BUDGET = 64 * 1024 * 1024
"""Bytes of one wheel that a solve reads at the most; what it then does not know, it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A locked environment whose wheels were looked at, or the combination that was refused."""

    env: LockedEnv
    refusal: Refusal | None


def left_out() -> Finding:
    """What a lock says when the user did not want the check."""
    return Finding(
        level="warning",
        subject="abi",
        text="the wheels were not compared with torch: left out by --no-abi-check",
        source=("the request",),
        confidence=Confidence.MEASURED,
    )


def check_abi(
    matrix: Matrix, env: LockedEnv, decided: Decided, client: Fetcher, *, offline: bool, progress: Progress
) -> Checked:
    """Every wheel of the core that holds compiled code for torch, against the torch of the lock."""
    tables = Tables(
        matrix=matrix,
        cache=cache_root(os.environ),
        client=client,
        offline=offline,
        progress=progress,
        platform=env.target.platform,
    )
    found: dict[PackageName, Reason] = {}
    doubts: list[Finding] = []
    seen: set[str] = set()
    for option, url, sha256 in _wheels(env, decided):
        name = option.package or PackageName(option.slot)
        progress(f"reading the compiled files of {name} {option.version}")
        read = inspect_cached(
            url, sha256, tables.cache, client=client, effort=_effort(option), progress=progress
        )
        answer = _answer(read, tables, env, decided)
        if isinstance(answer, str):
            doubts.append(_doubt(name, answer))
            continue
        if answer.refused:
            return Checked(env=env, refusal=_refusal(option, answer, decided))
        found[name] = _reason(answer)
        doubts += [_doubt(name, text) for text in _unknowns(answer)]
        if answer.gpus and all(gpu.code is not Code.UNKNOWN for gpu in answer.gpus):
            seen.add(name)
    packages = tuple(_argued(package, found.get(package.name)) for package in env.packages)
    kept = (
        finding
        for finding in env.findings
        if finding.subject not in seen or "not checked" not in finding.text
    )
    return Checked(env=replace(env, packages=packages, findings=(*kept, *doubts)), refusal=None)


def _effort(option: Option) -> Effort:
    """Names only where the matrix knows the archs already; never much of a wheel."""
    known = isinstance(option.choice, BinaryChoice) and option.choice.binary.archs is not None
    return Effort(budget=BUDGET, gpu=not known)


def _wheels(env: LockedEnv, decided: Decided) -> Iterator[tuple[Option, str, Sha256 | None]]:
    """Options that are wheels with compiled code, with the file that will be installed."""
    options = {option.package: option for option in decided.solution.packages()}
    for package in env.packages:
        option = options.get(package.name) if package.core else None
        if option is not None and isinstance(option.choice, BinaryChoice):
            yield option, package.files[0].url, package.files[0].sha256
    for step in env.fetch:
        option = options.get(step.package)
        if option is not None and isinstance(option.choice, (BinaryChoice, IndexChoice)):
            yield option, step.url, None


def _answer(read: Inspected | Uninspected, tables: Tables, env: LockedEnv, decided: Decided) -> Verdict | str:
    """The verdict, or why there is none."""
    if isinstance(read, Uninspected):
        return f"its files could not be read: {read.why}"
    torch = decided.solution.torch
    build = TorchBuildId(torch=torch.torch, variant=torch.variant, platform=torch.platform)
    known = tables.store.load(build)
    if known is None:
        return f"the names that torch {build} exports are not recorded"
    return verdict(read, known, env.target.devices, drivers=tables.drivers, python=env.python)


def _refusal(option: Option, answer: Verdict, decided: Decided) -> Refusal:
    torch = decided.solution.picked["torch"]
    told = [
        text
        for finding in (answer.libraries, answer.symbols, answer.python)
        if finding.answer is Answer.FAILS
        for text in finding.evidence
    ]
    told += [text for gpu in answer.gpus if gpu.code.value == "none" for text in gpu.evidence]
    reason = f"{option.label} cannot be used with {torch.label}: {'; '.join(told[:3])}"
    return Refusal(options=frozenset({(option.slot, option.label), (torch.slot, torch.label)}), reason=reason)


def _reason(answer: Verdict) -> Reason:
    evidence = (
        *answer.libraries.evidence[:1],
        *answer.symbols.evidence[:1],
        *(text for gpu in answer.gpus for text in gpu.evidence[:1]),
    )
    return Reason(
        text=f"its compiled files load beside torch {answer.torch}: {'; '.join(evidence)}"
        if answer.loads is Answer.HOLDS
        else f"nothing in its compiled files speaks against torch {answer.torch}: {'; '.join(evidence)}",
        source=("read from the wheel's own ELF files",),
        confidence=Confidence.MEASURED,
        kind="abi",
    )


def _unknowns(answer: Verdict) -> list[str]:
    findings = (answer.libraries, answer.symbols)
    return [
        finding.evidence[0] for finding in findings if finding.answer is Answer.UNKNOWN and finding.evidence
    ]


def _doubt(name: PackageName, text: str) -> Finding:
    return Finding(
        level="note",
        subject=name,
        text=f"compiled files not checked: {text}",
        source=(),
        confidence=Confidence.INFERRED,
    )


def _argued(package: LockedPackage, reason: Reason | None) -> LockedPackage:
    return package if reason is None else replace(package, reasons=(*package.reasons, reason))
