"""Asks a person before something is done."""

from __future__ import annotations

import sys

import click

from mmlock.cli.progress import Bars
from mmlock.cli.terminal import tell
from mmlock.core.errors import UsageError
from mmlock.core.progress import Progress


def confirmed(text: str, progress: Progress | None = None) -> bool:
    """Show on stderr what would be done, and ask. Raises UsageError where nobody can answer."""
    if isinstance(progress, Bars):
        progress.pause()
    tell(text)
    if not _can_answer():
        raise UsageError("confirmation required", hints=["pass `--yes` to proceed; nothing was changed"])
    return click.confirm("Proceed?", err=True)


def _can_answer() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):
        return False
