"""`mmlock matrix refresh`: what is scraped is read again; what differs is written and reported."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmlock.app.pair_solving import locks
from mmlock.core.progress import Progress, silent
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.report import Page
from mmlock.facts.matrix import store
from mmlock.facts.matrix.concerned import LockContents
from mmlock.facts.refresh.asked import index_places, inspected_packages, refreshed_root, wanted_indexes
from mmlock.facts.refresh.indexes import Overlay
from mmlock.facts.refresh.run import read_indexes
from mmlock.net.http import Client
from mmlock.upkeep.catalogue.locking import read_catalogue
from mmlock.upkeep.catalogue.relocking import relocked

__all__ = ["refresh"]


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
    held = tuple(_locks(arguments))

    def read() -> Page:
        return read_indexes(
            root, arguments, wanted, places, held, progress=progress, environ=environ, client=client
        )

    if arguments.dry_run:
        return read()
    with store.only_writer(root):
        answer = read()
    return relocked(answer, arguments, root, progress, relock=locks) if arguments.relock else answer


def _locks(arguments: RefreshArguments) -> Iterator[LockContents]:
    from mmlock.upkeep.committed import held_locks

    yield from held_locks(arguments.locks or Path("lockfiles"), named=arguments.locks is not None)
