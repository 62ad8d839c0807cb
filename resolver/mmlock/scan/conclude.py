"""Does a project need compiled ops of mmcv at all? The answer, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from mmlock.core.names import OpNeeds, StrEnum
from mmlock.facts.matrix.code import Op
from mmlock.scan.frameworks import FrameworkLoad
from mmlock.scan.model import RunCondition, SourceLine
from mmlock.scan.ops import OpUse

__all__ = ["RUNS", "Conclusion", "Need", "conclude", "guards"]

RUNS = frozenset({RunCondition.ALWAYS, RunCondition.IF})
"""Imports that run when their module is imported, and fail aloud."""


class Need(StrEnum):
    """What a project needs of mmcv's compiled part."""

    NOTHING = "nothing"  # it reaches no op and imports mmcv.ops nowhere
    IMPORT = "import"  # its ops are plain PyTorch, but its own lines import mmcv.ops, which loads _ext
    FRAMEWORK = "framework"  # its ops are plain PyTorch, but a framework it imports loads _ext
    OPS = "ops"  # it reaches ops that are compiled


class Conclusion(Struct, frozen=True, kw_only=True):
    """The answer for one project, or for the configs that were named."""

    need: Need
    ops: tuple[str, ...]
    """Every op it reaches, sorted: what a wheel of plain PyTorch ops would have to provide."""
    compiled: tuple[str, ...]
    """Those that call compiled code."""
    cuda_only: tuple[str, ...]
    """Those that do not run on a CPU."""
    unknown: tuple[str, ...]
    """Names that the matrix does not know; taken for compiled."""
    guard: tuple[SourceLine, ...]
    """Lines of the project that fail without mmcv._ext."""


def conclude(uses: Iterable[OpUse], loads: Iterable[FrameworkLoad], known: Mapping[str, Op]) -> Conclusion:
    """Draw the conclusion from all places."""
    uses = tuple(uses)
    ops = sorted({use.op for use in uses if use.op})
    needs = {name: known[name].needs if name in known else None for name in ops}
    compiled = tuple(name for name in ops if needs[name] is not OpNeeds.TORCH)
    guard = guards(uses)
    if compiled:
        need = Need.OPS
    elif any(load.when in RUNS for load in loads):
        need = Need.FRAMEWORK
    else:
        need = Need.IMPORT if guard else Need.NOTHING
    return Conclusion(
        need=need,
        ops=tuple(ops),
        compiled=compiled,
        cuda_only=tuple(name for name in ops if needs[name] is OpNeeds.CUDA),
        unknown=tuple(name for name in ops if needs[name] is None),
        guard=guard,
    )


def guards(uses: Iterable[OpUse]) -> tuple[SourceLine, ...]:
    """The lines that import mmcv.ops whenever their module is imported."""
    return tuple(sorted({use.place for use in uses if use.loads and use.when in RUNS}))
