"""What a project's own guide names: what it costs to choose otherwise, each package counted alone."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.names import PackageName
from mmlock.core.requirements import Asked
from mmlock.core.versions import allows, allows_python
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.local_versions import split_local
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import Option, TorchBuildChoice

__all__ = ["CUDA", "PYTHON", "add_advice", "by_name", "follows"]

PYTHON = PackageName("python")
CUDA = PackageName("cuda")
"""In advice, the CUDA that torch is built with."""


def by_name(advice: Iterable[Asked]) -> dict[PackageName, tuple[Asked, ...]]:
    """Advice on one package is fulfilled by any of its alternatives: guides name one for each CUDA."""
    grouped: dict[PackageName, list[Asked]] = {}
    for one in advice:
        grouped.setdefault(one.name, []).append(one)
    return {name: tuple(same) for name, same in grouped.items()}


def add_advice(builder: GraphBuilder, catalog: SlotCatalog) -> None:
    """Every option that advice speaks of and does not mean pays for that; an empty slot does not.

    Advice that no option follows costs nothing, and decides nothing.
    """
    for name, alternatives in by_name(builder.request.advice).items():
        slot = _slot_of(catalog, name)
        if slot is None or slot not in builder.slots:
            continue
        meant = [i for i in builder.slots[slot] if builder.options[i].version is not None]
        good = {i for i in meant if any(follows(builder.options[i], one) for one in alternatives)}
        if good:
            for index in meant:
                if index not in good:
                    builder.advised[index] = builder.advised.get(index, 0) + 1


def _slot_of(catalog: SlotCatalog, name: PackageName) -> str | None:
    if name in {PYTHON, "torch"}:
        return str(name)
    return "torch" if name == CUDA else catalog.slot_of(name)


def follows(option: Option, advice: Asked) -> bool:
    """Whether an option is what a part of the advice names."""
    if option.version is None:
        return False
    choice = option.choice
    if isinstance(choice, TorchBuildChoice):
        build = choice.build
        if advice.name == CUDA:
            return build.cuda is not None and allows(advice.specifier, build.cuda)
        return allows(advice.specifier, f"{build.torch}+{build.variant}")
    if advice.name == PYTHON:
        return allows_python(advice.specifier, option.version)
    if advice.name not in {option.package, option.slot}:
        return False
    return allows(split_local(advice.specifier)[0], option.version)
