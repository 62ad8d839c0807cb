"""OpenMMLab's wheel index: one bare page of links for each CUDA and torch, no hashes, no page of pages.

A row is `<a href="./NAME.whl">./NAME.whl</a><br>`; alias pages (`torch2.2`) link to `../torch2.2.0/NAME`. The
page of 2020 (`dist/index.html`) links to `./1.0.0/torch1.3.0/cu101/NAME`, its names hold two local parts.
Which directories exist is nowhere listed, so those of all known torch builds are requested, newest first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from urllib.parse import urlsplit

from msgspec import Struct, structs

from mmlock.core.names import Confidence, PackageName, Platform, normalize
from mmlock.core.versions import version
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import File, IndexRow, TorchBuild
from mmlock.facts.scrape.fetch_page import Answer, Get, Scrape, Scraped
from mmlock.facts.scrape.tags import minor, platform_of_tag, pythons_of, wheel_name
from mmlock.net.credentials import bare
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem
from mmlock.net.links import Anchor, is_whole, links
from mmlock.net.simple import PageProblem, ParseFault

__all__ = [
    "MmcvWheel",
    "directories",
    "home",
    "is_directory",
    "page_url",
    "parse_old_page",
    "parse_page",
    "rows_of",
    "scrape",
]

BASE = "https://download.openmmlab.com/mmcv/dist"
NAME = "openmmlab"

_PACKAGES = frozenset({"mmcv", "mmcv-full"})
_DIRECTORY = re.compile(r"(?:cpu|cu\d{2,3}|ascend[0-9a-z.]{0,20})/torch\d+\.\d+\.\d+")
_PLATFORMS: Mapping[str, tuple[tuple[Platform, Confidence], ...]] = {
    "manylinux1_x86_64": ((Platform.LINUX_X86_64, Confidence.CAPTURED),),
    "win_amd64": ((Platform.WINDOWS_X86_64, Confidence.CAPTURED),),
    # Tagged for both machines, built on an x86_64 one.
    "macosx_10_9_universal2": (
        (Platform.MACOS_X86_64, Confidence.CAPTURED),
        (Platform.MACOS_ARM64, Confidence.INFERRED),
    ),
}
"""The tags this index uses. URLs of its wheels are composed by this rule, so that others cannot be taken."""

_OLD = re.compile(
    r"(?P<release>[^/]+)/torch(?P<torch>\d+\.\d+\.\d+)/(?P<variant>cpu|cu\d{2,3})/"
    r"mmcv_full-(?P=release)\+torch(?P=torch)\+(?P=variant)-cp\d+-cp\d+m?-(?:manylinux1_x86_64|win_amd64)\.whl"
)
_MANY_MISSING = 0.2
"""A share of known directories that may be gone at once; more is an index in trouble."""


class MmcvWheel(Struct, frozen=True, kw_only=True):
    """One wheel of the index."""

    directory: str
    package: PackageName
    version: str
    python: str
    tag: str


class DirectoryPage(Struct, frozen=True, kw_only=True):
    """A directory as its page shows it."""

    wheels: tuple[MmcvWheel, ...]
    strangers: tuple[str, ...]
    """Links that are no wheel of this directory by the index's rules."""


def page_url(base: str, directory: str) -> str:
    """Where the page of a directory is."""
    return f"{base.rstrip('/')}/{directory}/index.html"


def directories(
    builds: Iterable[TorchBuild],
    known: Iterable[IndexRow],
    others: Iterable[str] = (),
    plugins: Iterable[str] = (),
) -> tuple[str, ...]:
    """The directories that may exist: those of every torch minor and variant, newest torch first.

    `others`: documented directories of devices without a torch variant (`ascend/torch1.8.0`); `plugins`:
    releases of those devices' plug-ins, which name the torch they are for.
    """
    wanted = {row.directory for row in known} | set(others)
    devices = {directory.partition("/")[0] for directory in others}
    wanted |= {f"{device}/torch{minor(release)}.0" for device in devices for release in plugins}
    for build in builds:
        if build.variant == "cpu" or build.variant.startswith("cu"):
            wanted.add(f"{build.variant}/torch{minor(build.torch)}.0")
    named = (directory for directory in wanted if _DIRECTORY.fullmatch(directory))
    return tuple(sorted(named, key=_newest_first, reverse=True))


def _newest_first(directory: str) -> tuple[object, ...]:
    variant, _, torch = directory.partition("/torch")
    return version(torch), variant != "cpu", len(variant), variant


def parse_page(data: bytes, url: str) -> DirectoryPage | ParseFault:
    """The wheels of one directory, or why the bytes are not its page. `url`: after redirects."""
    found = links(data, url)
    wheels, strangers = [], []
    for anchor in found:
        listed = _listed(anchor)
        if listed is None:
            strangers.append(anchor.name[:80] or anchor.url[:80])
        else:
            wheels.append(listed)
    fault = _fault(data, url, wheels)
    return fault or DirectoryPage(wheels=tuple(dict.fromkeys(wheels)), strangers=tuple(strangers))


def _fault(data: bytes, url: str, wheels: Sequence[MmcvWheel]) -> ParseFault | None:
    if not data.strip():
        problem, text = PageProblem.EMPTY, "answered with an empty page"
    elif not wheels:
        problem, text = PageProblem.NOT_INDEX, "lists no wheel of mmcv: it is some other page"
        if re.search(rb"<input[^<>]+password", data, re.IGNORECASE):
            problem, text = PageProblem.LOGIN, "answered with a login page"
    elif not is_whole(data):
        problem, text = PageProblem.BROKEN, "breaks off in the middle"
    else:
        return None
    return ParseFault(problem=problem, url=url, text=f"`{url}` {text}")


def _listed(anchor: Anchor) -> MmcvWheel | None:
    """A link as a wheel of its directory; None when the name does not keep to the rules of the index."""
    parsed = wheel_name(anchor.name)
    place = _DIRECTORY.search(urlsplit(anchor.url).path)
    if parsed is None or place is None or not anchor.url.endswith(f"{place[0]}/{anchor.name}"):
        return None
    pythons = pythons_of([parsed.python])
    package = normalize(parsed.name)
    honest = parsed.abi in {parsed.python, f"{parsed.python}m"} and bool(_served(place[0], parsed.tag))
    if package not in _PACKAGES or len(pythons) != 1 or not honest or "+" in parsed.version:
        return None
    return MmcvWheel(
        directory=place[0], package=package, version=parsed.version, python=pythons[0], tag=parsed.tag
    )


def _served(directory: str, tag: str) -> tuple[tuple[Platform, Confidence], ...]:
    """The platforms a tag serves; none for a tag that a directory does not use.

    What tags the wheels for Ascend have, no capture shows: there any of Linux is taken. No URL is composed
    for them, for no torch build has their variant.
    """
    if directory.startswith("ascend"):
        platform = platform_of_tag(tag) if "linux" in tag else None
        return ((platform, Confidence.CAPTURED),) if platform else ()
    return _PLATFORMS.get(tag, ())


def rows_of(wheels: Iterable[MmcvWheel], source: str) -> list[IndexRow]:
    """Rows: one for each package, platform and set of Pythons of a directory."""
    pythons: dict[tuple[str, PackageName, str, str], set[str]] = {}
    for one in wheels:
        pythons.setdefault((one.directory, one.package, one.tag, one.version), set()).add(one.python)
    grouped: dict[tuple[str, PackageName, str, tuple[str, ...]], list[str]] = {}
    for (directory, package, tag, release), found in pythons.items():
        ordered = tuple(sorted(found, key=version))
        grouped.setdefault((directory, package, tag, ordered), []).append(release)
    return [
        IndexRow(
            directory=directory,
            package=package,
            platform=platform,
            versions=tuple(sorted(releases, key=version)),
            pythons_seen=ordered,
            pythons_inferred=(),
            source=(source,),
            confidence=confidence,
        )
        for (directory, package, tag, ordered), releases in grouped.items()
        for platform, confidence in _served(directory, tag)
    ]


# ---------------------------------------------------------------- the page of 2020


def parse_old_page(data: bytes, url: str, source: str) -> tuple[File, ...]:
    """The wheels of the scheme before 2021, whose names tell torch and CUDA; none of some other page."""
    folder = url.rpartition("/")[0]
    files = {}
    for anchor in links(data, url):
        inside = anchor.url.removeprefix(f"{folder}/").replace("%2B", "+")
        if _OLD.fullmatch(inside):
            files[anchor.name] = File(
                name=anchor.name,
                url=anchor.url.replace("+", "%2B"),
                sha256=None,
                size=None,
                requires_python=None,
                yanked=False,
                source=(source,),
                confidence=Confidence.CAPTURED,
            )
    return tuple(files.values())


# ---------------------------------------------------------------- the refresh


def scrape(
    *,
    builds: Iterable[TorchBuild],
    known: Sequence[IndexRow],
    files: Sequence[File],
    day: str,
    base: str = BASE,
    others: Iterable[str] = (),
    plugins: Iterable[str] = (),
) -> Scrape:
    """Ask for every directory that may exist and for the page of 2020."""
    wanted = directories(builds, known, others, plugins)
    old_page = f"{base.rstrip('/')}/index.html"
    answers = yield [*(Get(url=page_url(base, one)) for one in wanted), Get(url=old_page)]
    source = f"page-{day}"
    pages, missing, stale = _read(wanted, answers)
    stale.update(_gone(missing, {row.directory for row in known}, read=len(pages)))
    spoken = {*pages, *missing} - stale.keys()
    warnings = [
        f"{directory}: {len(page.strangers)} links are no wheels of mmcv, such as `{page.strangers[0]}`"
        for directory, page in pages.items()
        if page.strangers
    ]
    wheels = [one for directory, page in pages.items() for one in page.wheels if one.directory == directory]
    sources = {source: f"{bare(base)}/DIRECTORY/index.html, read {day}"}
    rows = tuple(rows_of(wheels, source))
    found = [_facts("openmmlab-index", None, rows, sources, spoken)]
    last = answers[-1]
    if isinstance(last, Fetched) and is_whole(last.body):
        older = _older(parse_old_page(last.body, last.url, source), files, base)
        found.append(Facts(schema="files", package="openmmlab-index", rows=older, sources=sources))
    return Scraped(
        facts=tuple(found),
        stale=tuple(f"{directory}: {why}" for directory, why in stale.items()),
        warnings=tuple(warnings),
        read=len(pages),
    )


def _facts(
    schema: str,
    package: str | None,
    rows: tuple[IndexRow, ...],
    sources: Mapping[str, str],
    spoken: Collection[str],
) -> Facts:
    return Facts(
        schema=schema,
        package=package,
        rows=rows,
        sources=sources,
        scope=lambda row: row.directory in spoken,
    )


def _read(
    wanted: Sequence[str], answers: Sequence[Answer]
) -> tuple[dict[str, DirectoryPage], list[str], dict[str, str]]:
    """Pages by directory, directories that are not there, and why others could not be read."""
    pages: dict[str, DirectoryPage] = {}
    missing: list[str] = []
    stale: dict[str, str] = {}
    for directory, answer in zip(wanted, answers, strict=False):
        if isinstance(answer, FetchFault):
            if answer.problem is FetchProblem.NOT_FOUND:
                missing.append(directory)
            else:
                stale[directory] = answer.text
            continue
        page = parse_page(answer.body, answer.url)
        if isinstance(page, ParseFault):
            stale[directory] = page.text
        elif urlsplit(answer.url).path.find(f"/{directory}/") < 0:
            stale[directory] = f"it leads to `{answer.url}`"
        else:
            pages[directory] = page
    return pages, missing, stale


def _gone(missing: Sequence[str], known: Collection[str], *, read: int) -> dict[str, str]:
    """Known directories that are not believed to be gone: an index that is moving answers 404 too."""
    lost = [directory for directory in missing if directory in known]
    if read and len(lost) <= max(2, int(len(known) * _MANY_MISSING)):
        return {}
    text = f"not found, and so are {len(lost) - 1} other known directories"
    return dict.fromkeys(lost, text)


def is_directory(text: str) -> bool:
    """Whether it is named as directories of the index are."""
    return _DIRECTORY.fullmatch(text) is not None


def home(url: str, base: str) -> str:
    """Where a file of the index, or of a mirror of it at `base`, is on the index itself, by https."""
    inside = url.removeprefix(f"{base.rstrip('/')}/")
    own = url.replace("http://", "https://", 1).removeprefix(f"{BASE}/")
    if inside != url:
        return f"{BASE}/{inside}"
    return f"{BASE}/{own}" if not own.startswith("https://") else url


def _older(found: Sequence[File], known: Sequence[File], base: str) -> tuple[File, ...]:
    """Files of the old page, at home; what is recorded of them, such as a hash, stays."""
    kept = {file.url for file in known}
    rows = (structs.replace(file, url=home(file.url, bare(base))) for file in found)
    return tuple(file for file in rows if file.url not in kept and file.url.startswith(f"{BASE}/"))
