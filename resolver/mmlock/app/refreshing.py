"""`mmlock matrix refresh`: what is scraped is read again; what differs is written and reported."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path

from mmlock.app.locking import read_catalogue
from mmlock.app.relocking import relocked
from mmlock.core.names import PackageName
from mmlock.core.progress import Progress, silent
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.report import Page
from mmlock.facts.matrix import store
from mmlock.facts.matrix.concerned import LockContents, touched
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.refresh.asked import (
    WantedIndexes,
    index_places,
    inspected_packages,
    refreshed_root,
    wanted_indexes,
)
from mmlock.facts.refresh.drive import driver
from mmlock.facts.refresh.indexes import INDEXES, IndexQuery, Overlay
from mmlock.facts.refresh.report import IndexOutcome, page
from mmlock.facts.refresh.settle import ask_index, index_age, require_whole, settle
from mmlock.facts.refresh.state import LastRead
from mmlock.files.private import open_cache
from mmlock.net.fetching import Limits
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache

__all__ = ["refresh"]

LIMITS = Limits(
    attempts=3, fresh_seconds=0.0, total_seconds=120.0, host_seconds=120.0, max_bytes=24 * 1024 * 1024
)


def refresh(
    arguments: RefreshArguments,
    *,
    progress: Progress = silent,
    environ: Mapping[str, str] = os.environ,
    client: Client | None = None,
) -> Page:
    """Read the indexes, merge, write, tell. Raises UsageError, EnvironmentFault or MatrixError."""
    root = refreshed_root(arguments, environ)
    wanted = wanted_indexes(arguments, Overlay(root))
    places = index_places(arguments, environ)
    inspected_packages(arguments, Overlay(root))
    if arguments.relock:
        read_catalogue(arguments.catalogue)  # told before anything is read or written
    if arguments.dry_run:
        return _refresh(root, arguments, wanted, places, progress, environ, client)
    with store.only_writer(root):
        answer = _refresh(root, arguments, wanted, places, progress, environ, client)
    return relocked(answer, arguments, root, progress) if arguments.relock else answer


def _refresh(
    root: Path,
    arguments: RefreshArguments,
    wanted: WantedIndexes,
    places: Mapping[str, str],
    progress: Progress,
    environ: Mapping[str, str],
    client: Client | None,
) -> Page:
    cache = open_cache(environ) / "refresh"
    used = client or Client(
        limits=LIMITS, cache=PageCache(cache / "pages"), offline=arguments.offline, environ=environ
    )
    overlay, seen = Overlay(root), LastRead(cache, root)
    locks = tuple(_locks(arguments))
    outcomes: list[IndexOutcome] = []
    started = time.monotonic()
    with driver(used, progress=progress) as drive:
        for name in wanted.indexes:
            ask = IndexQuery(
                facts=overlay,
                matrix=Matrix(root),
                day=_today(),
                place=places[name],
                packages=wanted.packages,
                held=_held(locks),
            )
            outcomes.append(ask_index(drive, name, ask, arguments, seen))
        if read := _inspect(used, overlay, arguments, places, progress, cache):
            outcomes.append(read)
    if arguments.hashes:
        from mmlock.facts.refresh.hashes import record

        parts = cache / "parts"
        outcomes.append(record(used, overlay, arguments.hashes, places["openmmlab"], progress, parts))
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


# ---------------------------------------------------------------- what is asked


def _today() -> str:
    return datetime.now(tz=timezone.utc).date().isoformat()


# ---------------------------------------------------------------- what came of it


def _held(locks: Iterable[LockContents]) -> dict[PackageName, frozenset[str]]:
    """The versions of each package that the locks hold."""
    found: dict[PackageName, frozenset[str]] = {}
    for lock in locks:
        for name, text in lock.versions.items():
            found[name] = found.get(name, frozenset()) | {text}
    return found


def _locks(arguments: RefreshArguments) -> Iterator[LockContents]:
    from mmlock.upkeep.committed import held_locks

    yield from held_locks(arguments.locks or Path("lockfiles"), named=arguments.locks is not None)
