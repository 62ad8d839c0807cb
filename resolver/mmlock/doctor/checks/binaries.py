"""Compiled files against the torch that is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmlock.binary.demangle import demangle
from mmlock.binary.floors import dotted, highest
from mmlock.binary.model import Answer, ArguedAnswer, Compatibility, Inspected
from mmlock.binary.tables import SymbolStore
from mmlock.binary.verdict import verdict
from mmlock.doctor.environment.model import (
    Environment,
    Lacking,
    TorchFault,
    TorchProblem,
    Trouble,
    TroubleKind,
    TroubleSeverity,
)
from mmlock.doctor.log_window import joined, runs
from mmlock.facts.matrix.load import Matrix

_SHOWN = 3
_FAULTS = {
    TorchProblem.NO_VERSION: "`{place}` exists, `torch/version.py` does not",
    TorchProblem.VERSION_NO_FILE: "`{place}` is not a file",
    TorchProblem.UNREADABLE: "`{place}` {detail}",
}
_DESKTOP = re.compile(r"lib(?:GL|gthread-2\.0|glib-2\.0|SM|Xext|Xrender|X11|xcb)\.so")


def torch(env: Environment, _: Matrix) -> Iterator[Trouble]:
    """Whether the installed torch can be read."""
    if env.torch_fault is not None:
        yield Trouble(
            check=TroubleKind.TORCH,
            severity=TroubleSeverity.FAILS,
            title=f"torch is broken: {_torch_fault(env.torch_fault)}",
            advice=("Reinstall torch, in the version that your extensions were compiled for.",),
            packages=("torch",),
        )
    if env.torch is None and env.torch_fault is None and env.inspected:
        names = joined(env.inspected)
        yield Trouble(
            check=TroubleKind.TORCH,
            severity=TroubleSeverity.FAILS,
            title=f"torch is not installed, but {names} need it",
            advice=("Install the torch that they were built for: a lock contains both.",),
            packages=("torch", *env.inspected),
        )


def _torch_fault(fault: TorchFault) -> str:
    return _FAULTS[fault.problem].format(place=fault.place, detail=fault.detail)


def libraries(env: Environment, _: Matrix) -> Iterator[Trouble]:
    """Libraries that are needed and cannot be found."""
    by_package: dict[str, list[Lacking]] = {}
    for one in env.lacking:
        by_package.setdefault(one.package, []).append(one)
    for name, missing in by_package.items():
        label = f"{name} {env.installed[name].version}"
        wanted = joined(f"`{one.library}`" for one in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        desktop = any(_DESKTOP.match(one.library) for one in missing)
        declared = [text for text in env.installed[name].requires if re.match(r"nvidia-|cuda-", text)]
        advice = f"Install the requirements of {name}: it was installed without them."
        if desktop:
            advice = "Install them (`apt-get install libgl1 libglib2.0-0`), or use the headless OpenCV."
        elif not declared:
            advice = "Install the package that provides them, or a build that does not need them."
        yield Trouble(
            check=TroubleKind.LIBRARIES,
            severity=TroubleSeverity.FAILS,
            title=f"{label} needs {wanted}{more}, which no installed package provides",
            evidence=(f"the dynamic section of `{missing[0].file}` names it",),
            advice=(advice,),
            packages=(name,),
        )


def loads(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Libraries and symbols of every extension, as the loader will ask for them."""
    if env.torch is None:
        return
    brought = frozenset(name for one in env.inspected.values() for name in one.bundled)
    for name, inspected in env.inspected.items():
        judged = verdict(inspected, env.torch, brought=brought, python=env.interpreter.python)
        if judged.loads is Answer.FAILS or judged.python.answer is Answer.FAILS:
            yield _refused(env, matrix, name, inspected, judged)
        elif judged.loads is Answer.UNKNOWN:
            yield _doubtful(name, inspected, judged)


def _refused(
    env: Environment, matrix: Matrix, name: str, inspected: Inspected, judged: Compatibility
) -> Trouble:
    label = f"{name} {env.installed[name].version}"
    evidence: list[str] = []
    if local := env.installed[name].version.partition("+")[2]:
        evidence.append(f"its version says what it was built for: `{local}`")
    for finding in (judged.libraries, judged.symbols, judged.python):
        if finding.answer is Answer.FAILS:
            evidence += finding.evidence
            evidence += _named(finding)
    evidence += _exported_by(judged.symbols, matrix)
    return Trouble(
        check=TroubleKind.LOADS,
        severity=TroubleSeverity.FAILS,
        title=f"the compiled files of {label} do not load with torch {judged.torch}",
        evidence=tuple(evidence),
        advice=(
            f"Install the {name} that was built for torch {judged.torch}, or the torch it was built for.",
            *([f"It declares `{_on_torch(inspected)}`."] if judged.declared.answer is Answer.FAILS else []),
        ),
        packages=(name,),
    )


def _on_torch(inspected: Inspected) -> str:
    """What a wheel declares of torch."""
    return next((text for text in inspected.requires if re.match(r"torch(?![\w.-])", text)), "torch")


def _exported_by(finding: ArguedAnswer, matrix: Matrix) -> Iterator[str]:
    """Which torch builds have the first missing name, and so may be what the file was built for."""
    symbols = [name for name in finding.names if name.startswith("_Z")]
    if finding.answer is not Answer.FAILS or not symbols:
        return
    store = SymbolStore(matrix.root)
    if exporting := store.exporting(symbols[0]):
        known = [build.torch for build in store.builds()]
        yield f"torch that exports the first one: {runs((b.torch for b in exporting), known)}"


def _named(finding: ArguedAnswer) -> Iterator[str]:
    """The first missing names, as their authors wrote them."""
    symbols = [name for name in finding.names if name.startswith("_Z") or ".so" not in name]
    for symbol in symbols[:_SHOWN]:
        yield f"missing: `{demangle(symbol)}`"
    if len(symbols) > _SHOWN:
        yield f"and {len(symbols) - _SHOWN} more symbols"


def _doubtful(name: str, inspected: Inspected, judged: Compatibility) -> Trouble:
    texts = [
        text
        for finding in (judged.libraries, judged.symbols)
        if finding.answer is Answer.UNKNOWN
        for text in finding.evidence
    ]
    return Trouble(
        check=TroubleKind.LOADS,
        severity=TroubleSeverity.NOTE,
        title=f"unknown whether {name} {inspected.version or ''} loads".replace("  ", " "),
        evidence=tuple(texts[:_SHOWN]),
        packages=(name,),
    )


def glibc(env: Environment, matrix: Matrix) -> Iterator[Trouble]:
    """Whether the machine's glibc is new enough for what is compiled."""
    have = env.interpreter.glibc
    if have is None:
        return
    for name, inspected in env.inspected.items():
        floors: dict[str, str] = {}
        for one in inspected.extensions:
            floors = highest(floors, dict(one.floors))
        wanted = floors.get("GLIBC")
        if wanted and dotted(wanted) > dotted(have):
            yield _too_old(name, wanted, have)
    build = env.torch.facts.build if env.torch else None
    row = next(
        (r for r in matrix.torch_builds if build and (r.torch, r.variant) == (build.torch, build.variant)),
        None,
    )
    if row and row.glibc and dotted(row.glibc) > dotted(have):
        yield _too_old("torch", row.glibc, have)


def _too_old(name: str, wanted: str, have: str) -> Trouble:
    return Trouble(
        check=TroubleKind.GLIBC,
        severity=TroubleSeverity.FAILS,
        title=f"{name} needs glibc {wanted}; this machine has {have}",
        advice=(f"Lock for your glibc: `--glibc {have}`.",),
        packages=(name,),
    )
