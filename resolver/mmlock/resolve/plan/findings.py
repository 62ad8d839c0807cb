"""What a person must know about a lock: breakages, unknowns, things only they can do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mmlock.core.device import Code, code_for
from mmlock.core.markers import holds
from mmlock.core.names import Confidence, Form
from mmlock.core.target import Target
from mmlock.core.versions import version
from mmlock.facts.devices.support import code_in
from mmlock.facts.devices.tegra import tegra_report
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Accelerator, Breakage
from mmlock.facts.matrix.with_conda import VARIANT
from mmlock.lock.model import Finding, FindingKind, Level, Reason, ReasonKind
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.builder import cite, readable
from mmlock.resolve.graph.extras import declared, lacking, metadata_version
from mmlock.resolve.graph.provided import other_ways
from mmlock.resolve.graph.rows import BinaryChoice, IndexChoice, Option, TorchBuildChoice
from mmlock.resolve.plan.closure_inputs import variant_recorded
from mmlock.resolve.request.model import CoreRequirement
from mmlock.resolve.request.packages import provided_extras


def findings(
    matrix: Matrix,
    solution: CoreSolution,
    target: Target,
    accelerators: Iterable[Accelerator],
    providers: Iterable[str] = (),
) -> tuple[Finding, ...]:
    """Warnings first."""
    plain = any(option.form is Form.TORCH_OPS for option in solution.packages())
    results = [*_broken(matrix, solution), *_accelerators(matrix, accelerators, plain=plain)]
    for option in solution.packages():
        results += _unknown_code(matrix, option, target)
        results += _unpromised(matrix, option, target)
        results += _inferred(matrix, option)
        results += _variant_metadata(matrix, option)
        results += _unread_metadata(matrix, option, target)
        results += _slower(matrix, option)
        results += _needs(matrix, option)
        results += _without_compiling(matrix, option, target, providers)
        results += _foreign(matrix, option, target)
    results += _cured(matrix, solution)
    return tuple(
        sorted(dict.fromkeys(results), key=lambda f: (f.level is not Level.WARNING, f.subject, f.text))
    )


def _broken(matrix: Matrix, solution: CoreSolution) -> list[Finding]:
    return [
        Finding(
            level=Level.WARNING,
            kind=FindingKind.BREAKAGE,
            subject=b.breakage.id,
            text=f"{b.breakage.title}: {b.breakage.symptom}. {b.breakage.fix}",
            source=readable(matrix, cite("breaks", b.breakage.source)),
            confidence=b.breakage.confidence,
        )
        for b in solution.broken
    ]


def _cured(matrix: Matrix, solution: CoreSolution) -> list[Finding]:
    return [
        Finding(
            level=Level.NOTE,
            kind=FindingKind.CURED,
            subject=b.breakage.id,
            text=f"{b.breakage.title}: the lock {_cure(b.breakage)}",
            source=readable(matrix, cite("breaks", b.breakage.source)),
            confidence=b.breakage.confidence,
        )
        for b in solution.cured
    ]


def _cure(breakage: Breakage) -> str:
    cures = (
        ("keeps", breakage.constraints),
        ("adds", breakage.add),
        ("drops", breakage.drop),
        ("sets", tuple(f"{name}={value}" for name, value in breakage.environment.items())),
    )
    return " and ".join(f"{verb} {', '.join(values)}" for verb, values in cures if values)


def _accelerators(matrix: Matrix, accelerators: Iterable[Accelerator], *, plain: bool) -> list[Finding]:
    """What must be known of a device; compiled kernels are not spoken of where ops are `plain` PyTorch."""
    return [
        Finding(
            level=Level.WARNING,
            kind=FindingKind.DEVICE,
            subject=a.name,
            text=f"{'' if plain else a.mmcv} {a.note}".strip(),
            source=readable(matrix, cite("accelerators", a.source)),
            confidence=a.confidence,
        )
        for a in accelerators
        if (a.mmcv and not plain) or a.note
    ]


def missing_extras(
    matrix: Matrix, requirements: Iterable[CoreRequirement], solution: CoreSolution, target: Target
) -> Iterator[Finding]:
    """Requested extras that the chosen releases do not have: installers warn and go on; so does the lock."""
    for requested in requirements:
        if not requested.extras or not holds(requested.marker, target.platform, solution.python):
            continue
        for option in solution.packages():
            if option.package == requested.name:
                yield from _missing_extras(matrix, requested, option, target)


def _missing_extras(
    matrix: Matrix, requested: CoreRequirement, option: Option, target: Target
) -> Iterator[Finding]:
    release = f"{option.package} {option.version}"
    missing = lacking(matrix, requested, option, target.platform)
    if missing is None:
        for extra in requested.extras:
            text = f"the extras of {release} are not recorded: nothing of `{extra}` is in the lock"
            yield _extra_finding(requested, extra, text, (), Confidence.INFERRED)
    for extra in missing or ():
        rows = [row for row in matrix.requires(requested.name) if extra in provided_extras(row)]
        having = sorted({row.version for row in rows}, key=version)
        span = having[0] if len(having) == 1 else f"{having[0]} to {having[-1]}"
        source = readable(matrix, cite("requires", rows[-1].source, requested.name))
        text = f"{release} has no extra `{extra}`, which is in {span}: nothing of it is in the lock"
        yield _extra_finding(requested, extra, text, source, rows[-1].confidence)


def _extra_finding(
    requested: CoreRequirement, extra: str, text: str, source: tuple[str, ...], confidence: Confidence
) -> Finding:
    return Finding(
        level=Level.WARNING,
        kind=FindingKind.MISSING_EXTRA,
        subject=requested.name,
        detail=extra,
        text=text,
        source=source,
        confidence=confidence,
    )


def _unknown_code(matrix: Matrix, option: Option, target: Target) -> list[Finding]:
    if not target.cuda:
        return []
    names = ", ".join(device.name for device in target.devices)
    if isinstance(option.choice, IndexChoice) and not option.choice.row.directory.startswith("cpu"):
        return [
            Finding(
                level=Level.WARNING,
                kind=FindingKind.UNREAD_CODE,
                subject=str(option.package),
                text=f"the GPUs that this wheel is built for are not published: not checked for {names}",
                source=readable(matrix, option.source),
                confidence=Confidence.INFERRED,
            )
        ]
    if isinstance(option.choice, TorchBuildChoice):
        build = option.choice.build
        compiled = [d.name for d in target.devices if code_for(d, build.archs, build.ptx) is Code.PTX]
        return [
            Finding(
                level=Level.WARNING,
                kind=FindingKind.PTX,
                subject=str(option.package),
                text=f"{_code_text(Code.PTX, name)}; the first start takes long, and its CUDA libraries may "
                "have no code for it",
                source=readable(matrix, option.source),
                confidence=build.confidence,
            )
            for name in compiled
        ]
    if isinstance(option.choice, BinaryChoice):
        row = option.choice.binary
        codes = {d.name: code_for(d, row.archs, row.ptx) for d in target.devices}
        return [
            Finding(
                level=Level.WARNING,
                kind=FindingKind.PTX if code is Code.PTX else FindingKind.UNREAD_CODE,
                subject=str(option.package),
                text=_code_text(code, name),
                source=readable(matrix, option.source),
                confidence=Confidence.INFERRED if code is Code.UNKNOWN else row.confidence,
            )
            for name, code in codes.items()
            if code in {Code.UNKNOWN, Code.PTX}
        ]
    return []


def _unpromised(matrix: Matrix, option: Option, target: Target) -> Iterator[Finding]:
    """A torch whose code was only seen to run on a Tegra part, and who has one that is made for it."""
    if not isinstance(option.choice, TorchBuildChoice):
        return
    build = option.choice.build
    for device in target.devices:
        if code_in(matrix, build, device) is not Code.REPORTED:
            continue
        row = tegra_report(matrix, device, build.archs, build.cuda)
        if row is None:
            continue
        ways = [
            f"; {one.title} ({one.home}): {one.offers}"
            for one in matrix.providers
            if one.name == row.provider
        ]
        yield Finding(
            level=Level.WARNING,
            kind=FindingKind.UNPROMISED,
            subject=str(option.package),
            text=f"its {row.runs} kernels run on {device.name} ({device.arch}) by report, not by NVIDIA's "
            f"promise, and need {row.needs}: {row.note}{''.join(ways)}",
            source=readable(matrix, cite("tegra-reports", row.source)),
            confidence=row.confidence,
        )


def _code_text(code: Code, name: str) -> str:
    if code is Code.PTX:
        return f"has only PTX for {name}: the driver compiles it at first use and must be new enough"
    return f"the GPUs that this wheel is built for were not read: not checked for {name}"


def _inferred(matrix: Matrix, option: Option) -> list[Finding]:
    if option.confidence is not Confidence.INFERRED or option.made:
        return []
    text = (
        "this file name is inferred and was not seen on the index"
        if isinstance(option.choice, IndexChoice)
        else "the facts about this build are inferred"
    )
    return [
        Finding(
            level=Level.WARNING,
            kind=FindingKind.INFERRED,
            subject=option.label,
            text=text,
            source=readable(matrix, option.source),
            confidence=Confidence.INFERRED,
        )
    ]


def _unread_metadata(matrix: Matrix, option: Option, target: Target) -> Iterator[Finding]:
    """A wheel that nobody recorded the requirements of: the lock may lack what it needs."""
    if not isinstance(option.choice, BinaryChoice) or option.choice.release is not None:
        return
    if option.package is None or option.package in matrix.extensions:
        return
    if declared(matrix, option.package, metadata_version(option), target.platform) is None:
        yield Finding(
            level=Level.WARNING,
            kind=FindingKind.METADATA,
            subject=str(option.package),
            text="its requirements are not recorded: packages that it needs may be missing from the lock",
            source=readable(matrix, option.source),
            confidence=Confidence.INFERRED,
        )


def _variant_metadata(matrix: Matrix, option: Option) -> list[Finding]:
    if not isinstance(option.choice, TorchBuildChoice) or option.choice.build.on_pypi:
        return []
    build = option.choice.build
    if build.variant.startswith(VARIANT):
        return []  # what it needs, its channel says
    text = (
        f"requirements of torch {build.torch}+{build.variant} are inferred from PyPI's build of that release"
    )
    if variant_recorded(matrix, build):
        row = declared(matrix, "torch", build.torch, build.platform, build.variant)
        if row is None or row.confidence is not Confidence.INFERRED:
            return []
        text += " and those of its CUDA"
    else:
        text += "; CUDA libraries that only its own metadata names are not in the lock"
    return [
        Finding(
            level=Level.NOTE,
            kind=FindingKind.METADATA,
            subject="torch",
            text=text,
            source=(build.index,),
            confidence=Confidence.INFERRED,
        )
    ]


def _foreign(matrix: Matrix, option: Option, target: Target) -> list[Finding]:
    if target.cuda or not isinstance(option.choice, TorchBuildChoice) or option.choice.build.cuda is None:
        return []
    build = option.choice.build
    return [
        Finding(
            level=Level.NOTE,
            kind=FindingKind.FOREIGN_BUILD,
            subject="torch",
            text=f"torch {build.torch}+{build.variant} is a CUDA build: this target uses only its CPU part",
            source=readable(matrix, option.source),
            confidence=build.confidence,
        )
    ]


def _needs(matrix: Matrix, option: Option) -> list[Finding]:
    row = matrix.described.get(option.package) if option.package is not None else None
    if row is None or row.needs is None:
        return []
    return [
        Finding(
            level=Level.NOTE,
            kind=FindingKind.GENERAL,
            subject=str(option.package),
            text=row.needs,
            source=readable(matrix, matrix.cited(row)),
            confidence=row.confidence,
        )
    ]


def _without_compiling(
    matrix: Matrix, option: Option, target: Target, allowed: Iterable[str]
) -> list[Finding]:
    """Who has built elsewhere what this lock would compile."""
    if option.form is not Form.BUILD or option.package is None:
        return []
    ways = list(other_ways(matrix, option.package, target, allowed))
    if not ways:
        return []
    return [
        Finding(
            level=Level.NOTE,
            kind=FindingKind.GENERAL,
            subject=str(option.package),
            text=f"without compiling: {'; '.join(way.text for way in ways)}",
            source=readable(matrix, [key for way in ways for key in way.source]),
            confidence=Confidence.CAPTURED,
        )
    ]


def _slower(matrix: Matrix, option: Option) -> list[Finding]:
    if option.form is not Form.TORCH_OPS:
        return []
    return [
        Finding(
            level=Level.WARNING,
            kind=FindingKind.SLOW_OPS,
            subject=f"{option.package} {option.version}",
            text="its ops are plain PyTorch (torch-ops), nothing is compiled: the same results up to "
            "rounding, but slower, most of all non-maximum suppression and voxelization, and on a GPU",
            source=readable(matrix, option.source),
            confidence=option.confidence,
        )
    ]


def environment(matrix: Matrix, solution: CoreSolution) -> tuple[dict[str, str], tuple[Reason, ...]]:
    """Variables the stack needs when it runs, and why."""
    values: dict[str, str] = {}
    reasons = []
    for one in solution.cured:
        for name, value in one.breakage.environment.items():
            values[name] = value
            reasons.append(
                Reason(
                    text=f"{name}={value}: {one.breakage.title}. Without it: {one.breakage.symptom}",
                    source=readable(matrix, cite("breaks", one.breakage.source)),
                    confidence=one.breakage.confidence,
                    kind=ReasonKind.BREAK,
                )
            )
    return dict(sorted(values.items())), tuple(reasons)
