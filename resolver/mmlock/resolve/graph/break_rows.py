"""Combinations known to fail although every bound holds."""

from __future__ import annotations

from mmlock.core.device import format_cc
from mmlock.core.names import DeviceKind
from mmlock.core.target import Target
from mmlock.core.versions import allows
from mmlock.facts.matrix.model import Breakage, When
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.request import LateBreakage
from mmlock.resolve.graph.rows import (
    BinaryChoice,
    Group,
    Incompatibility,
    IndexChoice,
    Option,
    TorchBuildChoice,
)


def add_incompatibilities(builder: GraphBuilder, catalog: SlotCatalog) -> None:
    """Every breakage that can happen in this graph."""
    for breakage in builder.matrix.breaks:
        groups = _groups(builder, catalog, breakage)
        if groups is None:
            continue
        if all(_is_there(builder, when) for when in breakage.when if _is_ordinary(catalog, when)):
            builder.incompatibilities.append(Incompatibility(breakage=breakage, groups=groups))
            continue
        for late in builder.request.late_breakages:
            if late.breakage == breakage.id and (where := _where(builder, late)) is not None:
                builder.incompatibilities.append(Incompatibility(breakage=breakage, groups=(*groups, *where)))


def prime_incompatibilities(builder: GraphBuilder, catalog: SlotCatalog) -> None:
    """Find the options that breakages speak of once, for all requests that share a graph."""
    for breakage in builder.matrix.breaks:
        for when in breakage.when:
            if when.package in {"python", "torch"} or catalog.slot_of(when.package):
                _members(builder, catalog, when)


def _is_ordinary(catalog: SlotCatalog, when: When) -> bool:
    return when.package not in {"gpu", "python", "torch"} and catalog.slot_of(when.package) is None


def _is_there(builder: GraphBuilder, when: When) -> bool:
    """Whether an ordinary package is in any environment, in a version that is meant."""
    return any(
        name == when.package and (not when.versions or (pin is not None and allows(when.versions, pin)))
        for name, pin in builder.request.present
    )


def _where(builder: GraphBuilder, late: LateBreakage) -> tuple[Group, ...] | None:
    """The options with which ordinary packages bring it about, and not those of an excepted choice."""
    groups = builder.groups_of((frozenset({late.python}), *(group for group in late.bringers if group)))
    if groups is None:
        return None
    every = frozenset(range(len(builder.options)))
    # Any option besides those of a choice is picked by every other choice, and by that one not.
    others = (choice for one in late.excepted if (choice := builder.groups_of(frozenset({p}) for p in one)))
    return (*groups, *(every.difference(*choice) for choice in others))


def _groups(builder: GraphBuilder, catalog: SlotCatalog, breakage: Breakage) -> tuple[Group, ...] | None:
    """The options that bring it about, ordinary packages aside; None when it cannot happen here."""
    groups: list[Group] = []
    for when in breakage.when:
        if when.package == "gpu":
            if not on_gpu(builder.request.target, when):
                return None
        elif not _is_ordinary(catalog, when):
            group = _members(builder, catalog, when)
            if not group:
                return None
            groups.append(group)
    return tuple(groups)  # empty: what is in the environment anyway brings it about


def on_gpu(target: Target, when: When) -> bool:
    """Whether one of the target's GPUs has a capability that a condition speaks of."""
    return target.kind is DeviceKind.CUDA and any(
        device.arch is not None and allows(when.versions, format_cc(device.arch)) for device in target.devices
    )


def _members(builder: GraphBuilder, catalog: SlotCatalog, when: When) -> Group:
    slot = str(when.package) if when.package in {"python", "torch"} else catalog.slot_of(when.package)
    if slot is None or slot not in builder.slots:
        return frozenset()
    finder = builder.group if when.cuda else builder.kinds
    return finder(
        slot,
        f"when:{when.package}:{when.versions}:{when.form}:{when.cuda}",
        lambda option: matches(option, when),
    )


def matches(option: Option, when: When) -> bool:
    """Whether an option is what a condition speaks of."""
    if option.version is None or when.package not in {"python", option.package}:
        return False
    if when.form is not None and option.form != when.form:
        return False
    if when.cuda and not allows(when.cuda, cuda_of(option) or "0"):
        return False
    return allows(when.versions, option.version)


def cuda_of(option: Option) -> str | None:
    """The CUDA an option was built with, None without."""
    choice = option.choice
    if isinstance(choice, TorchBuildChoice):
        return choice.build.cuda
    if isinstance(choice, BinaryChoice):
        return choice.binary.cuda
    if isinstance(choice, IndexChoice):
        digits = choice.row.directory.partition("/")[0].removeprefix("cu")
        return f"{digits[:-1]}.{digits[-1]}" if digits.isdigit() else None
    return None
