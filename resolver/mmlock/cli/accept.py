"""A lock folder is code: before one that this user does not know is used, a person is asked."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli.confirm import confirmed
from mmlock.cli.sections import HelpSection
from mmlock.cli.terminal import Terminal
from mmlock.core.errors import UsageError

NOTE = (
    "A lock folder is code: its steps run commands on this machine. For a lock that you neither solved nor "
    "accepted before, mmlock shows what it will run and asks."
)

yes = HelpSection("Safety").add("--yes", is_flag=True, help="Accept the lock without being asked.")


def require_accepted(terminal: Terminal, lock: Path, *, yes: bool) -> None:
    """Go on when the user knows the lock, or accepts it now. Raises UsageError, or click's Abort."""
    unknown = terminal.app.review(lock)
    if unknown is None:
        return
    if not yes:
        try:
            agreed = confirmed(unknown.text)
        except UsageError as error:
            raise UsageError(
                f"the lock `{lock}` is not one that you solved or accepted",
                causes=["a lock folder is code, and there is no terminal to confirm on"],
                hints=["check what it runs (above), then pass `--yes` to accept it"],
            ) from error
        if not agreed:
            raise click.Abort
    terminal.app.accept(lock)
