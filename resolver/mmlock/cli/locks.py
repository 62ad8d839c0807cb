"""`mmlock locks`: every lock that a project keeps is solved again."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal

STALE = 1
FAILED = 2


@click.command(cls=Sectioned, short_help="Solve every lock of mmlock.toml again.")
@click.argument("pairs", nargs=-1, metavar="[STACK[/TARGET]]...")
@click.option(
    "--file",
    type=options.FOLDER,
    default=Path("mmlock.toml"),
    show_default=True,
    metavar="FILE",
    help="The file that names the stacks and their targets.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with code 1 if a lock is out of date.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="How many locks to solve at once.")
@click.option("--offline", is_flag=True, help=options.OFFLINE)
@click.option("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
@click.option(
    "--allowed-signers",
    type=options.FOLDER,
    multiple=True,
    metavar="FILE",
    help="Verdicts signed by the keys in this file count, besides your own and those in [trust].",
)
@options.form
@options.progress
@click.pass_context
def locks(
    ctx: click.Context,
    /,
    pairs: tuple[str, ...],
    *,
    file: Path,
    check: bool,
    jobs: int | None,
    offline: bool,
    matrices: Path | None,
    allowed_signers: tuple[Path, ...],
    progress: bool | None,
) -> None:
    """Solve every pair of a stack and a target in FILE again, and write what differs.

    A pair that has no solution gets a `refused.toml` with the reason; the others are still solved. Most
    options of `mmlock solve` are keys of FILE, for all pairs, for a target or for a stack. `--check` tells
    whether a fact changed, the index moved, or only explanations changed; the last is not out of date.

    \b
    folder = "lockfiles"
    exclude-newer = "2026-11-21"
    [stacks.openmmlab]
    targets = ["rtx5090", "a100", "cpu"]
    """
    from mmlock.core.catalogue import LocksArguments

    terminal: Terminal = ctx.obj
    arguments = LocksArguments(
        file=file,
        only=pairs,
        check=check,
        jobs=jobs,
        offline=offline,
        matrices=matrices,
        allowed_signers=allowed_signers,
    )
    with shown(wanted=progress) as said:
        report = terminal.app.locks(arguments, progress=said)
    terminal.show(report)
    if isinstance(report.data, dict):
        if report.data.get("failed"):
            ctx.exit(FAILED)
        if report.data.get("stale"):
            ctx.exit(STALE)
