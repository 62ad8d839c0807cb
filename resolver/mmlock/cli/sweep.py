"""`mmlock sweep`: what every GPU gets, and what changed since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.execution import execution_of, execution_options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal, write

_axes = (
    HelpSection("Instead of what the file says")
    .many("--gpu", "gpus", metavar="NAME", help="A device.")
    .many("--python", "pythons", metavar="X.Y", help="A Python version.")
    .many("--torch", "torches", metavar="VERSION", help="A torch: `2.11`, `2.9.1+cu128`, `>=2.6`.")
    .many("--stack", "stacks", metavar="NAME", help="A stack.")
)

_how = (
    HelpSection("How")
    .add("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes; default: one a processor.")
    .add("--fresh", is_flag=True, help="Ask again what an earlier sweep has kept.")
    .add("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
)

_out = HelpSection("Output").add(
    "--out",
    type=options.FOLDER,
    metavar="DIR",
    help="Write `sweep.json`, `sweep.csv`, `index.html` and `matrix.svg` here, and `sweep.parquet` where "
    "pyarrow is installed.",
)


@click.group(invoke_without_command=True, short_help="Ask for many GPUs, Pythons and stacks at once.")
@click.pass_context
def sweep(ctx: click.Context) -> None:
    """Ask for every combination of GPUs, Pythons, torches and stacks, and compare such sweeps."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


@sweep.command(cls=Sectioned, short_help="Ask for every combination.")
@click.argument("file", type=options.FOLDER, required=False, metavar="[FILE]")
@_axes
@_how
@execution_options
@_out
@options.form
@options.progress
@click.pass_obj
def run(
    terminal: Terminal,
    /,
    file: Path | None,
    *,
    progress: bool | None,
    executor: str,
    ray_address: str | None,
    **asked: Any,
) -> None:
    """Ask for every combination that FILE (default `sweep.toml`) names.

    An axis that it leaves out is all that is known.

    Ordinary packages are not looked at, so this takes milliseconds a combination. Answers are kept: with the
    same facts, nothing is asked twice.

    \b
    mmlock sweep run --gpu rtx5090 --gpu a100 --stack openmmlab
    mmlock sweep run sweep.toml --out site/sweep
    """
    from mmlock.core.farm_arguments import SweepArguments

    with shown(wanted=progress) as said:
        arguments = SweepArguments(file=file, execution=execution_of(executor, ray_address), **asked)
        report = terminal.app.sweep(arguments, progress=said)
    terminal.show(report)


@sweep.command(cls=Sectioned, short_help="Say what changed, and for whom.")
@click.argument("old", type=options.FOLDER)
@click.argument("new", type=options.FOLDER)
@options.form
@click.pass_obj
def diff(terminal: Terminal, /, old: Path, new: Path) -> None:
    """Compare two sweeps, `sweep.json` or the folder that has it: what changed for which devices.

    \b
    mmlock sweep diff before site/sweep
    """
    from mmlock.core.farm_arguments import SweepDiffArguments

    terminal.show(terminal.app.sweep_diff(SweepDiffArguments(old=old, new=new)))
