"""Puts a locked environment together from the core, the closure and the files found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from mmlock.core.artifact import Artifact, ClosedPackage
from mmlock.core.markers import named_extras
from mmlock.core.names import Confidence, Form, PackageName
from mmlock.core.target import Target
from mmlock.core.versions import version
from mmlock.facts.devices.support import first_driver
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Accelerator
from mmlock.lock.model import (
    BuildStep,
    CondaChoice,
    FetchStep,
    Finding,
    FindingKind,
    KnownAdvisory,
    Level,
    LockedEnv,
    LockedPackage,
    Reason,
    ReasonKind,
    TermValue,
)
from mmlock.resolve.closure.conda_closer import provided
from mmlock.resolve.closure.model import Closed
from mmlock.resolve.closure.tags import best_first, target_tags
from mmlock.resolve.core_solver.alternatives import NewerVersion
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.rows import BuildChoice, Option, Rows
from mmlock.resolve.plan.advisories import bounds, known_advisories
from mmlock.resolve.plan.files import WheelLocation, locate
from mmlock.resolve.plan.findings import environment, findings
from mmlock.resolve.plan.option_requirements import requirements_of
from mmlock.resolve.plan.reasons import reasons_for
from mmlock.resolve.plan.steps import NoSources, build_step, fetch_step


class HashLookup(Protocol):
    """Asks indexes for what the matrix does not have."""

    def ask(self, place: WheelLocation, package: PackageName) -> tuple[Artifact, ...] | str:
        """The files of a package; a text says why they are not known."""
        ...

    def mirrored(
        self, files: tuple[Artifact, ...], package: PackageName, version: str
    ) -> tuple[Artifact, ...]:
        """The same files, by hash, where the user's own index or folder has them."""
        ...


class Decision(Struct, frozen=True, kw_only=True):
    """Everything that was decided, before it becomes files."""

    matrix: Matrix
    rows: Rows
    solution: CoreSolution
    closed: Closed
    target: Target
    stack: str
    request: tuple[str, ...]
    accelerators: tuple[Accelerator, ...] = ()
    providers: tuple[str, ...] = ()
    """Whose wheels the user allows besides those of the projects themselves."""
    notes: tuple[Finding, ...] = ()
    newer: tuple[NewerVersion, ...] = ()
    torch_ops: tuple[str, ...] = ()
    """The ops that a wheel with ops in plain PyTorch must have; none named: all there are."""


class _Parts(Struct):
    packages: list[LockedPackage]
    fetch: list[FetchStep]
    build: list[BuildStep]
    missing: list[NoSources]


def assemble(decision: Decision, finder: HashLookup) -> LockedEnv | tuple[NoSources, ...]:
    """The locked environment; or the builds whose sources no one has recorded."""
    parts = _Parts(packages=[], fetch=[], build=[], missing=[])
    there = provided(decision.matrix, decision.closed.conda)
    for option in decision.solution.packages():
        if option.package not in there:
            _place(decision, option, finder, parts)
    for package in decision.closed.packages:
        _place_closed(package, parts)
    if parts.missing:
        return tuple(parts.missing)
    return _environment(decision, parts)


def _place(decision: Decision, option: Option, finder: HashLookup, parts: _Parts) -> None:
    matrix, solution, target = decision.matrix, decision.solution, decision.target
    reasons = reasons_for(matrix, decision.rows, solution, option, target, decision.newer)
    if isinstance(option.choice, BuildChoice):
        requires, _ = requirements_of(matrix, option, target.platform)
        plain = tuple(text for text in requires if not named_extras((text,)))
        step = build_step(matrix, solution, option, target, reasons, plain, decision.torch_ops)
        if isinstance(step, NoSources):
            parts.missing.append(step)
        else:
            parts.build.append(step)
        return
    assert option.package is not None
    place = locate(matrix, option, solution.torch, target, solution.python)
    files, why = _hashed(place, option.package, decision, finder)
    if not files:
        parts.fetch.append(fetch_step(option, place, why, reasons))
        return
    parts.packages.append(
        LockedPackage(
            name=option.package,
            version=place.version,
            form=Form.WHEEL,
            files=files,
            core=True,
            via=(),
            reasons=reasons,
            index=place.index,
        )
    )


def _hashed(
    place: WheelLocation, package: PackageName, decision: Decision, finder: HashLookup
) -> tuple[tuple[Artifact, ...], str]:
    """Files with a hash, or the reason why there is none."""
    known = tuple(file for file in place.files if file.sha256)
    if known:
        return finder.mirrored(known, package, place.version), ""
    if place.disputed:
        return (), f"{place.index} publishes no hashes, and published lock files disagree about this wheel"
    if not place.ask:
        return (), f"{place.index} publishes no hashes and none is recorded for this wheel"
    answer = finder.ask(place, package)
    if isinstance(answer, str):
        return (), f"no hash is recorded, and {place.index} was not available: {answer}"
    tags = target_tags(decision.solution.python, decision.target.platform, decision.target.glibc)
    hashed = tuple(file for file in best_first(answer, tags) if file.sha256)
    return hashed, f"{place.index} lists no fitting file with a hash"


def _place_closed(package: ClosedPackage, parts: _Parts) -> None:
    hashed = tuple(file for file in package.files if file.sha256)
    if not hashed:
        parts.fetch.append(
            FetchStep(
                package=package.name,
                version=package.version,
                url=package.files[0].url,
                index=package.files[0].url.rpartition("/")[0],
                why="its index publishes no hash",
                reasons=(),
            )
        )
        return
    parts.packages.append(
        LockedPackage(
            name=package.name,
            version=package.version,
            form=Form.WHEEL if hashed[0].is_wheel else Form.SDIST,
            files=hashed,
            core=False,
            via=package.via,
        )
    )


def _environment(decision: Decision, parts: _Parts) -> LockedEnv:
    matrix, solution = decision.matrix, decision.solution
    values, why = environment(matrix, solution)
    torch = solution.torch
    return LockedEnv(
        stack=decision.stack,
        target=decision.target,
        python=solution.python,
        torch=f"{torch.torch}+{torch.variant}",
        driver_floor=driver_floor(matrix, torch.cuda, decision.target),
        request=decision.request,
        packages=tuple(sorted(parts.packages, key=lambda p: p.name)),
        fetch=tuple(sorted(parts.fetch, key=lambda s: s.package)),
        build=tuple(sorted(parts.build, key=lambda s: s.package)),
        environment=values,
        environment_reasons=why,
        findings=(
            *decision.notes,
            *findings(matrix, solution, decision.target, decision.accelerators, decision.providers),
            *(_built_when_installed(p) for p in parts.packages if p.form is Form.SDIST),
        ),
        objectives=tuple(
            TermValue(name=p.objective.value, meaning=p.meaning, value=p.value, detail=p.detail)
            for p in solution.objectives
        ),
        left_out=_left_out(decision),
        matrix_digest=matrix.digest,
        engine=decision.closed.engine,
        conda=decision.closed.conda,
        conda_core=tuple(_conda_core(decision)),
        channels=tuple(dict.fromkeys(package.channel for package in decision.closed.conda)),
        advisories=_advisories(decision, parts),
    )


def _conda_core(decision: Decision) -> Iterator[CondaChoice]:
    """What the core decided and the channel provides."""
    there = provided(decision.matrix, decision.closed.conda)
    names = {row.pypi: row.conda for row in decision.matrix.conda_names}
    for option in decision.solution.packages():
        if option.package is not None and option.package in there:
            yield CondaChoice(
                name=option.package,
                conda=names.get(option.package, str(option.package)),
                version=there[option.package],
                reasons=reasons_for(
                    decision.matrix, decision.rows, decision.solution, option, decision.target, decision.newer
                ),
            )


def _advisories(decision: Decision, parts: _Parts) -> tuple[KnownAdvisory, ...]:
    matrix, solution = decision.matrix, decision.solution
    held = [
        *((one.name, one.version) for one in parts.packages),
        *((step.package, step.version) for step in parts.fetch),
        *((step.package, step.version) for step in parts.build),
        *provided(matrix, decision.closed.conda).items(),
    ]
    bound = [
        *(
            one
            for option in solution.packages()
            for one in bounds(
                f"{option.package} {option.version}",
                requirements_of(matrix, option, decision.target.platform)[0],
            )
        ),
        *(one for cured in solution.cured for one in bounds(cured.breakage.id, cured.breakage.constraints)),
    ]
    return known_advisories(matrix, held, bound, decision.newer)


def _built_when_installed(package: LockedPackage) -> Finding:
    return Finding(
        level=Level.WARNING,
        kind=FindingKind.UNPINNED,
        subject=package.name,
        text=f"{package.name} {package.version} has no wheel: the installer builds it from source, "
        "with build requirements that this lock does not pin",
        source=(package.files[0].url,),
        confidence=Confidence.CAPTURED,
    )


def driver_floor(matrix: Matrix, cuda: str | None, target: Target) -> str | None:
    """The oldest driver that runs the torch build and knows the devices.

    A device needs the driver of the first CUDA that compiles for it; None without CUDA devices.
    """
    if cuda is None or not target.cuda:
        return None
    toolkits = {t.cuda: t for t in matrix.toolkits}
    floor = toolkits[cuda].floor_on(target.platform) if cuda in toolkits else None
    needed = [floor] if floor else []
    firsts = (first_driver(matrix, device, target.platform) for device in target.devices)
    needed += [first[0] for first in firsts if first is not None]
    return max(needed, key=version, default=None)


def _left_out(decision: Decision) -> tuple[Reason, ...]:
    """Other providers of a decided module: named, not used."""
    reasons = []
    for module in decision.matrix.modules:
        if module.module in decision.solution.picked and module.on_request:
            names = ", ".join(module.on_request)
            reasons.append(
                Reason(
                    text=f"{names} also provide the module `{module.module}`; used only when named",
                    source=tuple(module.source),
                    confidence=Confidence.DOCUMENTED,
                    kind=ReasonKind.PROVIDER,
                )
            )
    return tuple(reasons)
