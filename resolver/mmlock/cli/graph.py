"""`mmlock graph`: the compatibility graph of a target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.request import request_from
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal, write_file, write_raw


@click.command(cls=Sectioned, short_help="Write the compatibility graph of a target.")
@click.argument("package", required=False)
@options.request
@options.formats("dot", "graphml", default="dot", help="`dot` is for Graphviz, `text` for people.")
@click.option("--out", "file", type=options.FOLDER, metavar="FILE", help=options.OUT_FILE)
@click.pass_obj
def graph(terminal: Terminal, /, package: str | None, format: str, file: Path | None, **values: Any) -> None:
    """Write what is compatible with what on a target; with PACKAGE, only its neighbours.

    \b
    mmlock graph mmcv --gpu rtx5090 | dot -Tsvg > mmcv.svg
    """
    text = terminal.app.graph(request_from(values), package=package, form=format)
    if file is None:
        write_raw(text)
    else:
        write_file(file, text)
