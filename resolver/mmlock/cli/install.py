"""`mmlock install`: a sealed lock becomes an environment."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.errors import UsageError


@click.command(cls=Sectioned, short_help="Install a sealed lock into a virtual environment.")
@options.lock_argument
@options.prefix
@click.option("--python", metavar="PATH", help="Make a new environment with this Python interpreter.")
@click.option("--keep-others", is_flag=True, help="Keep packages that are not in the lock.")
@click.option("--remove-others", is_flag=True, help="Remove packages that are not in the lock.")
@click.option("--offline", is_flag=True, help=options.OFFLINE)
@options.form
@options.progress
@click.pass_obj
def install(
    terminal: Terminal,
    /,
    lock: Path,
    *,
    prefix: Path,
    python: str | None,
    keep_others: bool,
    remove_others: bool,
    offline: bool,
    progress: bool | None,
) -> None:
    """Install the lock folder LOCK (default `lock`) with uv, each package by its hash.

    The environment then holds the lock and nothing else; in one that mmlock did not make, other packages
    are removed only with --remove-others. Its activate scripts set the variables that the lock needs.

    \b
    mmlock install
    mmlock install lockfiles/openmmlab/rtx5090 --prefix env
    """
    from mmlock.core.build_arguments import InstallArguments

    if keep_others and remove_others:
        raise UsageError("`--keep-others` contradicts `--remove-others`", hints=["use one of them"])
    exact = True if remove_others else False if keep_others else None

    arguments = InstallArguments(lock=lock, prefix=prefix, python=python, offline=offline, exact=exact)
    with shown(wanted=progress) as said:
        report = terminal.app.install(arguments, progress=said)
    terminal.show(report)
