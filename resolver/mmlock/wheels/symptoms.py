"""What is said when a build fails: the errors of its log, and what someone who knows more adds.

What the texts of logs mean is in `matrices/curated/symptoms.toml` and explained by the doctor, a room above
this one: the caller of a build passes it in as an `Explain`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

__all__ = ["Explain", "Explained", "first_errors", "no_more"]

_ERROR = re.compile(r"(?:\berror\b|\bError\b|fatal|FAILED|undefined reference|cannot find)")
_NOISE = re.compile(
    r"error: subprocess-exited|note: This error|metadata-generation|Failed building wheel"
    r"|\[end of output\]|Preparing metadata|Building wheel for|Getting requirements to build"
)
_LONGEST = 300
_SHOWN = 3


class Explained(Struct, frozen=True, kw_only=True):
    """What a log means, as sentences: the cause first."""

    causes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


Explain = Callable[[Sequence[str]], Explained]
"""From the last lines of a log to what they mean."""


def no_more(_: Sequence[str]) -> Explained:
    """Nothing beyond the errors themselves."""
    return Explained()


def first_errors(lines: Sequence[str]) -> list[str]:
    """The first errors of a log as they are; the last lines where none looks like one."""
    errors = [row.strip() for row in lines if _ERROR.search(row) and not _NOISE.search(row)]
    told = list(dict.fromkeys(row[:_LONGEST] for row in errors))[:_SHOWN]
    return told or [row.strip()[:_LONGEST] for row in lines if row.strip()][-2:]
