"""One refresh: what is scraped is read again; what differs is written and reported."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from mmlock.core.names import PackageName
from mmlock.core.progress import Progress
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.report import Page
from mmlock.facts.matrix import store
from mmlock.facts.matrix.concerned import LockContents, touched
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.refresh.asked import WantedIndexes, inspected_packages
from mmlock.facts.refresh.drive import driver
from mmlock.facts.refresh.indexes import INDEXES, IndexQuery, Overlay
from mmlock.facts.refresh.report import IndexOutcome, page
from mmlock.facts.refresh.settle import ask_index, index_age, require_whole, settle
from mmlock.facts.refresh.state import LastRead
from mmlock.files.private import open_cache
from mmlock.net.fetching import Limits
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache

__all__ = ["LIMITS", "read_indexes"]

LIMITS = Limits(
    attempts=3, fresh_seconds=0.0, total_seconds=120.0, host_seconds=120.0, max_bytes=24 * 1024 * 1024
)


def read_indexes(
    root: Path,
    arguments: RefreshArguments,
    wanted: WantedIndexes,
    places: Mapping[str, str],
    locks: Sequence[LockContents],
    *,
    progress: Progress,
    environ: Mapping[str, str],
    client: Client | None = None,
) -> Page:
    """Read the indexes, merge what they say into the facts below `root`, write, and report.

    `locks`: those that changed facts may concern.
    """
    cache = open_cache(environ) / "refresh"
    used = client or Client(
        limits=LIMITS, cache=PageCache(cache / "pages"), offline=arguments.offline, environ=environ
    )
    overlay, seen = Overlay(root), LastRead(cache, root)
    outcomes: list[IndexOutcome] = []
    started = time.monotonic()
    with driver(used, progress=progress) as drive:
        for name in wanted.indexes:
            ask = _query(overlay, root, places[name], wanted.packages, _held(locks))
            outcomes.append(ask_index(drive, name, ask, arguments, seen))
        if read := _inspect(used, overlay, arguments, places, progress, cache):
            outcomes.append(read)
    outcomes += _record_hashes(used, overlay, arguments, places, progress, cache)
    changes, refused = settle(root, overlay)
    written: tuple[str, ...] = ()
    if not arguments.dry_run:
        written = store.write_all(root, overlay.encoded())
        seen.save()
    answer = page(
        outcomes,
        changes,
        touched(changes, locks),
        refused=refused,
        written=written,
        root=root,
        dry_run=arguments.dry_run,
        traffic=used.traffic,
        seconds=time.monotonic() - started,
        ages={name: index_age(name, root, seen) for name in INDEXES},
    )
    require_whole(arguments, outcomes)
    return answer


def _query(
    overlay: Overlay,
    root: Path,
    place: str,
    packages: frozenset[str],
    held: Mapping[PackageName, frozenset[str]],
) -> IndexQuery:
    return IndexQuery(
        facts=overlay, matrix=Matrix(root), day=_today(), place=place, packages=packages, held=held
    )


def _record_hashes(
    client: Client,
    overlay: Overlay,
    arguments: RefreshArguments,
    places: Mapping[str, str],
    progress: Progress,
    cache: Path,
) -> list[IndexOutcome]:
    """The hashes of wheels whose index publishes none, where they are wanted."""
    if not arguments.hashes:
        return []
    from mmlock.facts.refresh.hashes import record

    return [record(client, overlay, arguments.hashes, places["openmmlab"], progress, cache / "parts")]


def _inspect(
    client: Client,
    overlay: Overlay,
    arguments: RefreshArguments,
    places: Mapping[str, str],
    progress: Progress,
    cache: Path,
) -> IndexOutcome | None:
    """Read what the wheels of new rows hold."""
    from mmlock.facts.refresh.inspect import Reading, inspect_new

    reading = Reading(
        client=client,
        facts=overlay,
        named=inspected_packages(arguments, overlay),
        places=places,
        cache=cache,
        progress=progress,
        day=_today(),
    )
    return inspect_new(reading)


def _today() -> str:
    return datetime.now(tz=timezone.utc).date().isoformat()


def _held(locks: Iterable[LockContents]) -> dict[PackageName, frozenset[str]]:
    """The versions of each package that the locks hold."""
    found: dict[PackageName, frozenset[str]] = {}
    for lock in locks:
        for name, text in lock.versions.items():
            found[name] = found.get(name, frozenset()) | {text}
    return found
