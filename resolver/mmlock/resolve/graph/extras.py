"""Extras of packages that the core decides: which a release has, and which other core packages they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from packaging.requirements import Requirement

from mmlock.core.markers import active, holds, named_extras, parsed
from mmlock.core.names import PackageName, Platform, normalize
from mmlock.core.versions import allows, allows_python
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Requires
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import Group, LinkKind, Option, TorchBuildChoice
from mmlock.resolve.request.model import CoreRequirement
from mmlock.resolve.request.packages import provided_extras

__all__ = [
    "asked_extras",
    "declared",
    "lacking",
    "link_extras",
    "link_requires_python",
    "metadata_version",
    "named",
    "pulled",
]


def declared(
    matrix: Matrix, package: str, version: str | None, platform: Platform, variant: str | None = None
) -> Requires | None:
    """The recorded metadata of a release on a platform; None when nobody recorded it.

    `variant`: of a torch build that PyPI does not serve; where nobody recorded it, PyPI's is given.
    """
    known = [row for row in matrix.requires(package) if row.version == version]
    rows = [row for row in known if row.variant == variant and row.platform is platform]
    rows = rows or [row for row in known if row.variant is None]
    own = (row for row in rows if row.platform is platform)
    return next(own, None) or next((row for row in rows if row.platform is None), rows[0] if rows else None)


def link_requires_python(builder: GraphBuilder, option: Option) -> None:
    """The Pythons that recorded metadata of another project admits: pip refuses the others, wheel or not."""
    package = option.package
    if package is None or package in builder.matrix.extensions:
        return
    row = declared(builder.matrix, package, option.version, builder.request.target.platform)
    spec = row.requires_python if row is not None else None
    if row is None or not spec:
        return
    members = builder.versions("python", f"requires-python:{spec}", partial(allows_python, spec))
    if len(members) < len(builder.slots["python"]):
        builder.link(
            option.index,
            "python",
            members,
            LinkKind.REQUIRES,
            f"{package} {option.version} requires Python {spec}",
            cite("requires", row.source, package),
            row.confidence,
        )


def metadata_version(option: Option) -> str | None:
    """The version under which the metadata of an option is recorded."""
    return option.choice.build.torch if isinstance(option.choice, TorchBuildChoice) else option.version


def asked_extras(
    matrix: Matrix, requirements: Iterable[CoreRequirement], platform: Platform, python: str
) -> dict[str, tuple[str, ...]]:
    """Slot -> the extras that are asked of what fills it, on one Python."""
    slots = {package: m.module for m in matrix.modules if m.core for package in m.packages}
    extras_of: dict[str, set[str]] = {}
    for requested in requirements:
        if requested.extras and holds(requested.marker, platform, python):
            extras_of.setdefault(slots[requested.name], set()).update(requested.extras)
    return {slot: tuple(sorted(extras)) for slot, extras in extras_of.items()}


def pulled(catalog: SlotCatalog, slot: str, extras: tuple[str, ...]) -> set[str]:
    """Slots that extras of any release can need."""
    slots: set[str] = set()
    for package in catalog.modules[slot].packages if extras else ():
        for row in catalog.matrix.requires(package):
            for requirement in _brought(package, row, extras):
                if (other := catalog.slot_of(requirement.name)) is not None:
                    slots.add(other)
    return slots


def _brought(package: PackageName, row: Requires, extras: tuple[str, ...]) -> Iterator[Requirement]:
    """Requirements that are under one of the extras."""
    wanted = frozenset(active(package, row.requires, extras))
    for requirement in parsed(row.requires):
        if requirement.marker and named_extras((str(requirement),)) & wanted:
            yield requirement


def link_extras(builder: GraphBuilder, catalog: SlotCatalog, slot: str, requested: CoreRequirement) -> None:
    """What the asked extras of a slot's options need of the other core slots."""
    platform = builder.request.target.platform
    for option in [builder.options[i] for i in builder.slots.get(slot, ()) if requested.extras]:
        row = declared(builder.matrix, option.package or "", metadata_version(option), platform)
        if row is not None and option.package is not None:
            for requirement in _brought(option.package, row, requested.extras):
                _link(builder, catalog, option, requirement, row, requested)


def _link(
    builder: GraphBuilder,
    catalog: SlotCatalog,
    option: Option,
    requirement: Requirement,
    row: Requires,
    requested: CoreRequirement,
) -> None:
    name, package = normalize(requirement.name), option.package
    slot = catalog.slot_of(name)
    if slot is None or slot == option.slot or slot not in builder.slots or package is None:
        return
    spec, asked = str(requirement.specifier), active(package, row.requires, requested.extras)
    own = tuple(sorted(named_extras((str(requirement),)) & frozenset(asked)))
    lifted = builder.pythons_without(str(requirement.marker), own) | builder.pythons_without(requested.marker)
    builder.link(
        option.index,
        slot,
        named(builder, slot, name, spec) | lifted,
        LinkKind.REQUIRES,
        f"{package} {option.version} requires {name}{spec} for its extra `{'`, `'.join(own)}`",
        cite("requires", row.source, package),
        row.confidence,
    )


def named(builder: GraphBuilder, slot: str, name: PackageName, spec: str) -> Group:
    """Options of that very distribution within a specifier."""
    return builder.kinds(
        slot,
        f"requires:{name}:{spec}",
        lambda o: o.package == name and o.version is not None and allows(spec, o.version),
    )


def lacking(
    matrix: Matrix, requested: CoreRequirement, option: Option, platform: Platform
) -> tuple[str, ...] | None:
    """Asked extras that a chosen release does not have; None when its extras are not recorded."""
    row = declared(matrix, option.package or "", metadata_version(option), platform)
    return None if row is None else tuple(sorted(frozenset(requested.extras) - provided_extras(row)))
