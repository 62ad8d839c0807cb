"""`mmlock solve`: decide one environment and write its lock folder."""

from __future__ import annotations

from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.request import request_from
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal


@click.command(cls=Sectioned, short_help="Lock an environment that runs on a device.")
@click.argument("requirements", nargs=-1, metavar="[REQ]...")
@options.request
@options.output
@options.form
@options.progress
@click.pass_obj
def solve(terminal: Terminal, /, *, progress: bool | None, **values: Any) -> None:
    """Lock an environment that runs on a device, into the folder `lock` or that of --out.

    REQ is a requirement such as `mmdet>=3.0`. Without any, the default stack is locked. The versions of a
    lock that is in the folder already are kept where possible; see --upgrade.

    \b
    mmlock solve --gpu rtx5090
    mmlock solve 'mmsegmentation>=1.2' --gpu auto --python 3.10 --out locks/here
    """
    values["out"] = values["out"] or options.DEFAULT_LOCK
    request = request_from(values)
    with shown(wanted=progress) as said:
        report = terminal.app.solve(request, progress=said)
    terminal.show(report)
