"""What a refreshed package adds to each matrix file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from mmlock.core.names import Confidence, PackageName
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import Binary, Requires
from mmlock.facts.matrix.provenance import dated, read_on, seen_on
from mmlock.facts.scrape import binaries
from mmlock.facts.scrape.metadata import collapse
from mmlock.facts.scrape.metadata_chain import Origin, weakest
from mmlock.facts.scrape.pypi_package import NAME, PackageKind, PyPIPackage
from mmlock.facts.scrape.releases import SOURCE as ARCHIVE
from mmlock.facts.scrape.tags import pythons_of, release_of, wheel_name
from mmlock.facts.scrape.torch_wheels import SOURCES as TORCH_SOURCES
from mmlock.facts.scrape.torch_wheels import torch_rows

__all__ = ["facts_of"]

_WHERE = {
    Origin.WHEEL: "METADATA of one wheel per platform",
    Origin.SDIST: "PKG-INFO of the sdist",
    Origin.JSON: "`info` of the release in the JSON API, beside its page",
}


def facts_of(package: PyPIPackage, index: str, day: str, newest_torch: str | None) -> Iterator[Facts]:
    """Files always; requirements, refusals and binaries of releases that are new."""
    plan = package.plan
    page = f"{index}/{plan.package}/"
    yield Facts(
        schema="files",
        package=plan.package,
        rows=package.rows.rows,
        sources={NAME: f"{page} ({day})"},
        scope=lambda row: NAME in row.source,
    )
    origins = {release: weakest(package.origins[release]) for release in package.said}
    new = {
        release: collapse(release, said, (origins[release],), _confidence(package, release))
        for release, said in package.said.items()
    }
    if new:
        rows = tuple(row for found in new.values() for row in found)
        sources = {str(key): f"{_WHERE[key]} on {page} ({day})" for key in origins.values()}
        yield _facts("requires", plan.package, rows, sources)
    if plan.kind is PackageKind.RELEASES:
        yield _releases(package, day)
    elif plan.kind is PackageKind.TORCH:
        # A release may have appeared on PyTorch's index first: its builds there are no builds of PyPI.
        known = {row.torch for row in plan.builds if row.on_pypi}
        built = [
            row
            for release in _fresh(package, new, known)
            for row in torch_rows(release, new[release.version])
        ]
        yield _facts("torch-builds", None, read_on(day, built), _on(day, TORCH_SOURCES))
    elif plan.binaries:
        fresh = read_on(day, _binaries(package, new, newest_torch))
        told = (*_again(package, dated(binaries.LIST, day)), *fresh)
        yield _facts("binaries", plan.package, told, _on(day, binaries.SOURCES))


def _confidence(package: PyPIPackage, release: str) -> Confidence:
    """What an sdist says of a release that has nothing else is said of the very file."""
    origin = weakest(package.origins[release])
    wheels = any(row.name.endswith(".whl") for row in package.rows.rows if release_of(row.name) == release)
    if origin is Origin.SDIST and not (wheels and package.plan.kind is not PackageKind.SOURCE):
        return Confidence.MEASURED
    return origin.confidence


def _on(day: str, sources: Mapping[str, str]) -> dict[str, str]:
    return {dated(key, day): f"{text}, read {day}" for key, text in sources.items()}


def _facts(schema: str, package: PackageName | None, rows: tuple[Any, ...], sources: dict[str, str]) -> Facts:
    return Facts(schema=schema, package=package, rows=rows, sources=sources)


def _releases(package: PyPIPackage, day: str) -> Facts:
    """New releases, and known ones that were yanked or got a wheel."""
    files: dict[str, list[tuple[bool, bool]]] = {}
    for row in package.rows.rows:
        files.setdefault(release_of(row.name) or "", []).append((row.yanked, row.name.endswith(".whl")))
    again = [
        seen_on(
            structs.replace(
                row,
                yanked=all(yanked for yanked, _ in files[row.version]),
                has_wheel=any(wheel for _, wheel in files[row.version]),
            ),
            dated(NAME, day),
        )
        for row in package.plan.releases
        if row.version in files
    ]
    sources = {
        dated(NAME, day): f"which files of it PyPI lists, and whether they are yanked ({day})",
        dated(ARCHIVE, day): f"the release's sdist on PyPI, else its wheel, read without running anything "
        f"({day}): metadata, mminstall.txt, assert statements and imports of the entry modules",
    }
    rows = (*again, *read_on(day, package.new_releases))
    return _facts("releases", package.plan.package, rows, sources)


def _fresh(
    package: PyPIPackage, new: dict[str, list[Requires]], known: set[str]
) -> Iterator[binaries.ReleaseFiles]:
    """Releases that were read now and have no row yet."""
    for release in new:
        if release not in known:
            files = tuple(row for row in package.rows.rows if release_of(row.name) == release)
            yield binaries.ReleaseFiles(package=package.plan.package, version=release, files=files)


def _binaries(
    package: PyPIPackage, new: dict[str, list[Requires]], newest_torch: str | None
) -> Iterator[Binary]:
    """Rows of new releases."""
    plan = package.plan
    for release in _fresh(package, new, {row.version for row in plan.binaries}):
        requires = new[release.version]
        if plan.kind is PackageKind.COMPANION:
            yield binaries.companion_row(release, requires, newest_torch)
        elif plan.kind is PackageKind.XFORMERS:
            yield binaries.xformers_row(release, requires, package.records.get(release.version))
        elif plan.kind is PackageKind.SPCONV:
            yield binaries.spconv_row(release)
        elif plan.kind is PackageKind.NPU:
            yield from binaries.npu_rows(release, requires)


def _again(package: PyPIPackage, source: str) -> Iterator[Binary]:
    """Known rows whose release got wheels for another Python."""
    known = {row.name for row in package.plan.files}
    added: dict[str, set[str]] = {}
    for file in package.rows.rows:
        name = wheel_name(file.name)
        if known and file.name not in known and name is not None:
            added.setdefault(name.version, set()).update(name.pythons)
    for row in package.plan.binaries:
        more = added.get(row.version, set()) - set(row.pythons)
        if row.pythons and more and row.url is None:
            pythons = pythons_of({*row.pythons, *more})
            yield seen_on(structs.replace(row, pythons=pythons), source)
