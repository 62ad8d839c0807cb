"""When pull requests may be opened, and how long a release must have been out. Pure: time is passed in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

__all__ = ["CronSimError", "in_window", "parse_age", "parse_window", "parse_zone"]

_AGE = re.compile(r"(\d{1,5}) ?(hours?|days?|weeks?)")
_HOURS = {"hour": 1, "day": 24, "week": 168}


def parse_age(text: str) -> timedelta | None:
    """`3 days`, `12 hours`, `1 week`; None for anything else."""
    found = _AGE.fullmatch(text.strip())
    if found is None:
        return None
    return timedelta(hours=int(found[1]) * _HOURS[found[2].removesuffix("s")])


def parse_window(text: str) -> str | None:
    """A cron expression of five fields, as it is; None for anything else.

    It is a window, as with Renovate: a run counts when its minute matches.
    """
    try:
        CronSim(text, datetime(2000, 1, 1))  # noqa: DTZ001 - only the form is looked at
    except CronSimError:
        return None
    return text


def parse_zone(name: str) -> ZoneInfo | None:
    """A time zone by its name (`Europe/Berlin`); None for one that is not known."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: a name that is a folder
        return None


def in_window(windows: Iterable[str], zone: ZoneInfo, now: datetime) -> bool:
    """Whether a moment is in one of the windows; no windows: always."""
    expressions = tuple(windows)
    if not expressions:
        return True
    minute = now.astimezone(zone).replace(second=0, microsecond=0)
    # cronsim gives the first match after a moment.
    return any(next(CronSim(one, minute - timedelta(minutes=1))) == minute for one in expressions)
