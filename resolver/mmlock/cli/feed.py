"""`mmlock feed`: the facts as a data source for Renovate."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal


@click.command(cls=Sectioned, short_help="Write the facts as a data source for Renovate.")
@click.argument("out", type=options.FOLDER, metavar="OUT")
@click.option("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
@options.form
@click.pass_obj
def feed(terminal: Terminal, /, out: Path, matrices: Path | None) -> None:
    """Write static JSON into the folder OUT: torch builds, wheel directories of mmcv, validations.

    Any web server can serve them; Renovate reads them as a custom data source.

    \b
    mmlock feed public/feed
    """
    from mmlock.core.update_arguments import FeedArguments

    terminal.show(terminal.app.feed(FeedArguments(out=out, matrices=matrices)))
