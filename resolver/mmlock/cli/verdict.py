"""`mmlock verdict`: what a validation found."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal, write

FAILED = 1


@click.group(invoke_without_command=True, short_help="Show the result of a validation.")
@click.pass_context
def verdict(ctx: click.Context) -> None:
    """Show the verdict of a validation, or check that it is about a lock."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


@verdict.command(cls=Sectioned, short_help="Show a verdict.")
@click.argument("lock", metavar="[LOCK|FILE]", type=options.FOLDER, default=options.DEFAULT_LOCK)
@options.form
@click.pass_obj
def show(terminal: Terminal, /, lock: Path) -> None:
    """Show the verdict of a lock folder (default `lock`), or a verdict file.

    \b
    mmlock verdict show lockfiles/openmmlab/cpu
    """
    from mmlock.core.validate_arguments import VerdictAction, VerdictArguments

    terminal.show(terminal.app.verdict(VerdictArguments(action=VerdictAction.SHOW, lock=lock)))


@verdict.command(cls=Sectioned, short_help="Check that a verdict is about a lock.")
@options.lock_argument
@click.option(
    "--file", type=options.FOLDER, metavar="FILE", help="The verdict file; default: beside the lock."
)
@click.option(
    "--allowed-signers",
    "signers",
    type=options.FOLDER,
    metavar="FILE",
    help="Refuse a verdict unless somebody in this allowed-signers file of SSH signed it.",
)
@options.form
@click.pass_context
def verify(ctx: click.Context, /, lock: Path, *, file: Path | None, signers: Path | None) -> None:
    """Refuse a verdict that is about another lock or contradicts itself. Exit code 1: its result is FAILED.

    \b
    mmlock verdict verify lockfiles/openmmlab/cpu
    """
    from mmlock.core.validate_arguments import VerdictAction, VerdictArguments

    terminal: Terminal = ctx.obj
    arguments = VerdictArguments(action=VerdictAction.VERIFY, lock=lock, file=file, signers=signers)
    report = terminal.app.verdict(arguments)
    terminal.show(report)
    if isinstance(report.data, dict) and report.data.get("result") == "FAILED":
        ctx.exit(FAILED)
