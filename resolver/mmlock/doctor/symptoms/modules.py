"""Modules that are not found, and distributions that install the same module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmlock.doctor.distributions import package_of, row_of
from mmlock.doctor.log_window import joined
from mmlock.doctor.model import Examined, Match
from mmlock.doctor.proposals import on_a_gpu, wishes_of
from mmlock.facts.matrix.curated import Cure

if TYPE_CHECKING:
    from mmlock.doctor.diagnose import Surroundings

_ALSO_ON_CPU = frozenset({"torchvision", "torchaudio", "MultiScaleDeformableAttention"})


def module_missing(match: Match, around: Surroundings) -> Examined | None:
    """The distribution that a module comes with; None for modules that the facts do not know."""
    row = row_of(around.matrix, match.fields["module"])
    if row is None or not row.core:
        return None
    package = package_of(row, around.log)
    own = around.matrix.releases(package)
    words: tuple[str, ...] = ("{mmcv}", "{packages}") if row.module == "mmcv" else (package,)
    if own and row.module not in {"mmcv", "mmengine"}:
        words = (package, "{mmcv}", "{packages}")
    wishes = wishes_of((Cure(packages=words),), {}, around.mentions, around.matrix)
    if not own and row.with_ops and row.module not in _ALSO_ON_CPU:
        wishes = on_a_gpu(wishes)
    others = [str(name) for name in row.packages if str(name) != package]
    evidence = (f"`{row.module}` comes with {joined([package, *others], 'or')}",)
    return Examined(fields={"package": package}, evidence=evidence, wishes=wishes)


def spconv(_match: Match, around: Surroundings) -> Examined:
    """The spconv to ask for, in step with the torch."""
    row = row_of(around.matrix, "spconv")
    if row is None:
        return Examined()
    package = package_of(row, around.log)
    wishes = wishes_of((Cure(packages=(package, "{packages}")),), {}, around.mentions, around.matrix)
    return Examined(fields={"package": package}, wishes=on_a_gpu(wishes))
