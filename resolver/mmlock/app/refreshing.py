"""`mmlock matrix refresh`: what is scraped is read again, and what differs is written and told."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from msgspec import Struct

from mmlock.app.locking import read_catalogue
from mmlock.app.relocking import relocked
from mmlock.core.errors import EnvironmentFault, MatrixError, UsageError
from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress, silent
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.report import Page
from mmlock.facts.matrix import store
from mmlock.facts.matrix.concerned import LockContents, touched
from mmlock.facts.matrix.diff import Change, diff
from mmlock.facts.matrix.load import ENVIRONMENT_VARIABLE, Matrix, find_root
from mmlock.facts.refresh.drive import Driver, driver
from mmlock.facts.refresh.indexes import INDEXES, IndexQuery, Overlay
from mmlock.facts.refresh.report import IndexAge, IndexOutcome, page
from mmlock.facts.refresh.settings import choose
from mmlock.facts.refresh.state import LastRead, is_recorded, last_seen
from mmlock.facts.scrape.openmmlab import is_directory
from mmlock.files.private import open_cache
from mmlock.net.fetching import Limits
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache

__all__ = ["refresh"]

LIMITS = Limits(
    attempts=3, fresh_seconds=0.0, total_seconds=120.0, host_seconds=120.0, max_bytes=24 * 1024 * 1024
)


class _Wanted(Struct, frozen=True, kw_only=True):
    """What `--only` leaves."""

    indexes: tuple[str, ...]
    packages: frozenset[str]


def refresh(
    arguments: RefreshArguments,
    *,
    progress: Progress = silent,
    environ: Mapping[str, str] = os.environ,
    client: Client | None = None,
) -> Page:
    """Read the indexes, merge, write, tell. Raises UsageError, EnvironmentFault or MatrixError."""
    root = _root(arguments, environ)
    wanted = _wanted(arguments, Overlay(root))
    places = _places(arguments, environ)
    _inspected(arguments, Overlay(root))
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
    wanted: _Wanted,
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
            outcomes.append(_one(drive, name, ask, arguments, seen))
        if read := _inspect(used, overlay, arguments, places, progress, cache):
            outcomes.append(read)
    if arguments.hashes:
        from mmlock.facts.refresh.hashes import record

        parts = cache / "parts"
        outcomes.append(record(used, overlay, arguments.hashes, places["openmmlab"], progress, parts))
    changes, refused = _settle(root, overlay)
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
        ages={name: _age(name, root, seen) for name in INDEXES},
    )
    _strict(arguments, outcomes)
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
        named=_inspected(arguments, overlay),
        places=places,
        cache=cache,
        progress=progress,
        day=_today(),
    )
    return inspect_new(reading)


def _one(
    drive: Driver, name: str, ask: IndexQuery, arguments: RefreshArguments, seen: LastRead
) -> IndexOutcome:
    """Ask one index and merge what it says."""
    before = drive.client.traffic.requests, drive.client.traffic.received
    started = time.monotonic()
    found = drive.run(name, INDEXES[name].scrape(ask))
    warnings = list(found.warnings)
    for facts in found.facts:
        warnings += ask.facts.lay(facts, trust_removals=arguments.trust_removals)
    before_it = _age(name, ask.facts.root, seen)
    if found.read and not found.stale and not arguments.offline and not ask.packages:
        seen.note(name)
    return IndexOutcome(
        name=name,
        place=ask.place,
        read=found.read,
        stale=found.stale,
        warnings=tuple(warnings),
        last=before_it.last,
        recorded=before_it.recorded,
        requests=drive.client.traffic.requests - before[0],
        received=drive.client.traffic.received - before[1],
        seconds=time.monotonic() - started,
    )


def _age(name: str, root: Path, seen: LastRead) -> IndexAge:
    """How old the facts of an index are."""
    index = INDEXES[name]
    last = seen.when(name) or last_seen(root, index.files, index.marks)
    return IndexAge(last=last, recorded=is_recorded(root, index.files))


# ---------------------------------------------------------------- what is asked


def _root(arguments: RefreshArguments, environ: Mapping[str, str]) -> Path:
    """The folder to rewrite: never the one inside an installed package, which an upgrade would undo."""
    here = Path("matrices")
    named = arguments.matrices is not None or environ.get(ENVIRONMENT_VARIABLE)
    root = find_root(arguments.matrices if named or not (here / "gpus.json").is_file() else here, environ)
    if root.name == "_matrices":
        raise UsageError(
            "there is no matrix folder to refresh",
            causes=[f"the facts in use, `{root}`, are part of the installed package"],
            hints=["name a folder with `--matrices`, for example a copy of that one"],
        )
    return root


def _wanted(arguments: RefreshArguments, facts: Overlay) -> _Wanted:
    """Indexes by name; any other name is a package of PyPI."""
    if not arguments.only:
        return _Wanted(indexes=tuple(INDEXES), packages=frozenset())
    known: set[PackageName] = {
        *facts.packages("files"),
        *facts.packages("releases"),
        *facts.packages("binaries"),
        *Matrix(facts.root).described,
    }
    known -= {"openmmlab-index", "pytorch-index"}  # files of several packages; PyPI has no such page
    packages = {normalize(name) for name in arguments.only if name not in INDEXES}
    if strangers := sorted(packages - known):
        raise UsageError(
            f"`--only`: `{strangers[0]}` is neither an index nor a package",
            hints=[
                f"the indexes are {', '.join(f'`{name}`' for name in INDEXES)}; packages are named as on PyPI"
            ],
        )
    indexes = [name for name in INDEXES if name in arguments.only or (name == "pypi" and packages)]
    whole = "pypi" in arguments.only
    return _Wanted(indexes=tuple(indexes), packages=frozenset() if whole else frozenset(packages))


def _inspected(arguments: RefreshArguments, facts: Overlay) -> frozenset[str]:
    """The packages of `--inspect`, as the matrix spells them."""
    named = frozenset(normalize(name) for name in arguments.inspect)
    if strangers := sorted(named - {"torch", *facts.packages("binaries")}):
        raise UsageError(
            f"`--inspect`: there are no facts about wheels of `{strangers[0]}`",
            hints=[f"expected one of torch, {', '.join(facts.packages('binaries'))}"],
        )
    return named


def _places(arguments: RefreshArguments, environ: Mapping[str, str]) -> dict[str, str]:
    if strangers := [name for name in arguments.places if name not in INDEXES]:
        raise UsageError(
            f"`--at`: `{strangers[0]}` is not an index",
            hints=[f"the indexes are {', '.join(f'`{name}`' for name in INDEXES)}"],
        )
    if strange := [text for text in arguments.hashes if "://" not in text and not is_directory(text)]:
        raise UsageError(
            f"`--hashes {strange[0]}` is neither a directory of OpenMMLab's index nor a URL",
            hints=["for example `--hashes cu118/torch2.1.0`"],
        )
    places = {name: index.place for name, index in INDEXES.items()}
    places["pypi"] = choose(arguments.index_url, environ).url
    return {**places, **arguments.places}


def _today() -> str:
    return datetime.now(tz=timezone.utc).date().isoformat()


# ---------------------------------------------------------------- what came of it


def _settle(root: Path, overlay: Overlay) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """The changes that keep the matrix sound, and what was refused because it would not.

    Raises MatrixError when the matrix could not be made sound.
    """
    faults = _faults(root, overlay)
    refused = tuple(str(fault) for fault in faults)
    for name in {fault.file for fault in faults}:
        overlay.merged.pop(name, None)
    if faults and (left := _faults(root, overlay)):
        raise MatrixError(
            "the indexes contradict the other facts; nothing was written",
            causes=[str(fault) for fault in left[:20]],
            hints=["run it again with `--only INDEX` for each index, to find the one"],
        )
    old = {name: document for name in overlay.merged if (document := overlay.on_disk(name))}
    return diff(old, overlay.merged), refused


def _faults(root: Path, overlay: Overlay) -> list[Any]:
    """Faults that the merged files bring and that were not there before."""
    from mmlock.facts.matrix.lint import lint

    if not overlay.merged:
        return []
    with tempfile.TemporaryDirectory(prefix="mmlock-") as folder:
        trial = Path(folder) / "matrices"
        shutil.copytree(root, trial, ignore=shutil.ignore_patterns(".*", "symbols", "names"))
        store.write_all(trial, overlay.encoded())
        faults = lint(trial)
    if not faults:
        return []
    before = {(fault.file, fault.message) for fault in lint(root)}
    return [fault for fault in faults if (fault.file, fault.message) not in before]


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


def _strict(arguments: RefreshArguments, outcomes: list[IndexOutcome]) -> None:
    """With `--strict` an index that could not be read whole is an error, after the rest was written."""
    failed = [one for one in outcomes if one.stale]
    if arguments.strict and failed:
        raise EnvironmentFault(
            f"{len(failed)} of {len(outcomes)} indexes could not be read completely",
            causes=[f"{one.name}: {text}" for one in failed for text in one.stale[:3]],
            hints=["what could be read was merged; without `--strict` this is not an error"],
        )
