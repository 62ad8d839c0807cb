"""PyPI or a mirror of it: which files there are, and what new releases require and refuse.

One page for each package; what was recorded before is not read again. For new files one JSON page tells
sizes and times where the page itself does not; for a new release its METADATA is read (`metadata_chain.py`
says where), and, for an OpenMMLab package, its whole sdist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmlock.core.names import PackageName, normalize
from mmlock.core.versions import version
from mmlock.facts.scrape.fetch_page import Answer, Get, Scrape, Scraped
from mmlock.facts.scrape.pypi_facts import facts_of
from mmlock.facts.scrape.pypi_package import NAME, PackageKind, PyPIPackage, ScrapePlan
from mmlock.facts.scrape.pypi_rows import details
from mmlock.facts.scrape.tags import release_of
from mmlock.net.credentials import bare
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem
from mmlock.net.links import is_whole
from mmlock.net.lookup import page_url
from mmlock.net.simple import ACCEPT, ParseFault, parse_page

__all__ = ["INDEX", "NAME", "TOOLKIT", "PackageKind", "ScrapePlan", "scrape"]

INDEX = "https://pypi.org/simple"

TOOLKIT = ("nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt", "nvidia-cuda-runtime", "nvidia-cuda-cccl")
"""Wheels that together are a CUDA toolkit an extension can be built with; only Linux, only finals."""


def scrape(
    plans: Sequence[ScrapePlan],
    *,
    day: str,
    providers: Mapping[str, Sequence[str]],
    index: str = INDEX,
) -> Scrape:
    """All packages together: their pages, then details of new files, then what is inside new releases."""
    answers = yield [Get(url=page_url(index, plan.package), accept=ACCEPT) for plan in plans]
    stale: list[str] = []
    packages = []
    for plan, answer in zip(plans, answers, strict=True):
        opened = _open(plan, answer, _api(index))
        if isinstance(opened, str):
            stale.append(f"{plan.package}: {opened}")
        else:
            packages.append(opened)
    yield from _list(packages, index)
    wants = [(package, want) for package in packages for want in package.wants]
    while wants:  # each round asks only for what the last one did not tell, in the next place of a few
        answers = yield [want.request for _, want in wants]
        told = zip(wants, answers, strict=True)
        again = [(package, package.take(want, answer, providers)) for (package, want), answer in told]
        wants = [(package, want) for package, want in again if want is not None]
    newest = max((row.torch for plan in plans for row in plan.builds), key=version, default=None)
    return Scraped(
        facts=tuple(f for package in packages for f in facts_of(package, bare(index), day, newest)),
        stale=(*stale, *(text for package in packages for text in package.stale)),
        warnings=tuple(text for package in packages for text in package.warnings),
        read=len(packages),
    )


def _list(packages: Sequence[PyPIPackage], index: str) -> Scrape:
    """Rows of files, with sizes and times from the JSON API where the page had none."""
    api = _api(index)
    asked = [package for package in packages if package.lacks_details] if api else []
    answers: Sequence[Answer] = ()
    if asked:
        answers = yield [Get(url=f"{api}/{package.plan.package}/json") for package in asked]
    more = {
        package.plan.package: details(answer.body)
        for package, answer in zip(asked, answers, strict=True)
        if isinstance(answer, Fetched)
    }
    for package in packages:
        package.list(more.get(package.plan.package, {}))
    return Scraped()


def _api(index: str) -> str | None:
    """Where the JSON API of an index is: beside `/simple`, where there is such a place."""
    root, slash, last = index.rstrip("/").rpartition("/")
    return f"{root}/pypi" if slash and last == "simple" else None


def _open(plan: ScrapePlan, answer: Answer, api: str | None) -> PyPIPackage | str:
    """A package with its page, or why there is none."""
    if isinstance(answer, FetchFault):
        gone = answer.problem is FetchProblem.NOT_FOUND
        return f"the index does not know it (`{answer.url}`)" if gone else answer.text
    page = parse_page(answer.body, answer.content_type, answer.url)
    if isinstance(page, ParseFault):
        return page.text
    if "json" not in answer.content_type and not is_whole(answer.body):
        return f"`{answer.url}` breaks off in the middle"
    files = tuple(file for file in page.files if _belongs(file.name, plan.package) and plan.wants(file.name))
    if not files and plan.files:
        return f"`{answer.url}` lists no file of `{plan.package}`"
    return PyPIPackage(plan=plan, page=page, files=files, api=api)


def _belongs(name: str, package: PackageName) -> bool:
    """Whether a file name is of this package: a page can list what it likes."""
    stem = normalize(name)
    return stem.startswith(f"{package}-") and release_of(name) is not None
