"""Which answers may be others when one asks again, and how long to wait before."""

from __future__ import annotations

import random
from email.utils import parsedate_to_datetime

from mmlock.net.fetching import Limits

__all__ = ["AGAIN", "pause"]

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same GET may succeed."""


def pause(limits: Limits, attempt: int, retry_after: str | None, now: float) -> float:
    """Seconds before an attempt (the second is 1): what the server asks for, else doubling with jitter."""
    told = _seconds(retry_after, now)
    grown: float = limits.first_pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311
    return min(limits.longest_pause, told if told is not None else grown)


def _seconds(text: str | None, now: float) -> float | None:
    """What a Retry-After header asks for; it may be a number or a date."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
