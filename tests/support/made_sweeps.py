"""Small sweeps made by hand, and real ones over the committed facts."""

from __future__ import annotations

from pathlib import Path

from solved import facts

from mmlock.core.farm_arguments import SweepArguments
from mmlock.core.names import Form, PackageName
from mmlock.farm.axes import Axes, resolve_axes
from mmlock.farm.sweep import Sweep, SweepGroup, answer, questions
from mmlock.resolve.loop.grid import CellState
from mmlock.resolve.loop.sweep import PointAnswer, Stop, SweepChoice

WHEEL = PointAnswer(state=CellState.WHEEL, torch="2.1.2+cu121", cuda="12.1")
REFUSED = PointAnswer(state=CellState.REFUSED, stop=Stop.PYTHON)


def build(torch: str = "2.11.0+cu130", package: str = "mmcv", version: str = "2.1.0") -> PointAnswer:
    """An answer with one build."""
    return PointAnswer(
        state=CellState.BUILD,
        torch=torch,
        cuda="13.0" if "cu130" in torch else None,
        packages=(SweepChoice(name=PackageName(package), version=version, form=Form.BUILD),),
    )


def sweep(*groups: SweepGroup, pythons: tuple[str, ...], torches: tuple[str, ...]) -> Sweep:
    """A sweep whose other axes are those of its groups."""
    axes = Axes(
        gpus=tuple(dict.fromkeys(gpu for group in groups for gpu in group.gpus)),
        pythons=pythons,
        torches=torches,
        stacks=tuple(dict.fromkeys(group.stack for group in groups)),
    )
    return Sweep(mmlock="1", matrix="0" * 64, axes=axes, groups=groups)


def group(
    gpu: str, *rows: tuple[PointAnswer, ...], arch: str | None = None, stack: str = "small"
) -> SweepGroup:
    return SweepGroup(gpus=(gpu,), arch=arch, stack=stack, answers=rows)


def real(
    gpus: tuple[str, ...], pythons: tuple[str, ...], torches: tuple[str, ...], stacks: tuple[str, ...]
) -> Sweep:
    """A sweep over the committed facts, in this process."""
    asked = SweepArguments(gpus=gpus, pythons=pythons, torches=torches, stacks=stacks)
    axes = resolve_axes(facts(), Axes(), asked)
    groups = tuple(
        SweepGroup(gpus=words, arch=arch, stack=question.stack, answers=answer(facts(), question))
        for question, words, arch in questions(facts(), axes, mmlock="1", matrices=Path(facts().root))
    )
    return Sweep(mmlock="1", matrix=facts().digest, axes=axes, groups=groups)
