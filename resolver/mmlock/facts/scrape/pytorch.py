"""PyTorch's own index: one page lists every wheel of torch with its variant, nightly builds apart.

A row is `<a href="/whl/cu128/torch-2.9.1%2Bcu128-cp312-cp312-manylinux_2_28_x86_64.whl#sha256=..."
data-dist-info-metadata="sha256=..." data-core-metadata="sha256=...">NAME</a><br/>`; since 2026 the link goes
to `https://download-r2.pytorch.org` and has a `data-upload-time`. Some rows have no `#sha256`. The page tells
that a build exists, for which Pythons and platforms; what code is inside, only the wheel tells.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from msgspec import Struct, structs

from mmlock.core.artifact import Artifact
from mmlock.core.names import Confidence, Platform
from mmlock.core.versions import is_prerelease, version
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import File, TorchBuild
from mmlock.facts.matrix.provenance import dated, seen_on
from mmlock.facts.scrape import pytorch_files
from mmlock.facts.scrape.binaries import UNREAD
from mmlock.facts.scrape.fetch_page import Answer, FetchPage, Get, Scrape, Scraped
from mmlock.facts.scrape.pypi_rows import ListedFiles, listing
from mmlock.facts.scrape.pytorch_files import VARIANT
from mmlock.facts.scrape.tags import cuda_of_variant, glibc_of_tag, pythons_of, wheel_name
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchFault, FetchProblem
from mmlock.net.links import is_whole
from mmlock.net.simple import ACCEPT, IndexPage, ParseFault, parse_page

__all__ = ["BASE", "NAME", "TorchWheel", "rows_of", "scrape", "wheels_of"]

BASE = "https://download.pytorch.org/whl"
NAME = "pytorch"
LIST = "torch_stable.html"
"""A list of the links to all wheels, as PyTorch's index had it first and mirrors still have."""


class TorchWheel(Struct, frozen=True, kw_only=True):
    """One wheel of torch on the index."""

    torch: str
    variant: str
    platform: Platform
    python: str
    tag: str

    @property
    def key(self) -> tuple[str, str, Platform]:
        return self.torch, self.variant, self.platform


def wheels_of(files: Iterable[Artifact]) -> tuple[TorchWheel, ...]:
    """The final releases of torch among the files of a page, by the variant in name or folder.

    Builds outside the scheme (`cpu.cxx11.abi`, `cu118.with.pypi.cudnn`) are not ones that mmlock knows.
    """
    return tuple(dict.fromkeys(one for file in files if (one := _listed(file)) is not None))


def _listed(file: Artifact) -> TorchWheel | None:
    name = wheel_name(file.name)
    if name is None or name.name != "torch" or name.platform is None:
        return None
    torch, _, local = name.version.partition("+")
    folder = urlsplit(file.url).path.split("/")[-2:-1]
    variant = local or (folder[0] if folder else "")
    pythons = name.pythons
    if not VARIANT.fullmatch(variant) or len(pythons) != 1 or is_prerelease(torch):
        return None
    return TorchWheel(torch=torch, variant=variant, platform=name.platform, python=pythons[0], tag=name.tag)


def rows_of(
    wheels: Iterable[TorchWheel],
    known: Mapping[tuple[str, str, Platform], TorchBuild],
    base: str,
    source: str,
) -> Iterator[TorchBuild]:
    """A row for each build: a known one with the Pythons and the tag of now, else what a page can tell."""
    builds: dict[tuple[str, str, Platform], list[TorchWheel]] = {}
    for one in wheels:
        builds.setdefault(one.key, []).append(one)
    for key, found in builds.items():
        old = known.get(key)
        if old is not None and old.on_pypi:
            continue  # PyPI serves that build, and its page speaks of it
        pythons = pythons_of({one.python for one in found})
        tag = max((one.tag for one in found), key=lambda text: (sum(one.tag == text for one in found), text))
        yield _known(old, pythons, tag, source) if old else _new(key, pythons, tag, base, source)


def _known(old: TorchBuild, pythons: tuple[str, ...], tag: str, source: str) -> TorchBuild:
    return seen_on(structs.replace(old, pythons=pythons, tag=tag), source)


def _new(
    key: tuple[str, str, Platform], pythons: tuple[str, ...], tag: str, base: str, source: str
) -> TorchBuild:
    torch, variant, platform = key
    gpu = variant != "cpu"
    return TorchBuild(
        torch=torch,
        variant=variant,
        platform=platform,
        cuda=cuda_of_variant(variant),
        on_pypi=False,
        index=f"{base}/{variant}",
        archs=None if gpu else (),
        ptx=(),
        cxx11_abi=None,
        glibc=glibc_of_tag([tag]),
        cudart=None,
        pythons=pythons,
        source=(source,),
        confidence=Confidence.CAPTURED,
        tag=tag,
        unread=UNREAD if gpu else (),
    )


def scrape(
    *,
    known: Sequence[TorchBuild],
    day: str,
    base: str = BASE,
    companions: Sequence[str] = (),
    files: Sequence[File] = (),
) -> Scrape:
    """The pages of all variants; else those of each known variant; else the lists that mirrors have.

    `companions`: packages built once per torch variant; `files`: what is recorded of the index so far.
    """
    root = base.rstrip("/")
    packages = ("torch", *companions)
    pages, complete = yield from _ask(root, known, packages)
    if not pages.listed("torch"):
        reason = pages.stale or (f"`{bare(root)}/torch/` lists no wheel of torch",)
        return Scraped(stale=reason)
    listing = _files(pages, packages, known, files)
    return Scraped(
        facts=(_builds(pages, known, root, day, complete=complete), _hashes(listing, root, day)),
        stale=pages.stale,
        warnings=listing.warnings,
        read=pages.read,
    )


def _ask(
    root: str, known: Sequence[TorchBuild], packages: Sequence[str]
) -> Generator[Sequence[FetchPage], Sequence[Answer], tuple[_Pages, bool]]:
    """What the pages list, and whether they are those of an index: what it no longer lists is gone.

    Mirrors that are no index have one list of links (`torch_stable.html`), or folders of files by variant.
    """
    if root.endswith(".html"):
        return _read(["torch"], (yield [Get(url=root)])), False
    pages = _read(
        packages, answers := (yield [Get(url=f"{root}/{name}/", accept=ACCEPT) for name in packages])
    )
    asked = [(variant, name) for variant in _variants(known) for name in packages]
    if not pages.listed("torch") and not _down(answers):
        answers = yield [Get(url=f"{root}/{variant}/{name}/", accept=ACCEPT) for variant, name in asked]
        pages = _read([name for _, name in asked], answers)
    if pages.listed("torch") or _down(answers):
        return pages, True
    answers = yield [Get(url=f"{root}/{LIST}"), *(Get(url=f"{root}/{one}/") for one in _variants(known))]
    found = [answer for answer in answers if not _absent(answer)]
    return _read(["torch"] * len(found), found), False


def _variants(known: Iterable[TorchBuild]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.variant for row in known if not row.on_pypi))


def _builds(pages: _Pages, known: Sequence[TorchBuild], root: str, day: str, *, complete: bool) -> Facts:
    wheels = wheels_of(pages.files)
    wanted = [one for one in wheels if _supported(one.torch, known)]
    by_key = {(row.torch, row.variant, row.platform): row for row in known}
    source = dated(NAME, day)
    whole = complete and "torch" not in pages.broken
    seen = {one.variant for one in wanted}
    return Facts(
        schema="torch-builds",
        package=None,
        # Rows name PyTorch's own index, whichever mirror was read: a lock is for everybody.
        rows=tuple(rows_of(wanted, by_key, BASE, source)),
        sources={source: f"{bare(root)}/torch/, read {day}" if complete else f"{bare(root)}, read {day}"},
        scope=lambda row: whole and not row.on_pypi and row.variant in seen,
    )


def _supported(torch: str, known: Sequence[TorchBuild]) -> bool:
    oldest = min((row.torch for row in known), key=version, default=None)
    return oldest is None or version(torch) >= version(oldest)


def _files(
    pages: _Pages, packages: Sequence[str], known: Sequence[TorchBuild], files: Sequence[File]
) -> ListedFiles:
    """Rows of wheels. A companion's version says nothing of torch, so that all of its releases are kept."""
    found = [
        file
        for file in pytorch_files.recorded(pages.files, packages, BASE)
        if not file.name.startswith("torch-") or _supported(file.name.split("-")[1].partition("+")[0], known)
    ]
    return listing(found, files, {}, NAME)


def _hashes(listed: ListedFiles, root: str, day: str) -> Facts:
    """Files come and never go: what a file is stays true, and which builds there are, other rows say."""
    return Facts(
        schema="files",
        package=pytorch_files.PACKAGE,
        rows=listed.rows,
        sources={NAME: f"{bare(root)}/PACKAGE/ ({day})"},
    )


def _down(answers: Sequence[Answer]) -> bool:
    """Whether there is no use in asking the same host for more."""
    return any(isinstance(answer, FetchFault) and not _absent(answer) for answer in answers)


def _absent(answer: Answer) -> bool:
    """Whether there is no such page; stores of objects say 403 of what they do not have."""
    return isinstance(answer, FetchFault) and (
        answer.problem is FetchProblem.NOT_FOUND or answer.status == HTTPStatus.FORBIDDEN
    )


class _Pages(Struct, frozen=True, kw_only=True):
    """What some pages list, and which could not be read."""

    files: tuple[Artifact, ...]
    stale: tuple[str, ...]
    broken: frozenset[str]
    """Packages of which some page could not be read."""
    read: int

    def listed(self, package: str) -> bool:
        return any(pytorch_files.named(file.name, {package}) for file in self.files)


def _read(packages: Sequence[str], answers: Sequence[Answer]) -> _Pages:
    files: list[Artifact] = []
    stale: list[str] = []
    broken: set[str] = set()
    read = 0
    for package, answer in zip(packages, answers, strict=True):
        page = _page(answer)
        if isinstance(page, str):
            stale.append(page)
            broken.add(package)
        elif page is not None:
            read += 1
            files += page.files
    return _Pages(files=tuple(dict.fromkeys(files)), stale=tuple(stale), broken=frozenset(broken), read=read)


def _page(answer: Answer) -> IndexPage | str | None:
    """A page; why it cannot be read; None when there is none, which is no fault."""
    if isinstance(answer, FetchFault):
        return None if answer.problem is FetchProblem.NOT_FOUND else answer.text
    page = parse_page(answer.body, answer.content_type, answer.url)
    if isinstance(page, ParseFault):
        return page.text
    if "json" not in answer.content_type and not is_whole(answer.body):
        return f"`{answer.url}` breaks off in the middle"
    return page
