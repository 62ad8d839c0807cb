"""Extras of packages that the core decides: which a release has, and which other core packages they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packaging.requirements import Requirement

from mmlock.core.markers import active, holds, named_extras, parsed
from mmlock.core.names import PackageName, Platform, normalize
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Requires
from mmlock.resolve.graph.builder import Builder, cite
from mmlock.resolve.graph.packages import Catalog
from mmlock.resolve.graph.request import CoreWish
from mmlock.resolve.graph.rows import Group, LinkKind, Option, TorchChoice

__all__ = [
    "asked_extras",
    "declared",
    "lacking",
    "link_extras",
    "metadata_version",
    "named",
    "provided",
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


def metadata_version(option: Option) -> str | None:
    """The version under which the metadata of an option is recorded."""
    return option.choice.build.torch if isinstance(option.choice, TorchChoice) else option.version


def provided(row: Requires) -> frozenset[str]:
    """The extras that a release has, in normal form."""
    return frozenset(row.extras) | named_extras(row.requires)


def asked_extras(
    matrix: Matrix, wishes: Iterable[CoreWish], platform: Platform, python: str
) -> dict[str, tuple[str, ...]]:
    """Slot -> the extras that are asked of what fills it, on one Python."""
    slots = {package: m.module for m in matrix.modules if m.core for package in m.packages}
    found: dict[str, set[str]] = {}
    for wish in wishes:
        if wish.extras and holds(wish.marker, platform, python):
            found.setdefault(slots[wish.name], set()).update(wish.extras)
    return {slot: tuple(sorted(extras)) for slot, extras in found.items()}


def pulled(catalog: Catalog, slot: str, extras: tuple[str, ...]) -> set[str]:
    """Slots that extras of any release can need."""
    found: set[str] = set()
    for package in catalog.modules[slot].packages if extras else ():
        for row in catalog.matrix.requires(package):
            for requirement in _brought(package, row, extras):
                if (other := catalog.slot_of(requirement.name)) is not None:
                    found.add(other)
    return found


def _brought(package: PackageName, row: Requires, extras: tuple[str, ...]) -> Iterator[Requirement]:
    """Requirements that stand under one of the extras."""
    wanted = frozenset(active(package, row.requires, extras))
    for requirement in parsed(row.requires):
        if requirement.marker and named_extras((str(requirement),)) & wanted:
            yield requirement


def link_extras(builder: Builder, catalog: Catalog, slot: str, wish: CoreWish) -> None:
    """What the asked extras of a slot's options need of the other core slots."""
    platform = builder.request.target.platform
    for option in [builder.options[i] for i in builder.slots.get(slot, ()) if wish.extras]:
        row = declared(builder.matrix, option.package or "", metadata_version(option), platform)
        if row is not None and option.package is not None:
            for requirement in _brought(option.package, row, wish.extras):
                _link(builder, catalog, option, requirement, row, wish)


def _link(
    builder: Builder,
    catalog: Catalog,
    option: Option,
    requirement: Requirement,
    row: Requires,
    wish: CoreWish,
) -> None:
    name, package = normalize(requirement.name), option.package
    slot = catalog.slot_of(name)
    if slot is None or slot == option.slot or slot not in builder.slots or package is None:
        return
    spec, asked = str(requirement.specifier), active(package, row.requires, wish.extras)
    own = tuple(sorted(named_extras((str(requirement),)) & frozenset(asked)))
    lifted = builder.pythons_without(str(requirement.marker), own) | builder.pythons_without(wish.marker)
    builder.link(
        option.index,
        slot,
        named(builder, slot, name, spec) | lifted,
        LinkKind.REQUIRES,
        f"{package} {option.version} requires {name}{spec} for its extra `{'`, `'.join(own)}`",
        cite("requires", row.source, package),
        row.confidence,
    )


def named(builder: Builder, slot: str, name: PackageName, spec: str) -> Group:
    """Options of that very distribution within a specifier."""
    return builder.kinds(
        slot,
        f"requires:{name}:{spec}",
        lambda o: o.package == name and o.version is not None and allows(spec, o.version),
    )


def lacking(matrix: Matrix, wish: CoreWish, option: Option, platform: Platform) -> tuple[str, ...] | None:
    """Asked extras that a chosen release does not have; None when its extras are not recorded."""
    row = declared(matrix, option.package or "", metadata_version(option), platform)
    return None if row is None else tuple(sorted(frozenset(wish.extras) - provided(row)))
