"""`mmlock update`: a run with the solver, the kernels and the refresh of this installation."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from mmlock.app.pair_solving import PairSolver
from mmlock.core.progress import Progress, silent
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.report import Page
from mmlock.core.update_arguments import UpdateArguments
from mmlock.upkeep.catalogue.locking import Decide
from mmlock.upkeep.update.branches import BranchRun
from mmlock.upkeep.update.facts import Refresh
from mmlock.upkeep.update.index_advisories import ReleasePages
from mmlock.upkeep.update.run import RunParts
from mmlock.upkeep.update.run import update as run

if TYPE_CHECKING:
    import httpx

__all__ = ["update"]


def update(
    arguments: UpdateArguments,
    *,
    progress: Progress = silent,
    environ: Mapping[str, str] = os.environ,
    clock: Callable[[], datetime] = lambda: datetime.now(tz=timezone.utc),
    decide: Decide | None = None,
    run_lock: Callable[[Path], BranchRun] | None = None,
    lookup: ReleasePages | None = None,
    refresh: Refresh | None = None,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Page:
    """One run. Raises UsageError, EnvironmentFault (ForgeFault and GitFault among them) or MatrixError.

    `decide` solves one pair, `run_lock` builds and runs one, `lookup` knows vulnerabilities and notes,
    `refresh` reads the indexes; with `transport` and `sleep`, tests stand in for the forge and for time.
    """
    parts = RunParts(
        decide=PairSolver.of if decide is None else lambda _: decide,
        run_lock=run_lock or (lambda folder: _run_lock(folder, arguments, progress)),
        refresh=(lambda locks, folder: _refresh(locks, folder, arguments, environ, progress))
        if refresh is None
        else (lambda _, folder: refresh(folder)),
    )
    return run(
        arguments,
        parts=parts,
        progress=progress,
        environ=environ,
        clock=clock,
        lookup=lookup,
        transport=transport,
        sleep=sleep,
    )


def _run_lock(folder: Path, arguments: UpdateArguments, progress: Progress) -> BranchRun:
    from mmlock.app.update_validation import run_lock

    return run_lock(folder, offline=arguments.offline, progress=progress)


def _refresh(
    locks: Path, folder: Path, arguments: UpdateArguments, environ: Mapping[str, str], progress: Progress
) -> tuple[str, ...]:
    """Read the indexes; those that could not be read, with the reason."""
    from mmlock.app.refreshing import refresh

    asked = RefreshArguments(
        matrices=folder, offline=arguments.offline, locks=locks if locks.is_dir() else None
    )
    page = refresh(asked, progress=progress, environ=environ)
    assert isinstance(page.data, dict)
    return tuple(f"{row['name']}: {row['stale'][0]}" for row in page.data["indexes"] if row["stale"])
