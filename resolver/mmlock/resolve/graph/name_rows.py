"""What releases take of other packages by name, when they are imported: it bounds them as asserts do.

Only what an entry module takes unconditionally binds, and only a release that was read, and that certainly
lacks the name, is excluded: what nobody read, or what a module makes at run time, is unknown. A name
that no release has which the package itself admits says nothing: its makers never ran that line.
"""

from __future__ import annotations

from collections.abc import Mapping

from mmlock.core.names import Confidence, PackageName
from mmlock.facts.matrix.model import Release
from mmlock.names.check import needs_text
from mmlock.names.needed import Needed
from mmlock.names.table import ARCHIVES, NAMES
from mmlock.names.tables import GivenTable
from mmlock.resolve.graph.builder import GraphBuilder, cite
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import Group, LinkKind, Option

__all__ = ["link_names"]

_Lacks = tuple[tuple[PackageName, int], ...]
"""Package -> its releases that lack a name, as a mask of its table."""


def link_names(builder: GraphBuilder, catalog: SlotCatalog, option: Option, release: Release) -> None:
    """What a release needs of the other slots by name. Call after its other links."""
    table = builder.matrix.names_needed(option.package or "")
    if table is None:
        return
    for slot in sorted(table.tops.keys() & builder.slots.keys() - {option.slot}):
        needs = table.binding(slot, release.version)
        if needs:
            _link(builder, _tables(builder, catalog, slot), option, slot, needs)


def _link(
    builder: GraphBuilder,
    tables: Mapping[PackageName, GivenTable],
    option: Option,
    slot: str,
    needs: tuple[Needed, ...],
) -> None:
    admitted = _admitted(builder, option, slot)
    without: dict[_Lacks, Group] = {}
    telling: list[Needed] = []
    for need in needs:
        lacks = _lacks(tables, need)
        if not lacks:
            continue
        if lacks not in without:
            without[lacks] = admitted & _lacking(builder, tables, slot, lacks)
        if without[lacks] and _some_has(builder, tables, admitted - without[lacks]):
            telling.append(need)
    lost = frozenset().union(*(without[_lacks(tables, need)] for need in telling))
    if lost and _some_has(builder, tables, admitted - lost):
        key = ",".join(sorted(need.dotted for need in telling))
        every = frozenset().union(
            *(_lacking(builder, tables, slot, _lacks(tables, need)) for need in telling)
        )
        builder.link(
            option.index,
            slot,
            builder.kinds(slot, f"names:{key}", lambda o: o.version is not None and o.index not in every),
            LinkKind.NAMES,
            f"{option.package} {option.version} takes {needs_text(telling)} of {slot} when it is imported",
            cite(NAMES, (ARCHIVES,), option.package),
            Confidence.MEASURED,
        )


def _lacks(tables: Mapping[PackageName, GivenTable], need: Needed) -> _Lacks:
    found = ((package, table.absent(need.module, need.name)) for package, table in tables.items())
    return tuple((package, mask) for package, mask in found if mask)


def _lacking(
    builder: GraphBuilder, tables: Mapping[PackageName, GivenTable], slot: str, lacks: _Lacks
) -> Group:
    """The options of a slot that lack a name."""
    masks = dict(lacks)

    def lacking(option: Option) -> bool:
        mask = masks.get(option.package, 0) if option.package else 0
        return bool(mask and _bit(tables, option) & mask)

    return builder.kinds(slot, f"lacks:{lacks}", lacking)


def _bit(tables: Mapping[PackageName, GivenTable], option: Option) -> int:
    table = tables.get(option.package) if option.package else None
    return table.text.spans.bit(option.version) if table and option.version else 0


def _some_has(builder: GraphBuilder, tables: Mapping[PackageName, GivenTable], left: Group) -> bool:
    """Whether one of the options was read."""
    return any(_bit(tables, builder.options[index]) for index in left)


def _admitted(builder: GraphBuilder, option: Option, slot: str) -> Group:
    """What the release's own checks and requirements leave of a slot."""
    admitted = frozenset(builder.slots[slot])
    for link in reversed(builder.links):
        if link.option != option.index:
            break
        if link.slot == slot and link.hard:
            admitted &= link.members
    return admitted


def _tables(builder: GraphBuilder, catalog: SlotCatalog, slot: str) -> dict[PackageName, GivenTable]:
    """What is known of the packages that may fill a slot."""
    packages = catalog.modules[slot].packages if slot in catalog.modules else (PackageName(slot),)
    found = {package: builder.matrix.names_given(package) for package in packages}
    return {package: table for package, table in found.items() if table is not None}
