"""onedl-mmcv: a fork of mmcv with wheels for newer CUDA, one simple index for each `cuNNN-torchXYZ`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mmlock.core.names import PackageName
from mmlock.core.versions import version
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import TorchBuild
from mmlock.facts.scrape.fetch_page import Answer, Get, Scrape, Scraped
from mmlock.facts.scrape.providers import ProviderOffer, offer, provided
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchFault, FetchProblem
from mmlock.net.links import is_whole
from mmlock.net.simple import ACCEPT, ParseFault, parse_page

__all__ = ["BASE", "NAME", "directories", "scrape"]

BASE = "https://mmwheels.onedl.ai"
NAME = "onedl"
PACKAGE = PackageName("onedl-mmcv")

Directory = tuple[str, str]
"""Variant and torch: `cu129`, `2.9.0`."""


def directories(builds: Iterable[TorchBuild]) -> tuple[Directory, ...]:
    """The indexes that may exist: those of each torch release and variant, newest first."""
    found = {
        (build.variant, build.torch)
        for build in builds
        if build.variant == "cpu" or build.variant.startswith("cu")
    }
    return tuple(sorted(found, key=lambda one: (version(one[1]), one[0]), reverse=True))


def page_url(base: str, directory: Directory) -> str:
    """`BASE/cu129-torch290/onedl-mmcv/`."""
    variant, torch = directory
    return f"{base.rstrip('/')}/{variant}-torch{torch.replace('.', '')}/{PACKAGE}/"


def scrape(*, builds: Iterable[TorchBuild], day: str, base: str = BASE) -> Scrape:
    """Every directory that may exist; most do not."""
    wanted = directories(builds)
    answers = yield [Get(url=page_url(base, one), accept=ACCEPT) for one in wanted]
    offers, spoken, stale = _read(wanted, answers)
    source = f"{NAME}-{day}"
    rows = provided(offers, NAME, f"{BASE}/VARIANT-torchTORCH/{PACKAGE}/", source)
    facts = Facts(
        schema="providers",
        package=PACKAGE,
        rows=tuple(rows),
        sources={source: f"{bare(base)}/DIRECTORY/{PACKAGE}/, read {day}"},
        scope=lambda row: row.provider == NAME and (row.variant, row.torch.strip("=")) in spoken,
    )
    if not offers and not stale:
        stale = [f"`{bare(base)}` has no directory of any known torch"]
    return Scraped(facts=(facts,) if offers else (), stale=tuple(stale), read=len(spoken))


def _read(
    wanted: Sequence[Directory], answers: Sequence[Answer]
) -> tuple[list[ProviderOffer], set[Directory], list[str]]:
    offers: list[ProviderOffer] = []
    spoken: set[Directory] = set()
    stale: list[str] = []
    for directory, answer in zip(wanted, answers, strict=True):
        where = f"{directory[0]}-torch{directory[1]}"
        if isinstance(answer, FetchFault):
            if answer.problem is not FetchProblem.NOT_FOUND:
                stale.append(f"{where}: {answer.text}")
            continue
        page = parse_page(answer.body, answer.content_type, answer.url)
        if isinstance(page, ParseFault):
            stale.append(f"{where}: {page.text}")
        elif "json" not in answer.content_type and not is_whole(answer.body):
            stale.append(f"{where}: `{answer.url}` breaks off in the middle")
        else:
            spoken.add(directory)
            variant, torch = directory
            for file in page.files:
                hashed = file.sha256 is not None
                one = offer(file.name, file.url, PACKAGE, f"=={torch}", variant, hashed=hashed)
                if one is not None:
                    offers.append(one)
    return offers, spoken, stale
