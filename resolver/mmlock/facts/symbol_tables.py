"""Which torch builds a wheel is compared with, and their tables: at hand, or made when they are requested."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from mmlock.binary.making import make_table, torch_wheel
from mmlock.binary.model import Answer, Inspected, PtxDriver
from mmlock.binary.reading import MappedFile, Unreadable
from mmlock.binary.tables import SymbolStore, TorchBuildId, TorchSymbols
from mmlock.binary.verdict import judge_declared
from mmlock.core.artifact import Artifact
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import PackageName, Platform
from mmlock.core.progress import Progress
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.locate import PYPI, LocatedWheel
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild
from mmlock.net.fetching import Fetcher
from mmlock.net.lookup import LookupFault, find_files


class SymbolTables(Struct, kw_only=True, dict=True):
    """The tables of one run."""

    matrix: Matrix
    cache: Path
    client: Fetcher
    offline: bool
    progress: Progress
    platform: Platform = Platform.LINUX_X86_64

    @cached_property
    def store(self) -> SymbolStore:
        return SymbolStore(self.matrix.root, self.cache)

    @cached_property
    def drivers(self) -> Mapping[str, PtxDriver]:
        """PTX version -> the first toolkit of it, and its driver."""
        rows = sorted(self.matrix.toolkits, key=lambda row: version(row.cuda), reverse=True)
        return {row.ptx_isa: PtxDriver(cuda=row.cuda, driver=row.driver) for row in rows}

    def chosen(self, asked: tuple[str, ...], found: Inspected | None) -> tuple[TorchSymbols, ...]:
        """The builds a user named, else the newest that the wheel declares and that is at hand."""
        if asked:
            return tuple(self.table(self.build(text)) for text in asked)
        if found is None or not any(one.torch_needs for one in found.extensions):
            return ()
        for build in reversed(self.store.builds()):
            facts = self.store.facts(build)
            if facts and judge_declared(found, facts).answer is Answer.HOLDS:
                return (self.table(build),)
        return ()

    def build(self, text: str) -> TorchBuildId:
        """`2.1.2` (PyPI's build) or `2.1.2+cu118`. Raises UsageError."""
        release, _, variant = text.removeprefix("==").partition("+")
        try:
            wanted = version(release)
        except InvalidVersion as error:
            raise UsageError(
                f"`{text}` is no torch version", hints=["write `2.9.1` or `2.9.1+cu128`"]
            ) from error
        rows = [
            row
            for row in self.matrix.torch_builds
            if version(row.torch) == wanted and row.platform is self.platform
        ]
        row = next((row for row in rows if row.variant == variant or (not variant and row.on_pypi)), None)
        if row is None:
            known = ", ".join(f"`{row.torch}+{row.variant}`" for row in rows)
            hint = f"there are {known}" if known else "`mmlock matrix show torch` lists the builds"
            raise UsageError(f"there is no torch `{text}` for {self.platform}", hints=[hint])
        return TorchBuildId(torch=row.torch, variant=row.variant, platform=row.platform)

    def table(self, build: TorchBuildId) -> TorchSymbols:
        """The names of a build, from the files at hand or from its wheel. Raises EnvironmentFault."""
        if known := self.store.load(build):
            return known
        row = next(
            row
            for row in self.matrix.torch_builds
            if (row.torch, row.variant, row.platform) == (build.torch, build.variant, build.platform)
        )
        try:
            wheel = torch_wheel(self._files(row), build)
            return make_table(self.store, build, wheel, self.client, progress=self.progress)
        except Unreadable as fault:
            raise EnvironmentFault(
                f"the names that torch {build} exports are not at hand and cannot be read",
                causes=[str(fault)],
                hints=[f"at hand are: {', '.join(str(one) for one in self.store.builds())}"],
            ) from fault

    def _files(self, row: TorchBuild) -> tuple[Artifact, ...]:
        """The wheels of a build: recorded ones, else those of its index."""
        release = version(row.torch)
        if row.on_pypi:
            recorded = tuple(
                Artifact(name=file.name, url=file.url, sha256=file.sha256)
                for file in self.matrix.files("torch")
                if file.name.startswith(f"torch-{release}-")
            )
            if recorded:
                return recorded
        wanted = row.torch if row.on_pypi else f"{row.torch}+{row.variant}"
        found = find_files(self.client, PYPI if row.on_pypi else row.index, PackageName("torch"), wanted)
        if isinstance(found, LookupFault):
            raise Unreadable(found.text)
        return found

    def of_wheel(self, place: LocatedWheel) -> TorchSymbols:
        """The table of the very wheel a user named. Raises EnvironmentFault."""
        from mmlock.binary.archive import Archive
        from mmlock.binary.torch_wheel import read_torch
        from mmlock.binary.trees import WheelTree

        release = place.name.split("-")[1]
        number, _, variant = release.partition("+")
        row = next(
            (
                row
                for row in self.matrix.torch_builds
                if row.torch == number
                and row.platform is self.platform
                and (row.variant == variant or (not variant and row.on_pypi))
            ),
            None,
        )
        build = TorchBuildId(
            torch=number, variant=variant or (row.variant if row else "default"), platform=self.platform
        )
        try:
            if "://" not in place.where:
                with MappedFile(Path(place.where)) as source:
                    tree = WheelTree(Archive(source))
                    return read_torch(tree, build, wheel=place.name, whole=True, progress=self.progress)
            return self.store.load(build) or make_table(
                self.store, build, place.artifact, self.client, progress=self.progress
            )
        except Unreadable as fault:
            raise EnvironmentFault(f"`{place.where}` cannot be read", causes=[str(fault)]) from fault
