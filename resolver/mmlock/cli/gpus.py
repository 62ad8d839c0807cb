"""`mmlock gpus`: the devices that are known."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal


@click.command(cls=Sectioned, short_help="List devices, or show what runs on one.")
@click.argument("name", required=False)
@click.option("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
@options.form
@click.pass_obj
def gpus(terminal: Terminal, /, name: str | None, matrices: Path | None) -> None:
    """List the known devices; with NAME, show what runs on that one.

    \b
    mmlock gpus
    mmlock gpus rtx5090
    """
    terminal.show(terminal.app.show_gpus(name, matrices=matrices))
