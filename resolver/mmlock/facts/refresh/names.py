"""Which names releases give and need, read from their archives; what was read before is left alone.

Small archives are fetched whole and kept by their hash; of large wheels only the Python files are read, by
ranges. What cannot be read stays unknown and is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from msgspec import Struct
from packaging.utils import parse_wheel_filename

from mmlock.binary.archive import Archive, Member
from mmlock.binary.reading import Unreadable
from mmlock.binary.remote import Remote
from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName
from mmlock.core.versions import allows, version
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.refresh.drive import Driver
from mmlock.facts.scrape.archives import BadArchive, read_tree
from mmlock.facts.scrape.fetch_page import Get, WholeFile
from mmlock.names.given import Given, Modules, given_names
from mmlock.names.needed import Needed, needed_names
from mmlock.names.table import TableKind, table_path
from mmlock.names.tables import given_text, needed_text
from mmlock.net.fetching import Fetched, Fetcher, FetchFault
from mmlock.net.lookup import file_version
from mmlock.net.simple import ACCEPT, ParseFault, parse_page

__all__ = ["NamePlan", "NamesRead", "ReadNames", "choose_file", "plans", "read_names", "record_names"]

WHOLE = 48 * 1024 * 1024
"""Archives up to this many bytes are fetched whole."""
_BUDGET = 512 * 1024 * 1024
"""Bytes of one large wheel that are read at the most."""
_SOURCE_LIMIT = 4 * 1024 * 1024
_GAP = 512 * 1024
"""Bytes that are rather read in vain than asked around."""
_SPAN = 24 * 1024 * 1024
"""Bytes of one read at the most."""
_BATCH = 24
"""Archives fetched at once: a few hundred megabytes in memory are enough."""

EDITION = 1
"""Grows when the reader sees more or otherwise: files of another edition are made again."""
SOURCE = (
    f"archives on PyPI: the wheel, else the sdist, read as syntax trees (edition {EDITION}); nothing was run"
)


class NamePlan(Struct, frozen=True, kw_only=True):
    """A package whose names are recorded."""

    package: PackageName
    modules: tuple[str, ...]
    releases: str = ""
    minors: bool = False
    needs: bool = True
    depth: int | None = None
    files: tuple[Artifact, ...] = ()
    """Empty: the index is asked."""


class NamesRead(Struct, frozen=True, kw_only=True):
    """What came of one package."""

    package: PackageName
    read: int
    """Releases read now."""
    held: int
    """Releases that the files speak of."""
    unread: tuple[str, ...]
    """Releases that could not be read, each with the reason."""
    files: Mapping[str, bytes]
    """Matrix files to write, by their relative path."""


class ReadNames(Struct, frozen=True, kw_only=True):
    """What one release gives and needs."""

    given: Mapping[str, Given]
    needed: Sequence[Needed]


def plans(matrix: Matrix) -> Iterator[NamePlan]:
    """OpenMMLab's packages with all their releases, then the curated others."""
    modules = {package: row.module for row in matrix.modules for package in row.packages}
    for package in matrix.release_packages:
        files = tuple(
            Artifact(name=row.name, url=row.url, sha256=row.sha256, size=row.size)
            for row in matrix.files(package)
            if row.sha256
        )
        yield NamePlan(
            package=package, modules=(modules.get(package) or package.replace("-", "_"),), files=files
        )
    for row in matrix.name_sources:
        yield NamePlan(
            package=row.package,
            modules=row.modules,
            releases=row.releases,
            minors=row.minors,
            needs=row.needs,
            depth=row.depth,
        )


def record_names(
    matrix: Matrix,
    drive: Driver,
    plan: NamePlan,
    index: str,
    *,
    only: frozenset[str] | None = None,
    most: int | None = None,
) -> NamesRead:
    """Read the releases of a package that its files do not speak of.

    `only`: no others than these; `most`: so many, newest first, so that what a long reading found is on the
    disk before it goes on.
    """
    given, needed = matrix.names_given(plan.package), matrix.names_needed(plan.package)
    if given and (given.text.head.source, given.text.head.depth) != (SOURCE, plan.depth):
        given = needed = None
    known = dict(given.text.head.releases) if given else {}
    files = plan.files or _listed(drive, plan.package, index)
    wanted = {
        release: file
        for release, file in _chosen(plan, files)
        if known.get(release) != file.sha256 and (only is None or release in only)
    }
    if most is not None:
        wanted = dict(list(wanted.items())[-most:])
    unread: dict[str, str] = {}
    found: dict[str, ReadNames] = {}
    for release, file, read in _read_all(drive, plan, wanted):
        if isinstance(read, str):
            unread[release] = read
        else:
            found[release] = read
            known[release] = str(file.sha256)
    written: dict[str, bytes] = {}
    if found:
        given_part = ((release, one.given) for release, one in found.items())
        text = given_text(plan.package, SOURCE, known, given_part, given, plan.depth)
        written[table_path(TableKind.GIVEN, plan.package)] = text.encode()
        if plan.needs:
            needed_part = ((release, one.needed) for release, one in found.items())
            text = needed_text(plan.package, SOURCE, known, needed_part, needed)
            written[table_path(TableKind.NEEDED, plan.package)] = text.encode()
    return NamesRead(
        package=plan.package,
        read=len(found),
        held=len(known),
        unread=tuple(f"{plan.package} {release}: {why}" for release, why in unread.items()),
        files=written,
    )


# ---------------------------------------------------------------- which files


def _listed(drive: Driver, package: PackageName, index: str) -> tuple[Artifact, ...]:
    (answer,) = drive.fetch(package, [Get(url=f"{index.rstrip('/')}/{package}/", accept=ACCEPT)])
    if not isinstance(answer, Fetched):
        return ()
    page = parse_page(answer.body, answer.content_type, answer.url)
    return () if isinstance(page, ParseFault) else page.files


def _chosen(plan: NamePlan, files: Iterable[Artifact]) -> Iterator[tuple[str, Artifact]]:
    """The file to read of each release that is wanted."""
    by_release: dict[str, list[Artifact]] = {}
    for file in files:
        found = file_version(file.name, plan.package)
        if found is not None and file.sha256 and not file.yanked:
            by_release.setdefault(str(found), []).append(file)
    kept = [release for release in by_release if allows(plan.releases, release)]
    if plan.minors:
        newest: dict[tuple[int, ...], str] = {}
        for release in sorted(kept, key=version):
            if not version(release).is_prerelease:
                newest[version(release).release[:2]] = release
        kept = list(newest.values())
    for release in sorted(kept, key=version):
        if best := choose_file(by_release[release]):
            yield release, best


def choose_file(files: Iterable[Artifact]) -> Artifact | None:
    """The file of a release whose names are read; None where it has none."""
    return min(files, key=_preference, default=None)


def _preference(file: Artifact) -> tuple[object, ...]:
    """Pure wheels first, then wheels for Linux of the newest Python, then sdists."""
    if not file.name.endswith(".whl"):
        return 2, 0, not file.name.endswith(".tar.gz"), file.name
    tags = parse_wheel_filename(file.name)[3]
    if any(tag.platform == "any" for tag in tags):
        return 0, 0, False, file.name
    linux = any("linux" in tag.platform and tag.platform.endswith("x86_64") for tag in tags)
    minors = [int(tag.interpreter[3:]) for tag in tags if tag.interpreter.startswith("cp3")]
    # Newer than the interpreter that parses would not do; a free-threaded one has the same sources.
    return 1 if linux else 3, -max(minors, default=0), "t-" in file.name, file.name


# ---------------------------------------------------------------- reading


def _read_all(
    drive: Driver, plan: NamePlan, wanted: Mapping[str, Artifact]
) -> Iterator[tuple[str, Artifact, ReadNames | str]]:
    small = [(release, file) for release, file in wanted.items() if (file.size or 0) <= WHOLE]
    for start in range(0, len(small), _BATCH):
        batch = small[start : start + _BATCH]
        requests = [WholeFile(url=file.url, sha256=file.sha256) for _, file in batch if file.sha256]
        answers = drive.fetch(plan.package, requests)
        for (release, file), answer in zip(batch, answers, strict=True):
            drive.progress(f"reading the names of {plan.package} {release}")
            if isinstance(answer, Fetched):
                yield release, file, _from_archive(plan, file, answer.body)
            else:
                yield release, file, answer.text
    for release, file in wanted.items():
        if (file.size or 0) > WHOLE:
            drive.progress(f"reading the Python files of {file.name}")
            yield release, file, _by_ranges(drive.client, plan, file)


def read_names(client: Fetcher, plan: NamePlan, file: Artifact) -> ReadNames | str:
    """What one file gives and needs, or why that cannot be read."""
    if (file.size or WHOLE + 1) > WHOLE and file.name.endswith(".whl"):
        return _by_ranges(client, plan, file)
    answer = client.get(file.url)
    if isinstance(answer, FetchFault):
        return answer.text
    if file.sha256 and sha256(answer.body).hexdigest() != file.sha256:
        return f"`{file.url}` has another sha256 than its index says"
    return _from_archive(plan, file, answer.body)


def _from_archive(plan: NamePlan, file: Artifact, data: bytes) -> ReadNames | str:
    try:
        tree = read_tree(file.name, data)
    except BadArchive as fault:
        return str(fault)
    return _names(plan, tree.paths, tree.texts)


def _by_ranges(client: Fetcher, plan: NamePlan, file: Artifact) -> ReadNames | str:
    """The Python files of a remote wheel, in the order in which they lie in it."""
    if not file.name.endswith(".whl"):
        return f"`{file.name}` is larger than {WHOLE} bytes, and only wheels are read in part"
    try:
        held = _Held(Remote(client, file.url, budget=_BUDGET))
        archive = Archive(held)
        tops = tuple(f"{module}/" for module in plan.modules)
        members = sorted(
            (
                member
                for path, member in archive.members.items()
                if path.startswith(tops) and path.endswith(".py") and member.size <= _SOURCE_LIMIT
            ),
            key=lambda member: member.header_at,
        )
        sources: dict[str, bytes] = {}
        for group in _neighbours(members):
            held.hold(group[0].header_at, _end(group[-1]))
            sources |= {member.path: b"".join(archive.chunks(member)) for member in group}
        return _names(plan, archive.members.keys(), sources)
    except Unreadable as fault:
        return str(fault)


class _Held:
    """A remote file of which one span is in memory: each small file in it would be a request."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._start, self._data = 0, b""
        self.size = remote.size

    def hold(self, start: int, end: int) -> None:
        """Read a span at once."""
        stop = min(end, self.size)
        self._start, self._data = start, self._remote.read(start, stop - start)

    def read(self, offset: int, size: int) -> bytes:
        """Those bytes. Raises Unreadable when the server does not give them."""
        at = offset - self._start
        if at >= 0 and at + size <= len(self._data):
            return self._data[at : at + size]
        return self._remote.read(offset, size)


def _neighbours(members: Sequence[Member]) -> Iterator[list[Member]]:
    """Members in groups that are worth one read."""
    group: list[Member] = []
    for member in members:
        far = group and member.header_at - _end(group[-1]) > _GAP
        if group and (far or _end(member) - group[0].header_at > _SPAN):
            yield group
            group = []
        group.append(member)
    if group:
        yield group


def _end(member: Member) -> int:
    """Where a member ends, at the latest; its header holds its name once more, and little else."""
    return member.header_at + member.packed + len(member.path) + 512


def _names(plan: NamePlan, paths: Iterable[str], sources: Mapping[str, bytes]) -> ReadNames | str:
    every = [path for path in paths if not path.endswith("/")]
    inside = _root(plan, every)
    modules = Modules.of(
        (path.removeprefix(inside) for path in every if path.startswith(inside)),
        {path.removeprefix(inside): body for path, body in sources.items() if path.startswith(inside)},
        plan.modules,
    )
    if not modules.files:
        return f"it has no module {' or '.join(plan.modules)}"
    needed = needed_names(modules, plan.modules) if plan.needs else []
    return ReadNames(given=given_names(modules), needed=needed)


def _root(plan: NamePlan, paths: Sequence[str]) -> str:
    """The folder of an sdist in which its packages lie: none, or the usual ones."""
    for folder in ("", "src/", "python/", "lib/"):
        for module in plan.modules:
            if any(path in {f"{folder}{module}/__init__.py", f"{folder}{module}.py"} for path in paths):
                return folder
    return ""
