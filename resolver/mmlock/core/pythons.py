"""Lists of Python versions in few words."""

from __future__ import annotations

from collections.abc import Iterable

from mmlock.core.versions import version

__all__ = ["span"]


def span(pythons: Iterable[str]) -> str:
    """Pythons in few words, without claiming one between: `3.8 to 3.10, 3.12, 3.13t`."""
    ordered = sorted(set(pythons), key=lambda text: (text.endswith("t"), version(text.rstrip("t"))))
    runs: list[list[str]] = []
    for text in ordered:
        if runs and _follows(runs[-1][-1], text):
            runs[-1].append(text)
        else:
            runs.append([text])
    parts = (f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)  # noqa: PLR2004
    return ", ".join(parts) or "any"


def _follows(before: str, after: str) -> bool:
    """Whether one Python is the next minor of the other, both of a kind."""
    if before.endswith("t") or after.endswith("t"):
        return False
    return version(after).minor == version(before).minor + 1
