"""Modules that are not found, and distributions that install the same module."""

from __future__ import annotations

from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.distributions import package_of, row_of
from mmlock.doctor.log_window import joined
from mmlock.doctor.model import Examination, SymptomMatch
from mmlock.doctor.proposals import on_a_gpu, proposed_solves
from mmlock.facts.matrix.curated import Cure

_ALSO_ON_CPU = frozenset({"torchvision", "torchaudio", "MultiScaleDeformableAttention"})


def module_missing(match: SymptomMatch, around: DiagnosisContext) -> Examination | None:
    """The distribution that a module comes with; None for modules that the facts do not know."""
    row = row_of(around.matrix, match.fields["module"])
    if row is None or not row.core:
        return None
    package = package_of(row, around.log)
    own = around.matrix.releases(package)
    words: tuple[str, ...] = ("{mmcv}", "{packages}") if row.module == "mmcv" else (package,)
    if own and row.module not in {"mmcv", "mmengine"}:
        words = (package, "{mmcv}", "{packages}")
    solves = proposed_solves((Cure(packages=words),), {}, around.entities, around.matrix)
    if not own and row.with_ops and row.module not in _ALSO_ON_CPU:
        solves = on_a_gpu(solves)
    others = [str(name) for name in row.packages if str(name) != package]
    evidence = (f"{joined([package, *others], 'or')} provides `{row.module}`",)
    return Examination(fields={"package": package}, evidence=evidence, solves=solves)


def spconv(_match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """The spconv to ask for, in step with the torch."""
    row = row_of(around.matrix, "spconv")
    if row is None:
        return Examination()
    package = package_of(row, around.log)
    solves = proposed_solves((Cure(packages=(package, "{packages}")),), {}, around.entities, around.matrix)
    return Examination(fields={"package": package}, solves=on_a_gpu(solves))
