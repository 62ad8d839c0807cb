"""The chosen wheels, looked at before the lock is written: whether they load beside that torch."""

from __future__ import annotations

import os

from msgspec.structs import replace

from mmlock.binary.cache import inspect_cached
from mmlock.binary.inspect import Effort, Uninspected
from mmlock.binary.model import Answer, Compatibility, Inspected
from mmlock.binary.tables import TorchBuildId
from mmlock.binary.verdict import verdict
from mmlock.core.device import Code
from mmlock.core.names import Confidence, PackageName
from mmlock.core.progress import Progress
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.symbol_tables import SymbolTables
from mmlock.files.private import open_cache
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv, LockedPackage, Reason, ReasonKind
from mmlock.net.fetching import Fetcher
from mmlock.resolve.graph.rows import BinaryChoice, Option
from mmlock.resolve.loop.compiled import WheelCheck, compiled_wheels
from mmlock.resolve.loop.loop import Resolution
from mmlock.resolve.loop.nogoods import Refusal, picks_of

BUDGET = 64 * 1024 * 1024
"""Bytes of one wheel that a solve reads at the most; what it then does not know, it says."""


def check_abi(
    matrix: Matrix, env: LockedEnv, decided: Resolution, client: Fetcher, *, offline: bool, progress: Progress
) -> WheelCheck:
    """Every wheel of the core that holds compiled code for torch, against the torch of the lock."""
    tables = SymbolTables(
        matrix=matrix,
        cache=open_cache(os.environ),
        client=client,
        offline=offline,
        progress=progress,
        platform=env.target.platform,
    )
    reasons: dict[PackageName, Reason] = {}
    doubts: list[Finding] = []
    seen: set[str] = set()
    for option, url, sha256 in compiled_wheels(env, decided):
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
            return WheelCheck(env=env, refusal=_refusal(option, answer, decided))
        reasons[name] = _reason(answer)
        doubts += [_doubt(name, text) for text in _unknowns(answer)]
        if answer.gpus and all(gpu.code is not Code.UNKNOWN for gpu in answer.gpus):
            seen.add(name)
    packages = tuple(_argued(package, reasons.get(package.name)) for package in env.packages)
    # What the files themselves say is better than that nobody had read them.
    kept = (
        finding
        for finding in env.findings
        if finding.subject not in seen or finding.kind is not FindingKind.UNREAD_CODE
    )
    return WheelCheck(env=replace(env, packages=packages, findings=(*kept, *doubts)), refusal=None)


def _effort(option: Option) -> Effort:
    """Names only where the matrix knows the archs already; never much of a wheel."""
    known = isinstance(option.choice, BinaryChoice) and option.choice.binary.archs is not None
    return Effort(budget=BUDGET, gpu=not known)


def _answer(
    read: Inspected | Uninspected, tables: SymbolTables, env: LockedEnv, decided: Resolution
) -> Compatibility | str:
    """The verdict, or why there is none."""
    if isinstance(read, Uninspected):
        return f"its files could not be read: {read.why}"
    torch = decided.solution.torch
    build = TorchBuildId(torch=torch.torch, variant=torch.variant, platform=torch.platform)
    known = tables.store.load(build)
    if known is None:
        return f"the symbols that torch {build} exports are not recorded"
    return verdict(read, known, env.target.devices, drivers=tables.drivers, python=env.python)


def _refusal(option: Option, answer: Compatibility, decided: Resolution) -> Refusal:
    torch = decided.solution.picked["torch"]
    told = [
        text
        for finding in (answer.libraries, answer.symbols, answer.python)
        if finding.answer is Answer.FAILS
        for text in finding.evidence
    ]
    told += [text for gpu in answer.gpus if gpu.code is Code.NONE for text in gpu.evidence]
    reason = f"{option.label} does not work with {torch.label}: {'; '.join(told[:3])}"
    return Refusal(groups=(picks_of((option,)), picks_of((torch,))), reason=reason)


def _reason(answer: Compatibility) -> Reason:
    evidence = (
        *answer.libraries.evidence[:1],
        *answer.symbols.evidence[:1],
        *(text for gpu in answer.gpus for text in gpu.evidence[:1]),
    )
    return Reason(
        text=f"its compiled files load with torch {answer.torch}: {'; '.join(evidence)}"
        if answer.loads is Answer.HOLDS
        else f"its compiled files show no conflict with torch {answer.torch}: {'; '.join(evidence)}",
        source=("read from the wheel's own ELF files",),
        confidence=Confidence.MEASURED,
        kind=ReasonKind.ABI,
    )


def _unknowns(answer: Compatibility) -> list[str]:
    findings = (answer.libraries, answer.symbols)
    return [
        finding.evidence[0] for finding in findings if finding.answer is Answer.UNKNOWN and finding.evidence
    ]


def _doubt(name: PackageName, text: str) -> Finding:
    return Finding(
        level=Level.NOTE,
        kind=FindingKind.ABI,
        subject=name,
        text=f"compiled files not checked: {text}",
        source=(),
        confidence=Confidence.INFERRED,
    )


def _argued(package: LockedPackage, reason: Reason | None) -> LockedPackage:
    return package if reason is None else replace(package, reasons=(*package.reasons, reason))
