"""New facts while the service runs: refreshed on a schedule, and the service goes over to them.

What is asked goes on: a job that began with the old facts ends with them, and one that waits is asked again.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from cronsim import CronSim

from mmlock.app.browsing import use_facts
from mmlock.core.errors import MmlockError
from mmlock.upkeep.fresh_facts import FreshFacts

if TYPE_CHECKING:
    from mmlock.web.service import Service

__all__ = ["following", "take_up"]

_LOOK = 60.0
"""Seconds after which the clock is looked at again: it may have been set, or the machine have slept."""


@runtime_checkable
class Renewable(Protocol):
    """An executor whose processes can be exchanged."""

    def renew(self) -> None:
        """Have each process be a new one before its next task."""
        ...


@contextmanager
def following(schedule: str, facts: FreshFacts, took_up: Callable[[Path], None]) -> Iterator[None]:
    """Within it, facts are refreshed on a schedule (cron, UTC). `took_up` is called for what is new."""
    thread = threading.Thread(
        target=_follow, args=(schedule, facts, took_up), name="mmlock-refresh", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        facts.stopping.set()
        thread.join()


def _follow(schedule: str, facts: FreshFacts, took_up: Callable[[Path], None]) -> None:
    log = logging.getLogger("mmlock.web")
    for at in CronSim(schedule, datetime.now(timezone.utc)):
        while (left := (at - datetime.now(timezone.utc)).total_seconds()) > 0:
            if facts.stopping.wait(min(left, _LOOK)):
                return
        try:
            digest = facts.renew()
            if digest is not None:
                took_up(facts.current())
            log.info(json.dumps({"refreshed": True, "matrix": digest}))
        except MmlockError as error:
            if facts.stopping.is_set():
                return
            log.error(json.dumps({"refreshed": False, "why": list(error.lines())}))  # noqa: TRY400 - no bug


def take_up(folder: Path, service: Service) -> None:
    """Have a service and its processes go over to a folder of facts."""
    service.use_new_facts(use_facts(folder))
    if isinstance(service.executor, Renewable):
        service.executor.renew()
