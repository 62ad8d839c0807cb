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
from mmlock.core.names import Confidence, PackageName, Sha256
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
    check = _Check(tables=tables, env=env, decided=decided, progress=progress)
    for option, url, sha256 in compiled_wheels(env, decided):
        if (refusal := check.core_wheel(option, url, sha256)) is not None:
            return WheelCheck(env=env, refusal=refusal)
    for package in ordinary_wheels(env, decided, words_of(matrix)):
        if (unfit := check.ordinary_wheel(package)) is not None:
            return WheelCheck(env=env, refusal=None, unfit=unfit)
    return WheelCheck(env=check.argued(), refusal=None)


class _Check:
    """What the files of a lock say, wheel by wheel."""

    def __init__(
        self, *, tables: SymbolTables, env: LockedEnv, decided: Resolution, progress: Progress
    ) -> None:
        self._tables = tables
        self._env = env
        self._decided = decided
        self._progress = progress
        self._reasons: dict[PackageName, Reason] = {}
        self._doubts: list[Finding] = []
        self._seen: set[str] = set()
        """Packages whose GPU code was read."""

    def core_wheel(self, option: Option, url: str, sha256: Sha256 | None) -> Refusal | None:
        """Look at a wheel of the core. The refusal, where it does not go with the torch of the lock."""
        name = option.package or PackageName(option.slot)
        read = self._read(f"{name} {option.version}", url, sha256, _effort(option))
        if isinstance(read, Uninspected) and not read.reached:
            self._progress(read.why)
        needed = _needed(read, option)
        answer = _NONE_NEEDED if needed is None else self._answer(needed)
        if isinstance(answer, str):
            self._doubts.append(_doubt(name, answer))
            return None
        if answer.refused:
            return _refusal(option, answer, self._decided)
        self._note(name, answer)
        if answer.gpus and all(gpu.code is not Code.UNKNOWN for gpu in answer.gpus):
            self._seen.add(name)
        return None

    def ordinary_wheel(self, package: LockedPackage) -> UnfitWheel | None:
        """Look at a wheel of the rest that may link torch. What is wrong with it, where it does not fit."""
        file = package.files[0]
        read = self._read(f"{package.name} {package.version}", file.url, file.sha256, Effort(budget=BUDGET))
        answer = self._answer(read)
        if isinstance(answer, str):
            self._doubts.append(_doubt(package.name, answer))
        elif isinstance(read, Inspected) and not _links_torch(read):
            return None
        elif answer.refused:
            return _unfit(package, answer, self._decided)
        else:
            self._note(package.name, answer)
        return None

    def argued(self) -> LockedEnv:
        """The environment with what was found."""
        packages = tuple(_argued(one, self._reasons.get(one.name)) for one in self._env.packages)
        # What the files themselves say is better than that nobody had read them.
        kept = (
            finding
            for finding in self._env.findings
            if finding.subject not in self._seen or finding.kind is not FindingKind.UNREAD_CODE
        )
        return replace(self._env, packages=packages, findings=(*kept, *self._doubts))

    def _read(self, what: str, url: str, sha256: Sha256 | None, effort: Effort) -> Inspected | Uninspected:
        self._progress(f"reading the compiled files of {what}")
        tables = self._tables
        return inspect_cached(
            url, sha256, tables.cache, client=tables.client, effort=effort, progress=self._progress
        )

    def _answer(self, read: Inspected | Uninspected) -> Compatibility | str:
        return _answer(read, self._tables, self._env, self._decided)

    def _note(self, name: PackageName, answer: Compatibility) -> None:
        self._reasons[name] = _reason(answer)
        self._doubts += [_doubt(name, text) for text in _unknowns(answer)]


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
