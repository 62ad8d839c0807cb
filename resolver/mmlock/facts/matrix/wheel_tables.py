"""Wheels that tables list, and those of providers, as the rows that the rest of mmlock reads. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mmlock.core.versions import cuda_of_variant
from mmlock.facts.matrix.model import Binary, ProvidedWheel, Requires
from mmlock.facts.matrix.packages import Build, WheelTable
from mmlock.facts.matrix.provenance import cited

__all__ = ["listed_binary", "listed_requires", "provided_binary"]


def listed_binary(build: Build, file: str) -> Binary:
    """A wheel of a table in `packages/FILE.toml`."""
    table = build.table
    return Binary(
        package=build.package,
        version=build.version,
        torch=build.torch,
        cuda=build.cuda,
        same_variant=table.same_variant,
        cudart=table.cudart,
        archs=table.archs,
        ptx=table.ptx,
        cxx11_abi=build.abi,
        glibc=table.glibc,
        pythons=table.pythons,
        platforms=build.platforms,
        url=build.url,
        yanked=False,
        source=cited("packages", table.source, file),
        confidence=table.confidence,
        note=table.note,
        unread=build.unread,
        variant=build.variant,
        optional=build.optional,
        provider=table.provider,
        listed=table.listed,
    )


def listed_requires(table: WheelTable, file: str) -> Iterator[Requires]:
    """What the wheels of a table in `packages/FILE.toml` declare, where someone recorded it there."""
    if table.requires is None:
        return
    for version in table.versions:
        yield Requires(
            version=version,
            requires=table.requires,
            requires_python=None,
            source=cited("packages", table.source, file),
            confidence=table.confidence,
        )


def provided_binary(row: ProvidedWheel) -> Binary:
    """A wheel read on the index of a provider, as any other wheel that is tied to one variant of torch."""
    return Binary(
        package=row.package,
        version=row.version.partition("+")[0],
        torch=row.torch,
        cuda=cuda_of_variant(row.variant),
        same_variant=False,
        cudart=None,
        archs=row.archs,
        ptx=(),
        cxx11_abi=None,
        glibc=row.glibc,
        pythons=row.pythons,
        platforms=(row.platform,),
        url=row.url,
        yanked=False,
        source=cited("providers", row.source, row.package),
        confidence=row.confidence,
        note=row.note,
        variant=row.variant,
        provider=row.provider,
    )
