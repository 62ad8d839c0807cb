"""What releases take of other packages by name, when they are imported: it bounds them as asserts do.

Only what an entry module takes unconditionally binds, and only a release that was read, and that certainly lacks
the name, is excluded: what nobody read, or what a module makes at run time, is unknown and stays.
"""

from __future__ import annotations

from mmlock.core.names import Confidence, PackageName
from mmlock.facts.matrix.model import Release
from mmlock.names.check import lacking, needs_text
from mmlock.names.needed import Needed
from mmlock.names.tables import GivenTable
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import LinkKind, Option

__all__ = ["NAMES_READ", "link_names"]

NAMES_READ = "the sources of the release, read as syntax trees"


def link_names(builder: GraphBuilder, catalog: SlotCatalog, option: Option, release: Release) -> None:
    """What a release needs of the other slots by name."""
    table = builder.matrix.names_needed(option.package or "")
    if table is None:
        return
    for slot in sorted(table.tops.keys() & builder.slots.keys() - {option.slot}):
        needs = table.binding(slot, release.version)
        if needs:
            _link(builder, catalog, option, release, slot, needs)


def _link(
    builder: GraphBuilder,
    catalog: SlotCatalog,
    option: Option,
    release: Release,
    slot: str,
    needs: tuple[Needed, ...],
) -> None:
    tables = _tables(builder, catalog, slot)
    lacks = {package: lacking(table, needs) for package, table in tables.items()}
    if not any(lacks.values()):
        return

    def has_all(candidate: Option) -> bool:
        table = tables.get(candidate.package or "")
        mask = lacks.get(candidate.package or "", 0)
        known = table.text.spans.bit(candidate.version) if table and candidate.version else 0
        return candidate.version is not None and not known & mask

    lines = ",".join(sorted({need.dotted for need in needs}))
    members = builder.kinds(slot, f"names:{lines}", has_all)
    # Where nothing that is known of has the names, the facts are doubted, and not the package.
    if members and len(members) < len(builder.slots[slot]):
        telling = [need for need in needs if any(lacking(table, (need,)) for table in tables.values())]
        builder.link(
            option.index,
            slot,
            members,
            LinkKind.NAMES,
            f"{option.package} {release.version} takes {needs_text(telling)} of {slot} when it is imported",
            (NAMES_READ,),
            Confidence.MEASURED,
        )


def _tables(builder: GraphBuilder, catalog: SlotCatalog, slot: str) -> dict[str, GivenTable]:
    """What is known of the packages that may fill a slot."""
    packages = catalog.modules[slot].packages if slot in catalog.modules else (PackageName(slot),)
    found = {package: builder.matrix.names_given(package) for package in packages}
    return {package: table for package, table in found.items() if table is not None}
