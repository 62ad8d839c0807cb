"""`mmlock matrix refresh --relock`: the locks that changed facts concern are solved again, and no other."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from mmlock.core.catalogue import LocksArguments
from mmlock.core.progress import Progress
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.report import Page
from mmlock.upkeep.catalogue.locking import read_catalogue

__all__ = ["relocked"]

Relock = Callable[..., Page]


def relocked(
    report: Page, arguments: RefreshArguments, matrices: Path, progress: Progress, *, relock: Relock
) -> Page:
    """The report of a refresh, with what became of the locks that it concerns.

    Which locks these are, and by which facts, the report says already. A lock that the catalogue does not
    name cannot be solved again and is reported.
    """
    assert isinstance(report.data, dict)
    catalogue = read_catalogue(arguments.catalogue)
    named = {pair.name for pair in catalogue.pairs}
    concerned = [str(one["lock"]) for one in report.data["locks"]]
    again = tuple(name for name in concerned if name in named)
    strangers = [name for name in concerned if name not in named]
    lines = [f"{name}: not solved again, for `{arguments.catalogue}` does not name it" for name in strangers]
    rest = len(named) - len(again)
    if not again:
        lines.append(f"no lock is concerned; {rest} stay as they are")
        data = {**report.data, "relocked": {"pairs": [], "failed": 0, "left": rest, "seconds": 0.0}}
        return Page(text="\n".join([report.text, "", *lines]), data=data)
    started = time.monotonic()
    request = LocksArguments(
        file=arguments.catalogue, only=again, offline=arguments.offline, matrices=matrices
    )
    found = relock(request, progress=progress)
    assert isinstance(found.data, dict)
    seconds = time.monotonic() - started
    many = "1 lock" if len(again) == 1 else f"{len(again)} locks"
    lines.append(f"{many} solved again in {seconds:.1f} s; {rest} are not concerned")
    return Page(
        text="\n".join([report.text, "", found.text.rstrip(), *lines]),
        data={**report.data, "relocked": {**found.data, "left": rest, "seconds": round(seconds, 3)}},
    )
