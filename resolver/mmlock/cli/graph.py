"""`mmlock graph`: the compatibility graph of a target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmlock.cli import options
from mmlock.cli.request import RequestValues, request_from
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal, write, write_file

if TYPE_CHECKING:
    from typing_extensions import Unpack


@click.command(cls=Sectioned, short_help="Write the compatibility graph of a target.")
@click.argument("package", required=False)
@options.inputs
@options.target
@options.choice
@click.option(
    "--format",
    type=click.Choice(["dot", "json", "graphml"]),
    default="dot",
    show_default=True,
    help="`dot` is for Graphviz.",
)
@click.option(
    "--out", "file", type=options.FOLDER, metavar="FILE", help="Write it there instead of to stdout."
)
@click.pass_obj
def graph(
    terminal: Terminal,
    /,
    package: str | None,
    format: str,
    file: Path | None,
    **values: Unpack[RequestValues],
) -> None:
    """Write what fits with what on a target; with PACKAGE, only its surroundings.

    \b
    mmlock graph mmcv --gpu rtx5090 | dot -Tsvg > mmcv.svg
    """
    text = terminal.app.graph(request_from(values), package=package, form=format)
    if file is None:
        write(text)
    else:
        write_file(file, text)
