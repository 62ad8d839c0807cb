"""`mmlock solve`: decide one environment and write its lock folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.request import RequestValues, request_from
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal

if TYPE_CHECKING:
    from typing_extensions import Unpack


@click.command(cls=Sectioned, short_help="Lock an environment that runs on a device.")
@click.argument("requirements", nargs=-1, metavar="[REQ]...")
@options.request
@options.output
@options.form
@options.progress
@click.pass_obj
def solve(terminal: Terminal, /, *, progress: bool | None, **values: Unpack[RequestValues]) -> None:
    """Lock an environment that runs on a device.

    REQ is a requirement such as `mmdet>=3.0`. Without any, the default stack is locked.

    \b
    mmlock solve --gpu rtx5090 --out locks/rtx5090
    mmlock solve 'mmsegmentation>=1.2' --gpu auto --python 3.10
    """
    request = request_from(values)
    terminal.show(terminal.app.solve(request, progress=shown(wanted=progress)))
