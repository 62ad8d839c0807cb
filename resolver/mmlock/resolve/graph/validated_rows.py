"""Combinations whose kernels ran on such a target, and held."""

from __future__ import annotations

from mmlock.core.names import Form
from mmlock.core.target import Target
from mmlock.core.versions import version
from mmlock.facts.matrix.model import Validation
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.rows import Group, NothingChoice, Option, TorchBuildChoice, ValidatedSet


def add_validated(builder: GraphBuilder) -> None:
    """Every validation on such a target whose combination this graph can make."""
    rows = (*builder.request.validations, *builder.matrix.validations)
    # One lock may have verdicts from several machines: only those on such a target speak for it here.
    known = {row.lock: row for row in rows if _such(row, builder.request.target)}
    for row in known.values():
        if (groups := _groups(builder, row)) is not None:
            builder.validated.append(ValidatedSet(row=row, groups=groups))


def _such(row: Validation, target: Target) -> bool:
    """Whether what ran there ran on all that the request is for."""
    archs = set(row.archs)
    return (
        row.kind is target.kind
        and row.platform is target.platform
        and all(device.arch is None or device.arch in archs for device in target.devices)
    )


def _groups(builder: GraphBuilder, row: Validation) -> tuple[Group, ...] | None:
    """For each slot the options that are as they were there; None when a slot has none."""
    groups = []
    key = (
        f"validated:{row.torch}+{row.variant}:{row.python}:{sorted(row.packages.items())}:{sorted(row.built)}"
    )
    for slot, indices in builder.slots.items():
        group = builder.group(slot, key, lambda option: _same(option, row))
        if not group:
            return None
        if len(group) < len(indices):
            groups.append(group)
    return tuple(groups)


def _same(option: Option, row: Validation) -> bool:
    if option.slot == "toolchain" or isinstance(option.choice, NothingChoice):
        return True
    if option.slot == "python":
        return option.version == row.python
    if isinstance(option.choice, TorchBuildChoice):
        return (option.choice.build.torch, option.choice.build.variant) == (row.torch, row.variant)
    if option.package is None or option.version is None or option.package not in row.packages:
        return False
    built = option.package in row.built
    return (option.form is Form.BUILD) == built and (
        version(option.version).public == version(row.packages[option.package]).public
    )
