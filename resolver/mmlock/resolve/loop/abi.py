"""The chosen wheels, looked at before the lock is written: whether they load beside that torch."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase

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
from mmlock.net.credentials import bare
from mmlock.net.fetching import Fetcher
from mmlock.resolve.graph.rows import BinaryChoice, Option
from mmlock.resolve.loop.compiled import WheelCheck, compiled_wheels, ordinary_wheels
from mmlock.resolve.loop.loop import Resolution
from mmlock.resolve.loop.nogoods import Refusal, UnfitWheel, pick_of, picks_of

_LIBRARIES = ("libtorch", "libc10", "libcud", "libcublas", "libnvrtc")
"""How the libraries of torch and CUDA are named."""

BUDGET = 64 * 1024 * 1024
"""Bytes of one wheel that a solve reads at the most; what it then does not know, it says."""


_NONE_NEEDED = "each of them is loaded only where it fits, and none is needed"


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
        if isinstance(read, Uninspected) and not read.reached:
            progress(read.why)
        needed = _needed(read, option)
        answer = _NONE_NEEDED if needed is None else _answer(needed, tables, env, decided)
        if isinstance(answer, str):
            doubts.append(_doubt(name, answer))
            continue
        if answer.refused:
            return WheelCheck(env=env, refusal=_refusal(option, answer, decided))
        reasons[name] = _reason(answer)
        doubts += [_doubt(name, text) for text in _unknowns(answer)]
        if answer.gpus and all(gpu.code is not Code.UNKNOWN for gpu in answer.gpus):
            seen.add(name)
    for package in ordinary_wheels(env, decided, words_of(matrix)):
        progress(f"reading the compiled files of {package.name} {package.version}")
        file = package.files[0]
        read = inspect_cached(
            file.url,
            file.sha256,
            tables.cache,
            client=client,
            effort=Effort(budget=BUDGET),
            progress=progress,
        )
        answer = _answer(read, tables, env, decided)
        if isinstance(answer, str):
            doubts.append(_doubt(package.name, answer))
        elif isinstance(read, Inspected) and not _links_torch(read):
            continue
        elif answer.refused:
            return WheelCheck(env=env, refusal=None, unfit=_unfit(package, answer, decided))
        else:
            reasons[package.name] = _reason(answer)
            doubts += [_doubt(package.name, text) for text in _unknowns(answer)]
    packages = tuple(_argued(package, reasons.get(package.name)) for package in env.packages)
    # What the files themselves say is better than that nobody had read them.
    kept = (
        finding
        for finding in env.findings
        if finding.subject not in seen or finding.kind is not FindingKind.UNREAD_CODE
    )
    return WheelCheck(env=replace(env, packages=packages, findings=(*kept, *doubts)), refusal=None)


def words_of(matrix: Matrix) -> tuple[str, ...]:
    """Words in the names of packages that link torch or CUDA without saying so."""
    return tuple(matrix.defaults.get("compiled-for-torch", "").split())


def _links_torch(read: Inspected) -> bool:
    """Whether some of its files need names of torch, or libraries of torch or CUDA."""
    return any(
        one.torch_needs or any(library.startswith(_LIBRARIES) for library in one.needed)
        for one in read.extensions
    )


def _unfit(package: LockedPackage, answer: Compatibility, decided: Resolution) -> UnfitWheel:
    torch = decided.solution.picked["torch"]
    return UnfitWheel(
        name=package.name,
        version=package.version,
        torch=pick_of(torch),
        reason=f"{package.name} {package.version} does not work with {torch.label}: {_why(answer)}",
    )


def _effort(option: Option) -> Effort:
    """Names only where the matrix knows the archs already; never much of a wheel."""
    known = isinstance(option.choice, BinaryChoice) and option.choice.binary.archs is not None
    return Effort(budget=BUDGET, gpu=not known)


def _needed(read: Inspected | Uninspected, option: Option) -> Inspected | Uninspected | None:
    """The wheel without the files that its package does without, as the facts say; None: it has no other."""
    choice = option.choice
    if isinstance(read, Uninspected) or not isinstance(choice, BinaryChoice) or not choice.binary.optional:
        return read
    patterns = choice.binary.optional
    needed = tuple(
        one for one in read.extensions if not any(fnmatchcase(one.path, pattern) for pattern in patterns)
    )
    return replace(read, extensions=needed) if needed or not read.extensions else None


def _answer(
    read: Inspected | Uninspected, tables: SymbolTables, env: LockedEnv, decided: Resolution
) -> Compatibility | str:
    """The verdict, or why there is none."""
    if isinstance(read, Uninspected):
        # What the network said differs from machine to machine; the lock says what follows.
        return (
            f"its files could not be read: {read.why}"
            if read.reached
            else f"`{bare(read.place)}` was not available to this solve"
        )
    torch = decided.solution.torch
    build = TorchBuildId(torch=torch.torch, variant=torch.variant, platform=torch.platform)
    known = tables.store.load(build)
    if known is None:
        return f"the symbols that torch {build} exports are not recorded"
    return verdict(read, known, env.target.devices, drivers=tables.drivers, python=env.python)


def _refusal(option: Option, answer: Compatibility, decided: Resolution) -> Refusal:
    torch = decided.solution.picked["torch"]
    reason = f"{option.label} does not work with {torch.label}: {_why(answer)}"
    return Refusal(groups=(picks_of((option,)), picks_of((torch,))), reason=reason)


def _why(answer: Compatibility) -> str:
    told = [
        text
        for finding in (answer.libraries, answer.symbols, answer.python)
        if finding.answer is Answer.FAILS
        for text in finding.evidence
    ]
    told += [text for gpu in answer.gpus if gpu.code is Code.NONE for text in gpu.evidence]
    return "; ".join(told[:3])


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
