"""The indexes a refresh reads, each with what it must know of the facts so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct, field

from mmlock.core.names import PackageName
from mmlock.facts.matrix import store
from mmlock.facts.matrix.layout import SECTIONS, section_of
from mmlock.facts.matrix.load import Matrix, decode
from mmlock.facts.matrix.merge import Facts, merge
from mmlock.facts.matrix.model import Document
from mmlock.facts.matrix.packages import OnPyPI
from mmlock.facts.scrape import (
    advisories,
    conda_channel,
    flash_attn,
    onedl,
    openmmlab,
    pypi,
    pytorch,
    pytorch_files,
    torch_packages,
)
from mmlock.facts.scrape.fetch_page import Scrape

__all__ = ["INDEXES", "Facts", "IndexQuery", "Overlay", "providers"]


class Overlay(Struct):
    """The facts on disk and, over them, what this refresh has merged so far."""

    root: Path
    merged: dict[str, Document[Any]] = field(default_factory=dict)

    def document(self, schema: str, package: str | None = None) -> Document[Any] | None:
        """One matrix file; None when there is none. Raises MatrixError."""
        name = SECTIONS[schema].path_for(package)
        return self.merged[name] if name in self.merged else self.on_disk(name)

    def on_disk(self, name: str) -> Document[Any] | None:
        """A matrix file as it was before this refresh; None when there was none. Raises MatrixError."""
        found, path = section_of(PurePosixPath(name)), self.root / name
        return decode(found[0], name, path.read_bytes()) if found and path.is_file() else None

    def rows(self, schema: str, package: str | None = None) -> tuple[Any, ...]:
        document = self.document(schema, package)
        return document.rows if document else ()

    def packages(self, schema: str) -> tuple[PackageName, ...]:
        """Packages with a file of their own in a section."""
        pattern = SECTIONS[schema].path
        found = {path.stem for path in (self.root / pattern).parent.glob("*.json")}
        folder = pattern.partition("*")[0]
        found |= {name.removeprefix(folder)[:-5] for name in self.merged if name.startswith(folder)}
        return tuple(sorted(PackageName(name) for name in found))

    def before(self, schema: str, package: str | None = None) -> frozenset[tuple[Any, ...]]:
        """The keys of the rows that were on disk before this refresh."""
        document = self.on_disk(SECTIONS[schema].path_for(package))
        return frozenset(self.key(schema, row) for row in document.rows) if document else frozenset()

    def key(self, schema: str, row: Any) -> tuple[Any, ...]:
        """What identifies a row."""
        return tuple(getattr(row, name) for name in SECTIONS[schema].key)

    def lay(self, facts: Facts, *, trust_removals: bool) -> tuple[str, ...]:
        """Merge facts; the warnings."""
        old = self.document(facts.schema, facts.package)
        merged = merge(old, facts, trust_removals=trust_removals)
        if merged.document is not old and (old is not None or merged.document.rows):
            self.merged[facts.path] = merged.document
        return merged.warnings

    def encoded(self) -> dict[str, bytes]:
        """The bytes of every merged file."""
        return {
            name: store.encode(document.schema, document.rows, document.sources, document.note)
            for name, document in self.merged.items()
        }


class IndexQuery(Struct, frozen=True, kw_only=True):
    """What one index is read with."""

    facts: Overlay
    matrix: Matrix
    day: str
    place: str
    """Where the index, or a mirror of it, is."""
    packages: frozenset[str]
    """Only these packages; empty: all."""
    held: Mapping[PackageName, frozenset[str]] = field(default_factory=dict)
    """What the committed locks hold: package -> versions."""


def providers(matrix: Matrix) -> dict[str, tuple[str, ...]]:
    """Import name -> distributions that bring it."""
    found: dict[str, tuple[str, ...]] = {}
    for row in matrix.modules:
        found[row.module] = (*found.get(row.module, ()), *row.packages)
    return found


def _pypi(ask: IndexQuery) -> Scrape:
    plans = [plan for plan in _plans(ask) if not ask.packages or plan.package in ask.packages]
    return pypi.scrape(plans, day=ask.day, providers=providers(ask.matrix), index=ask.place)


def _plans(ask: IndexQuery) -> Iterator[pypi.ScrapePlan]:
    """One plan for each package the matrix knows and PyPI has."""
    facts, kinds = ask.facts, pypi.PackageKind
    builds = facts.rows("torch-builds")
    modules = {package: row.module for row in ask.matrix.modules for package in row.packages}

    def plan(package: PackageName, kind: pypi.PackageKind, **known: Any) -> pypi.ScrapePlan:
        files, requires = facts.rows("files", package), facts.rows("requires", package)
        return pypi.ScrapePlan(package=package, kind=kind, files=files, requires=requires, **known)

    yield plan(PackageName("torch"), kinds.TORCH, builds=builds)
    for package in facts.packages("binaries"):
        rows = facts.rows("binaries", package)
        yield plan(package, _binary_kind(package, rows), binaries=rows)
    for package in facts.packages("releases"):
        rows = facts.rows("releases", package)
        yield plan(package, kinds.RELEASES, releases=rows, module=modules.get(package))
    others = {*facts.packages("binaries"), *facts.packages("releases")}
    kind_of = {OnPyPI.WHEELS: kinds.LISTED, OnPyPI.SOURCES: kinds.SOURCE}
    for package, row in sorted(ask.matrix.described.items()):
        # Sources that no recipe makes a wheel of are read for nothing.
        if package not in others and row.pypi in kind_of and (row.wheels or row.recipes):
            bounds = tuple(one.versions for one in row.recipes if one.package == package)
            within = bounds if kind_of[row.pypi] is kinds.SOURCE else ()
            yield plan(package, kind_of[row.pypi], within=within)
    recipes = {row.package for row in ask.matrix.recipes} - set(ask.matrix.described)
    for package in sorted(recipes & set(facts.packages("files")) - others):
        yield plan(package, kinds.SOURCE)
    for name in pypi.TOOLKIT:
        yield plan(PackageName(name), kinds.TOOLKIT)


def _binary_kind(package: str, rows: tuple[Any, ...]) -> pypi.PackageKind:
    if rows and all(row.url for row in rows):
        return pypi.PackageKind.SOURCE
    if rows and all(row.same_variant for row in rows):
        return pypi.PackageKind.COMPANION
    known = {"xformers": pypi.PackageKind.XFORMERS, "torch-npu": pypi.PackageKind.NPU}
    return known.get(package, pypi.PackageKind.SPCONV)


def _openmmlab(ask: IndexQuery) -> Scrape:
    return openmmlab.scrape(
        builds=ask.facts.rows("torch-builds"),
        known=ask.facts.rows("openmmlab-index"),
        files=ask.facts.rows("files", "openmmlab-index"),
        day=ask.day,
        base=ask.place,
        others=ask.matrix.defaults.get("openmmlab-devices", "").split(),
        plugins=[row.version for row in ask.facts.rows("binaries", "torch-npu")],
    )


def _pytorch(ask: IndexQuery) -> Scrape:
    rows = {name: ask.facts.rows("binaries", name) for name in ask.facts.packages("binaries")}
    return pytorch.scrape(
        known=ask.facts.rows("torch-builds"),
        day=ask.day,
        base=ask.place,
        companions=[name for name, found in rows.items() if found and all(row.same_variant for row in found)],
        files=ask.facts.rows("files", pytorch_files.PACKAGE),
    )


def _flash_attn(ask: IndexQuery) -> Scrape:
    return flash_attn.scrape(known=ask.facts.rows("binaries", "flash-attn"), day=ask.day, api=ask.place)


def _onedl(ask: IndexQuery) -> Scrape:
    return onedl.scrape(builds=ask.facts.rows("torch-builds"), day=ask.day, base=ask.place)


def _torch_packages(ask: IndexQuery) -> Scrape:
    return torch_packages.scrape(day=ask.day, base=ask.place)


def _advisories(ask: IndexQuery) -> Scrape:
    torch = frozenset(row.torch for row in ask.facts.rows("torch-builds") if row.on_pypi)
    held = {**ask.held, PackageName("torch"): torch | ask.held.get(PackageName("torch"), frozenset())}
    return advisories.scrape(held=held, known=_known_advisories(ask), day=ask.day, base=ask.place)


def _osv(ask: IndexQuery) -> Scrape:
    return advisories.scrape_osv(known=_known_advisories(ask), day=ask.day, base=ask.place)


def _conda(ask: IndexQuery) -> Scrape:
    known = {str(name): ask.facts.rows("conda", name) for name in ask.facts.packages("conda")}
    return conda_channel.scrape(known=known, day=ask.day, base=ask.place)


def _known_advisories(ask: IndexQuery) -> dict[PackageName, tuple[Any, ...]]:
    return {name: ask.facts.rows("advisories", name) for name in ask.facts.packages("advisories")}


class Index(Struct, frozen=True, kw_only=True):
    """One index: how it is asked, where it is, and which files it writes."""

    scrape: Callable[[IndexQuery], Scrape]
    place: str
    files: tuple[str, ...]
    """Matrix files, as patterns: what keeps its age when the index is down."""
    marks: tuple[str, ...] = ()
    """Keys of the sources that come of reading it; empty: all of those files' keys."""


INDEXES: Mapping[str, Index] = {
    pypi.NAME: Index(scrape=_pypi, place=pypi.INDEX, files=("files/*.json",)),
    # After PyPI: a torch that appeared today is looked for today.
    pytorch.NAME: Index(
        scrape=_pytorch,
        place=pytorch.BASE,
        files=(f"files/{pytorch_files.PACKAGE}.json",),  # builds are read of PyPI, too
        marks=(pytorch.NAME, "index-listing"),  # other rows are of lock files that name its wheels
    ),
    openmmlab.NAME: Index(scrape=_openmmlab, place=openmmlab.BASE, files=("openmmlab/index.json",)),
    flash_attn.NAME: Index(scrape=_flash_attn, place=flash_attn.API, files=("binaries/flash-attn.json",)),
    onedl.NAME: Index(scrape=_onedl, place=onedl.BASE, files=("providers/onedl-mmcv.json",)),
    torch_packages.NAME: Index(
        scrape=_torch_packages, place=torch_packages.BASE, files=("providers/mmcv.json",)
    ),
    # OSV after PyPI: what PyPI names today gets its ranges today.
    advisories.NAME: Index(scrape=_advisories, place=advisories.PYPI_BASE, files=("advisories/*.json",)),
    conda_channel.NAME: Index(
        scrape=_conda,
        place=conda_channel.BASE,
        files=("conda/*.json",),
        marks=(conda_channel.NAME,),  # other rows are of lock files that state its records
    ),
    advisories.OSV: Index(scrape=_osv, place=advisories.OSV_BASE, files=("advisories/*.json",)),
}
"""In the order in which they are read."""
