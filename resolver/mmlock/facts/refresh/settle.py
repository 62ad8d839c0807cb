"""What an index said is merged; what would make the matrix unsound is refused."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from mmlock.core.errors import EnvironmentFault, MatrixError
from mmlock.core.refreshing import RefreshArguments
from mmlock.facts.matrix import store
from mmlock.facts.matrix.diff import Change, diff
from mmlock.facts.refresh.drive import Driver
from mmlock.facts.refresh.indexes import INDEXES, IndexQuery, Overlay
from mmlock.facts.refresh.report import IndexAge, IndexOutcome
from mmlock.facts.refresh.state import LastRead, is_recorded, last_seen

__all__ = ["ask_index", "index_age", "require_whole", "settle"]


def ask_index(
    drive: Driver, name: str, ask: IndexQuery, arguments: RefreshArguments, seen: LastRead
) -> IndexOutcome:
    """Ask one index and merge what it says."""
    before = drive.client.traffic.requests, drive.client.traffic.received
    started = time.monotonic()
    found = drive.run(name, INDEXES[name].scrape(ask))
    warnings = list(found.warnings)
    for facts in found.facts:
        warnings += ask.facts.lay(facts, trust_removals=arguments.trust_removals)
    before_it = index_age(name, ask.facts.root, seen)
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


def index_age(name: str, root: Path, seen: LastRead) -> IndexAge:
    """How old the facts of an index are."""
    index = INDEXES[name]
    last = seen.when(name) or last_seen(root, index.files, index.marks)
    return IndexAge(last=last, recorded=is_recorded(root, index.files))


def settle(root: Path, overlay: Overlay) -> tuple[tuple[Change, ...], tuple[str, ...]]:
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


def require_whole(arguments: RefreshArguments, outcomes: list[IndexOutcome]) -> None:
    """With `--strict` an index that could not be read whole is an error, after the rest was written."""
    failed = [one for one in outcomes if one.stale]
    if arguments.strict and failed:
        raise EnvironmentFault(
            f"{len(failed)} of {len(outcomes)} indexes could not be read completely",
            causes=[f"{one.name}: {text}" for one in failed for text in one.stale[:3]],
            hints=["what could be read was merged; without `--strict` this is not an error"],
        )
