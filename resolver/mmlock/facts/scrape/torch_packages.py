"""torch_packages_builder: mmcv of OpenMMLab rebuilt for newer torch, the build told in the local version.

`mmcv-2.2.0+pt2.8.0cu128-cp311-cp311-linux_x86_64.whl`, on a PEP 503 page without hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mmlock.core.artifact import Artifact
from mmlock.core.names import PackageName
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.scrape.fetch_page import Get, Scrape, Scraped
from mmlock.facts.scrape.providers import ProviderOffer, offer, provided
from mmlock.facts.scrape.tags import wheel_name
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchFault
from mmlock.net.links import is_whole
from mmlock.net.simple import ACCEPT, ParseFault, parse_page

__all__ = ["BASE", "NAME", "PROVIDER", "offers_of", "scrape"]

BASE = "https://miropsota.github.io/torch_packages_builder"
NAME = "torch-packages"
PROVIDER = "torch-packages-builder"
PACKAGE = PackageName("mmcv")

_LOCAL = re.compile(r"(?:[0-9a-f]{7,}\.?)?pt(?P<torch>\d+\.\d+\.\d+)(?P<variant>cpu|cu\d{2,3})")
"""The commit comes first where it is no release."""


def offers_of(files: Iterable[Artifact]) -> tuple[ProviderOffer, ...]:
    """The wheels among the files of a page whose local version tells torch and CUDA."""
    found = []
    for file in files:
        name = wheel_name(file.name)
        local = _LOCAL.fullmatch(name.version.partition("+")[2]) if name else None
        if local is None:
            continue
        hashed = file.sha256 is not None
        one = offer(file.name, file.url, PACKAGE, f"=={local['torch']}", local["variant"], hashed=hashed)
        if one is not None:
            found.append(one)
    return tuple(found)


def scrape(*, day: str, base: str = BASE) -> Scrape:
    """The one page of mmcv."""
    url = f"{base.rstrip('/')}/{PACKAGE}/"
    (answer,) = yield [Get(url=url, accept=ACCEPT)]
    if isinstance(answer, FetchFault):
        return Scraped(stale=(answer.text,))
    page = parse_page(answer.body, answer.content_type, answer.url)
    if isinstance(page, ParseFault):
        return Scraped(stale=(page.text,))
    if "json" not in answer.content_type and not is_whole(answer.body):
        return Scraped(stale=(f"`{answer.url}` breaks off in the middle",))
    source = f"{NAME}-{day}"
    facts = Facts(
        schema="providers",
        package=PACKAGE,
        rows=tuple(provided(offers_of(page.files), PROVIDER, f"{BASE}/{PACKAGE}/", source)),
        sources={source: f"{bare(url)}, read {day}"},
        scope=lambda row: row.provider == PROVIDER,
    )
    return Scraped(facts=(facts,), read=1)
