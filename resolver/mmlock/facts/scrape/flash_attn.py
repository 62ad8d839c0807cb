"""flash-attn's wheels: files of GitHub releases, whose names tell torch, CUDA and C++ ABI.

`flash_attn-2.8.3+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl`: newer names tell only CUDA's major.
Which toolkit that was follows from the build script of the release, so it is taken from the last known
release with the same major, and said to be inferred.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct, structs

from mmlock.core.names import Confidence, PackageName
from mmlock.core.versions import InvalidVersion, version
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import Binary
from mmlock.facts.matrix.provenance import dated, seen_on
from mmlock.facts.scrape.fetch_page import Get, Scrape, Scraped
from mmlock.facts.scrape.tags import cuda_of_variant, glibc_of_tag, platforms_of, pythons_of, wheel_name
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchFault

__all__ = ["API", "NAME", "Asset", "assets_of", "scrape"]

API = "https://api.github.com/repos/Dao-AILab/flash-attention/releases"
NAME = "flash-attn"
PACKAGE = PackageName("flash-attn")

_PAGE = 30
"""Releases on one page of answers; each lists up to some hundred files."""
_MOST_PAGES = 20

_MAJORS = 100
"""Numbers below are majors of CUDA."""

_LOCAL = re.compile(
    r"cu(?P<cuda>\d{2,3})torch(?P<torch>\d+\.\d+)(?:cxx11abi(?P<abi>TRUE|FALSE))?", re.IGNORECASE
)


class Asset(Struct, frozen=True, kw_only=True):
    """One wheel of a release."""

    version: str
    torch: str
    cuda: str
    """`12` or `12.3`, as the name tells it."""
    abi: int | None
    python: str
    tag: str
    url: str
    """With `{py}` for the Python tag."""


def assets_of(data: bytes) -> tuple[Asset, ...] | None:
    """The wheels on a page of GitHub's release API; None when it is not one."""
    try:
        releases = json.loads(data)
        if not isinstance(releases, list):
            return None
        found = [asset for release in releases if not release["draft"] for asset in release["assets"]]
        return tuple(one for asset in found if (one := _asset(asset)) is not None)
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def _asset(entry: dict[str, Any]) -> Asset | None:
    name = wheel_name(str(entry["name"]))
    url = str(entry["browser_download_url"]).replace("%2B", "+")
    if name is None or name.name != "flash_attn" or not url.endswith(f"/{entry['name']}"):
        return None
    release, _, local = name.version.partition("+")
    words = _LOCAL.fullmatch(local)
    pythons = pythons_of([name.python])
    if words is None or len(pythons) != 1 or name.abi != name.python:
        return None
    digits = words["cuda"]
    return Asset(
        version=release,
        torch=words["torch"],
        cuda=_spelled(digits),
        abi=None if words["abi"] is None else int(words["abi"].upper() == "TRUE"),
        python=pythons[0],
        tag=name.tag,
        url=url.replace(f"-{name.python}-{name.abi}-", "-{py}-{py}-"),
    )


def _spelled(digits: str) -> str:
    """`12` is a major, `123` is 12.3."""
    return digits if int(digits) < _MAJORS else cuda_of_variant(f"cu{digits}") or digits


def rows_of(assets: Iterable[Asset], known: Sequence[Binary], source: str) -> Iterator[Binary]:
    """A row for each release, torch, CUDA and ABI; a known one keeps what its build script told."""
    groups: dict[tuple[str, str, str, int | None], list[Asset]] = {}
    for one in assets:
        groups.setdefault((one.version, one.torch, one.cuda, one.abi), []).append(one)
    for (release, torch, cuda, abi), found in groups.items():
        old = [row for row in known if _is(row, release, torch, cuda, abi)]
        pythons = pythons_of({one.python for one in found})
        platforms = platforms_of({one.tag for one in found})
        for row in old:
            yield seen_on(structs.replace(row, pythons=pythons, platforms=platforms), source)
        if not old:
            first = min(found, key=lambda one: one.url)
            yield _new(first, _toolkit(cuda, known), pythons, platforms, source)


def _is(row: Binary, release: str, torch: str, cuda: str, abi: int | None) -> bool:
    same = row.version == release and row.torch == f"=={torch}.*" and row.cxx11_abi == abi
    return same and row.cuda is not None and (row.cuda == cuda or row.cuda.partition(".")[0] == cuda)


def _toolkit(cuda: str, known: Sequence[Binary]) -> Binary | None:
    """The newest known row with that CUDA: what the next release most likely is built with."""
    like = [row for row in known if row.cuda and (row.cuda == cuda or row.cuda.partition(".")[0] == cuda)]
    return max(like, key=lambda row: (version(row.version), version(row.cuda or "0")), default=None)


def _new(
    one: Asset, like: Binary | None, pythons: tuple[str, ...], platforms: tuple[Any, ...], source: str
) -> Binary:
    exact = "." in one.cuda
    return Binary(
        package=PACKAGE,
        version=one.version,
        torch=f"=={one.torch}.*",
        cuda=one.cuda if exact else like.cuda if like else None,
        same_variant=False,
        cudart=like.cudart if like else None,
        archs=None,
        ptx=(),
        cxx11_abi=one.abi,
        glibc=glibc_of_tag([one.tag]),
        pythons=pythons,
        platforms=platforms,
        url=one.url,
        yanked=False,
        source=(source,),
        confidence=Confidence.CAPTURED if exact else Confidence.INFERRED,
        note=None if exact else "its name has the CUDA major; the minor is that of the release before",
    )


def scrape(*, known: Sequence[Binary], day: str, api: str = API) -> Scrape:
    """Pages of releases, newest first, until one lists nothing or only releases that are all known."""
    source = dated("releases", day)
    assets: list[Asset] = []
    read = 0
    stale: list[str] = []
    versions = {row.version for row in known}
    for number in range(1, _MOST_PAGES + 1):
        (answer,) = yield [Get(url=f"{api}?per_page={_PAGE}&page={number}", accept="application/json")]
        if isinstance(answer, FetchFault):
            stale.append(answer.text)
            break
        found = assets_of(answer.body)
        if found is None:
            stale.append(f"`{answer.url}` is no list of releases")
            break
        read += 1
        assets += found
        if answer.body.strip() == b"[]" or (found and {one.version for one in found} <= versions):
            break
    spoken = {one.version for one in assets}
    rows = tuple(rows_of([one for one in assets if _supported(one.version, versions)], known, source))
    facts = Facts(
        schema="binaries",
        package=PACKAGE,
        rows=rows,
        sources={source: f"{bare(api)}, read {day}"},
        scope=lambda row: not stale and row.version in spoken,
    )
    return Scraped(facts=(facts,) if read else (), stale=tuple(stale), read=read)


def _supported(release: str, known: set[str]) -> bool:
    """Finals, and what is known already."""
    try:
        return release in known or not version(release).is_prerelease
    except InvalidVersion:
        return False
