"""`--hashes`: the hashes of OpenMMLab's wheels, which its index does not tell, recorded once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mmlock.core.names import Confidence, PackageName
from mmlock.core.progress import Progress
from mmlock.facts.matrix.merge import Facts
from mmlock.facts.matrix.model import File
from mmlock.facts.refresh.indexes import Overlay
from mmlock.facts.refresh.report import IndexOutcome
from mmlock.facts.scrape import openmmlab
from mmlock.facts.scrape.hashing import digest
from mmlock.facts.scrape.tags import wheel_name
from mmlock.net.credentials import bare
from mmlock.net.fetching import FetchFault
from mmlock.net.http import Client
from mmlock.net.links import links

__all__ = ["record"]

PACKAGE = PackageName("openmmlab-index")


def record(
    client: Client, facts: Overlay, specs: Sequence[str], base: str, progress: Progress, folder: Path
) -> IndexOutcome:
    """Download each wheel named that has no hash yet; what fails is reported and tried another time."""
    started, before = time.monotonic(), (client.traffic.requests, client.traffic.received)
    known = {row.url: row for row in facts.rows("files", PACKAGE)}
    day = datetime.now(tz=timezone.utc).date().isoformat()
    source = f"hashed-{day}"
    rows: list[File] = []
    stale: list[str] = []
    for spec in specs:
        for url in _urls(client, spec, base, stale):
            own = openmmlab.home(url, bare(base))
            old = known.get(own)
            if not own.startswith("https://"):
                stale.append(f"`{bare(url)}` is no https URL, and a lock would hold it; it is not recorded")
                continue
            if old is not None and old.sha256 is not None:
                continue
            progress(f"hashing {url}")
            found = digest(client, url, folder)
            if isinstance(found, FetchFault):
                stale.append(found.text)
            else:
                rows.append(_row(own, found.sha256, found.size, source))
    where = "its address" if base == openmmlab.BASE else f"the mirror {bare(base)}"
    sources = {source: f"downloaded from {where}, checked and hashed, {day}"}
    warnings = facts.lay(
        Facts(schema="files", package=PACKAGE, rows=tuple(rows), sources=sources), trust_removals=False
    )
    return IndexOutcome(
        name="hashes",
        unit="wheels",
        place=base,
        read=len(rows),
        stale=tuple(stale),
        warnings=warnings,
        last=None,
        requests=client.traffic.requests - before[0],
        received=client.traffic.received - before[1],
        seconds=time.monotonic() - started,
    )


def _urls(client: Client, spec: str, base: str, stale: list[str]) -> Iterator[str]:
    """The wheels of a directory (`cu118/torch2.1.0`), or the one wheel of a URL."""
    if "://" in spec:
        yield spec
        return
    answer = client.get(openmmlab.page_url(base, spec))
    if isinstance(answer, FetchFault):
        stale.append(answer.text)
        return
    found = [
        anchor.url
        for anchor in links(answer.body, answer.url)
        if wheel_name(anchor.name) and anchor.url.endswith(f"/{spec}/{anchor.name}")
    ]
    if not found:
        stale.append(f"`{answer.url}` lists no wheel")
    yield from found


def _row(url: str, digest: str, size: int, source: str) -> File:
    from mmlock.core.names import Sha256

    return File(
        name=unquote(urlsplit(url).path.rpartition("/")[2]),
        url=url,
        sha256=Sha256(digest),
        size=size,
        requires_python=None,
        yanked=False,
        source=(source,),
        confidence=Confidence.MEASURED,
    )
