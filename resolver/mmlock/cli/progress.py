"""Progress on stderr: one plain line per step, for people who wait."""

from __future__ import annotations

import sys

from mmlock.core.progress import Progress, silent


def progress(*, wanted: bool | None) -> Progress:
    """Lines when asked for, or, when nothing was said, if a person is looking."""
    if wanted is None:
        wanted = sys.stderr.isatty()
    return _line if wanted else silent


def _line(text: str, /) -> None:
    sys.stderr.write(f"  {text}\n")
    sys.stderr.flush()
