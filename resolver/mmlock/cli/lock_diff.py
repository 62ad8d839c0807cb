"""`mmlock lock-diff`: what differs between two locks."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal


@click.command("lock-diff", cls=Sectioned, short_help="Compare two locks.")
@click.argument("old", type=options.FOLDER)
@click.argument("new", type=options.FOLDER)
@click.option("--check", is_flag=True, help="Exit with code 1 if the locks differ.")
@options.form
@click.pass_context
def lock_diff(ctx: click.Context, /, old: Path, new: Path, *, check: bool) -> None:
    """Show how the lock folder NEW differs from OLD: target, packages with reasons, steps.

    \b
    mmlock lock-diff lockfiles/openmmlab/rtx5090 lock
    """
    terminal: Terminal = ctx.obj
    report = terminal.app.lock_diff(old, new)
    terminal.show(report)
    if check and isinstance(report.data, dict) and report.data.get("differs"):
        ctx.exit(1)
