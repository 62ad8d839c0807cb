"""`mmlock install`: a sealed lock becomes an environment."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.errors import UsageError


@click.command(cls=Sectioned, short_help="Put a sealed lock into a virtual environment.")
@click.argument("lock", type=options.FOLDER)
@click.option(
    "--prefix",
    type=options.FOLDER,
    default=Path(".venv"),
    show_default=True,
    metavar="DIR",
    help="The environment.",
)
@click.option("--python", metavar="PATH", help="The interpreter for a new environment.")
@click.option("--keep-others", is_flag=True, help="Leave what is there and not in the lock.")
@click.option("--remove-others", is_flag=True, help="Remove what is not in the lock.")
@click.option("--offline", is_flag=True, help="Use only what was fetched before.")
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
    """Install the lock folder LOCK with uv, each package by its hash.

    The environment then holds the lock and nothing else. One that mmlock did not make is emptied of other
    packages only when that is said.

    \b
    mmlock install lockfiles/openmmlab/rtx5090 --prefix .venv
    """
    from mmlock.core.build_arguments import InstallArguments

    if keep_others and remove_others:
        raise UsageError("`--keep-others` contradicts `--remove-others`", hints=["leave one of them out"])
    exact = True if remove_others else False if keep_others else None

    arguments = InstallArguments(lock=lock, prefix=prefix, python=python, offline=offline, exact=exact)
    terminal.show(terminal.app.install(arguments, progress=shown(wanted=progress)))
