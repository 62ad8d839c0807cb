"""One package on its way through a refresh of PyPI: what is known, what is asked, what was answered. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

from msgspec import Struct, field, structs

from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName, Platform, StrEnum, normalize
from mmlock.core.versions import InvalidVersion, allows, is_prerelease, version
from mmlock.facts.matrix.model import Binary, File, Release, Requires, TorchBuild
from mmlock.facts.scrape import binaries
from mmlock.facts.scrape.archives import pkg_info, read_tree
from mmlock.facts.scrape.fetch_page import Answer, FetchPage, WheelMember, WholeFile
from mmlock.facts.scrape.metadata import Metadata, identity, metadata, pick
from mmlock.facts.scrape.metadata_chain import MetadataPlace, Origin, leads_on, places, release_metadata
from mmlock.facts.scrape.pypi_rows import Detail, ListedFiles, listing
from mmlock.facts.scrape.releases import About, BadArchive, read_release
from mmlock.facts.scrape.tags import is_old_wheel, release_of
from mmlock.net.fetching import Fetched, FetchFault
from mmlock.net.simple import IndexPage

__all__ = ["NAME", "PackageKind", "PyPIPackage", "ScrapePlan", "Want"]

NAME = "pypi"

_BUILD_RECORD = r"xformers/cpp_lib\.json"


class PackageKind(StrEnum):
    """What is recorded of a package."""

    TORCH = "torch"
    COMPANION = "companion"  # torchvision, torchaudio
    XFORMERS = "xformers"
    SPCONV = "spconv"
    NPU = "npu"
    LISTED = "listed"  # tables in packages/ say what its wheels are tied to
    SOURCE = "source"  # its wheels are elsewhere; PyPI has the sources
    RELEASES = "releases"  # an OpenMMLab package: what it refuses at import
    TOOLKIT = "toolkit"


FROM_WHEEL = frozenset(
    {
        PackageKind.TORCH,
        PackageKind.COMPANION,
        PackageKind.XFORMERS,
        PackageKind.SPCONV,
        PackageKind.NPU,
        PackageKind.LISTED,
    }
)


class Part(StrEnum):
    """What an answer is read for."""

    REQUIRES = "requires"  # Requires-Dist, extras included
    RELEASE = "release"  # what an OpenMMLab release refuses at import
    RECORD = "record"  # the build record of xformers


class ScrapePlan(Struct, frozen=True, kw_only=True):
    """One package, and what is known of it."""

    package: PackageName
    kind: PackageKind
    files: tuple[File, ...] = ()
    requires: tuple[Requires, ...] = ()
    releases: tuple[Release, ...] = ()
    binaries: tuple[Binary, ...] = ()
    builds: tuple[TorchBuild, ...] = ()
    module: str | None = None
    within: tuple[str, ...] = ()
    """PEP 440 specifiers on the releases of which new sources are wanted; empty: any. Known files stay."""

    @property
    def known(self) -> frozenset[str]:
        """Releases that need not be read again."""
        if self.kind is PackageKind.RELEASES:
            return frozenset(row.version for row in self.releases)
        return self.declared

    @property
    def declared(self) -> frozenset[str]:
        """Releases whose Requires-Dist is recorded."""
        return frozenset(row.version for row in self.requires)

    def wants(self, name: str) -> bool:
        """Whether a file is recorded: supported, and not older than what is known."""
        release = release_of(name)
        if release is None or is_old_wheel(name):
            return False
        if self.within and not any(allows(bound, release) for bound in self.within):
            return any(row.name == name for row in self.files)
        if self.kind in {PackageKind.RELEASES, PackageKind.SOURCE, PackageKind.LISTED}:
            return True
        if self.kind is PackageKind.TOOLKIT:
            return not is_prerelease(release) and "linux" in name.rpartition("-")[2]
        known = self.known | {row.version for row in self.binaries} | {row.torch for row in self.builds}
        if not known or release in known:
            return True
        return not is_prerelease(release) and version(release) > min(map(version, known))


class Want(Struct, frozen=True, kw_only=True):
    """A request and what its answer will be used for."""

    release: str
    platform: Platform | None
    file: File
    request: FetchPage
    parts: frozenset[Part] = frozenset({Part.REQUIRES})
    origin: Origin = Origin.SDIST
    instead: tuple[MetadataPlace, ...] = ()
    """Where the same can be read when this cannot."""
    tried: tuple[str, ...] = ()
    """Why the places before this one did not tell."""

    def next(self, text: str) -> Want | None:
        """The next place to ask, after this one did not tell; None: there is none."""
        if not self.instead:
            return None
        place, *rest = self.instead
        return structs.replace(
            self, request=place.request, origin=place.origin, instead=tuple(rest), tried=(*self.tried, text)
        )


class PyPIPackage(Struct):
    """One package on its way through the refresh."""

    plan: ScrapePlan
    page: IndexPage
    files: tuple[Artifact, ...]
    api: str | None = None
    """Where the JSON API of the index is, if it has one."""
    rows: ListedFiles = field(default_factory=lambda: ListedFiles(rows=(), warnings=()))
    wants: tuple[Want, ...] = ()
    said: dict[str, dict[Platform | None, Metadata]] = field(default_factory=dict)
    origins: dict[str, list[Origin]] = field(default_factory=dict)
    """Release -> where its metadata was read."""
    records: dict[str, binaries.Built] = field(default_factory=dict)
    new_releases: list[Release] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def lacks_details(self) -> bool:
        """Whether the page leaves open what another page tells of new files."""
        known = {row.name for row in self.plan.files}
        return any(
            file.name not in known and (file.size is None or file.upload_time is None) for file in self.files
        )

    def list(self, more: Mapping[str, Detail]) -> None:
        """Make the rows of files, and see what must be read."""
        self.rows = listing(self.files, self.plan.files, more, NAME)
        self.warnings += self.rows.warnings
        self.wants = tuple(self._wants())

    def _wants(self) -> Iterator[Want]:
        if self.plan.kind is PackageKind.TOOLKIT:
            return
        by_release: dict[str, list[File]] = {}
        for row in self.rows.rows:
            by_release.setdefault(release_of(row.name) or "", []).append(row)
        for release, files in by_release.items():
            if self.plan.kind is PackageKind.RELEASES:
                yield from self._release_wants(release, files)
            elif release in self.plan.known:
                continue
            elif self.plan.kind in FROM_WHEEL:
                yield from self._metadata_wants(release, files)
            else:
                yield from self._archive_want(release, files, frozenset({Part.REQUIRES}))

    def _release_wants(self, release: str, files: Sequence[File]) -> Iterator[Want]:
        """What a release refuses is in its sources; what it requires, in its wheel if it has one."""
        lacks = set() if release in self.plan.known else {Part.RELEASE}
        if release not in self.plan.declared:
            lacks.add(Part.REQUIRES)
        if Part.REQUIRES in lacks and pick(files):
            lacks.remove(Part.REQUIRES)
            yield from self._metadata_wants(release, files)
        if lacks:
            yield from self._archive_want(release, files, frozenset(lacks))

    def _metadata_wants(self, release: str, files: Sequence[File]) -> Iterator[Want]:
        for platform, file in pick(files).items():
            first, *rest = places(
                file,
                release,
                files,
                package=self.plan.package,
                served=self.page.with_metadata,
                api=self.api,
            )
            yield Want(
                release=release,
                platform=platform,
                file=file,
                request=first.request,
                origin=first.origin,
                instead=tuple(rest),
            )
            if self.plan.kind is PackageKind.XFORMERS and platform is Platform.LINUX_X86_64:
                record = WheelMember(url=file.url, member=_BUILD_RECORD)
                parts = frozenset({Part.RECORD})
                yield Want(release=release, platform=platform, file=file, request=record, parts=parts)

    def _archive_want(self, release: str, files: Sequence[File], parts: frozenset[Part]) -> Iterator[Want]:
        """The sdist; for a release without one the first wheel, where wheels are wanted at all."""
        sdists = [file for file in files if not file.name.endswith(".whl")]
        wheels = [file for file in files if self.plan.kind is PackageKind.RELEASES and file not in sdists]
        for file in (sorted(sdists, key=lambda one: one.name.endswith(".zip")) or wheels)[:1]:
            if file.sha256 is None:
                self.stale.append(f"{file.name}: its index states no hash, so it is not read")
                continue
            request = WholeFile(url=file.url, sha256=file.sha256)
            yield Want(release=release, platform=None, file=file, request=request, parts=parts)

    # ------------------------------------------------------------ answers

    def take(self, want: Want, answer: Answer, providers: Mapping[str, Sequence[str]]) -> Want | None:
        """Read one answer; what to ask instead, where it told nothing.

        A release that cannot be read is left for the next refresh.
        """
        if isinstance(answer, FetchFault):
            following = want.next(answer.text) if leads_on(answer.problem) else None
            if following is None and Part.RECORD not in want.parts:
                self.stale.append(f"{want.file.name}: {'; '.join((*want.tried, answer.text))}")
            return following
        try:
            return self._read(want, answer, providers)
        except BadArchive as fault:
            self.warnings.append(f"{fault}; the release is left out")
            return None

    def _read(self, want: Want, answer: Fetched, providers: Mapping[str, Sequence[str]]) -> Want | None:
        if Part.RECORD in want.parts and (record := binaries.built(answer.body)):
            self.records[want.release] = record
        if Part.RELEASE in want.parts:
            about = self._about(want.release)
            self.new_releases.append(read_release(want.file.name, answer.body, about, providers))
        if Part.REQUIRES in want.parts:
            data = _info(want, answer.body)
            if data is None:
                text = f"`{answer.url}` does not tell what it requires"
                if (following := want.next(text)) is None:
                    self.stale.append(f"{want.file.name}: {'; '.join((*want.tried, text))}")
                return following
            self._same(want, data)
            self.origins.setdefault(want.release, []).append(want.origin)
            said = self.said.setdefault(want.release, {})[want.platform] = metadata(data)
            self.warnings += (
                f"{want.file.name}: `{line}` is no requirement; it is left out" for line in said.unreadable
            )
        return None

    def _same(self, want: Want, data: bytes) -> None:
        name, told = identity(data)
        try:
            same = normalize(name) == self.plan.package and version(told) == version(want.release)
        except InvalidVersion:
            same = False
        if not same:
            raise BadArchive(f"{want.file.name}: inside it is {name or 'no name'} {told}")

    def _about(self, release: str) -> About:
        files = [row for row in self.rows.rows if release_of(row.name) == release]
        times = sorted(row.upload_time for row in files if row.upload_time)
        return About(
            package=self.plan.package,
            version=release,
            module=self.plan.module or self.plan.package.replace("-", "_"),
            upload=times[0][:10] if times else None,
            yanked=bool(files) and all(row.yanked for row in files),
            has_wheel=any(row.name.endswith(".whl") for row in files),
        )


def _info(want: Want, data: bytes) -> bytes | None:
    """METADATA, or what says the same, from an answer. Raises Unreadable; None when it is not told."""
    if isinstance(want.request, WholeFile):
        name = unquote(want.request.url.rpartition("/")[2])
        return pkg_info(read_tree(name, data), name)
    return release_metadata(data) if want.origin is Origin.JSON else data
