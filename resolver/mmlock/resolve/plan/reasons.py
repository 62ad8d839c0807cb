"""The argument for a picked option: who asked for it, what needs it, what it needs."""

from __future__ import annotations

from collections.abc import Sequence

from mmlock.core.names import Confidence
from mmlock.core.target import Target
from mmlock.core.versions import version
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import Reason, ReasonKind
from mmlock.resolve.core_solver.alternatives import NewerVersion
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.builder import cite, readable
from mmlock.resolve.graph.rows import Link, LinkKind, Option, Rows, TorchBuildChoice, ValidatedSet
from mmlock.resolve.plan.choice import absence, choice

_KIND = {
    LinkKind.ASSERTS: ReasonKind.ASSERTS,
    LinkKind.REQUIRES: ReasonKind.REQUIRES,
    LinkKind.NAMES: ReasonKind.NAMES,
    LinkKind.DECLARES: ReasonKind.DECLARES,
    LinkKind.WHEEL: ReasonKind.WHEEL,
    LinkKind.PYTHON: ReasonKind.PYTHON,
    LinkKind.BUILD: ReasonKind.BUILD,
    LinkKind.TOOLCHAIN: ReasonKind.BUILD,
    LinkKind.CUDA: ReasonKind.PAIR,
    LinkKind.DEAD: ReasonKind.WHEEL,
}


def reasons_for(
    matrix: Matrix,
    rows: Rows,
    solution: CoreSolution,
    option: Option,
    target: Target,
    newer: Sequence[NewerVersion] = (),
) -> tuple[Reason, ...]:
    """Why this version, who requests it, who needs it, what it needs, why nothing newer; with sources."""
    first = choice(matrix, rows, solution, option, target, newer)
    reasons = [*([first] if first else []), *_asked(rows, solution, option), *_device_code(matrix, option)]
    reasons += [
        _reason(matrix, link)
        for link in solution.links
        if link.slot == option.slot and option.index in link.members
    ]
    reasons += [_reason(matrix, link) for link in solution.links if link.option == option.index]
    if option.made:
        reasons.append(no_wheel(matrix, solution, option))
    reasons += [validation(matrix, one) for one in _most_telling(solution.validated)]
    reasons += [why_not_newer(matrix, one) for one in newer if one.slot == option.slot]
    if option.slot == "torch":
        reasons += [why_not_newer(matrix, one) for one in newer if one.slot == "python"]
    return tuple(dict.fromkeys(reasons))


def why_not_newer(matrix: Matrix, newer: NewerVersion) -> Reason:
    """What a newer version would cost, by the order of the objectives."""
    name = str(newer.taken.package or newer.slot.capitalize())
    if newer.best is None:
        sure, lists = absence(matrix, newer.taken.package)
        return Reason(
            text=f"no known {name} newer than {newer.taken.version} satisfies the request",
            source=("the objectives", *readable(matrix, lists)),
            confidence=sure,
            kind=ReasonKind.OBJECTIVE,
        )
    if newer.worse is None:
        text = f"{newer.best.label} costs the same, but then another package is older"
    else:
        payers = f": {'; '.join(newer.worse.detail)}" if newer.worse.detail else ""
        text = f"{newer.best.label} costs more in `{newer.worse.objective}`{payers}"
    return Reason(
        text=text, source=("the objectives",), confidence=Confidence.MEASURED, kind=ReasonKind.OBJECTIVE
    )


def _most_telling(validated: Sequence[ValidatedSet]) -> Sequence[ValidatedSet]:
    """One of the validations of a choice: the newest, of several the one with most checks."""
    return sorted(validated, key=lambda one: (one.row.day, one.row.passed, one.row.lock))[-1:]


def validation(matrix: Matrix, one: ValidatedSet) -> Reason:
    """What ran of this combination, and where."""
    row = one.row
    recorded = matrix.sources("verdicts")
    device = " ".join((row.kind.value, *row.archs))
    others = ", ".join(f"{name} {version}" for name, version in sorted(row.packages.items()))
    return Reason(
        text=f"validated on {device} ({row.machine}) on {row.day}: {row.passed} checks passed, {row.skipped} "
        f"skipped, with Python {row.python}, torch {row.torch}+{row.variant}, {others}",
        source=tuple(recorded.get(key, key) for key in row.source),
        confidence=row.confidence,
        kind=ReasonKind.VERDICT,
    )


def _reason(matrix: Matrix, link: Link) -> Reason:
    return Reason(
        text=link.reason,
        source=readable(matrix, link.source),
        confidence=link.confidence,
        kind=_KIND[link.kind],
    )


def _asked(rows: Rows, solution: CoreSolution, option: Option) -> list[Reason]:
    python = solution.picked["python"].index
    return [
        Reason(
            text=f"requested: {constraint.name}",
            source=(constraint.origin,),
            confidence=Confidence.MEASURED,
            kind=ReasonKind.REQUESTED,
        )
        for constraint in rows.user_constraints
        for slot, members in constraint.parts
        if slot == option.slot and option.index in members and python not in constraint.unless
    ]


def _device_code(matrix: Matrix, option: Option) -> list[Reason]:
    if not isinstance(option.choice, TorchBuildChoice) or not option.choice.build.archs:
        return []
    build = option.choice.build
    return [
        Reason(
            text=f"is built for {' '.join((*build.archs, *build.ptx))}" if build.archs else "has no GPU code",
            source=readable(matrix, cite("torch-builds", build.source)),
            confidence=build.confidence,
            kind=ReasonKind.GPU,
        )
    ]


def no_wheel(matrix: Matrix, solution: CoreSolution, option: Option) -> Reason:
    """Why the solution builds a package: what wheels there are and why none fits."""
    torch = solution.torch
    rows = [r for r in matrix.index_rows if r.package == option.package and option.version in r.versions]
    if not rows:
        return Reason(
            text=f"no known index has a wheel of {option.package} {option.version} "
            f"for torch {torch.torch}+{torch.variant} and Python {solution.python}",
            source=option.source and readable(matrix, option.source),
            confidence=Confidence.INFERRED,
            kind=ReasonKind.WHEEL,
        )
    newest = max(version(r.directory.partition("/torch")[2]) for r in rows)
    variants = sorted({r.directory.partition("/")[0] for r in rows if r.directory.endswith(f"torch{newest}")})
    return Reason(
        text=f"OpenMMLab's index has {option.package} {option.version} wheels up to torch "
        f"{newest.major}.{newest.minor} ({', '.join(variants)}), "
        f"none for torch {torch.torch}+{torch.variant}",
        source=readable(matrix, cite("openmmlab-index", tuple(sorted({s for r in rows for s in r.source})))),
        confidence=Confidence.CAPTURED,
        kind=ReasonKind.WHEEL,
    )
