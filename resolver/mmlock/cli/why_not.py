"""`mmlock why-not`: what stands against a requirement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.request import RequestValues, request_from
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.faults import Fault, usage_error
from mmlock.core.requirements import parse_requirement
from mmlock.core.sources import COMMAND_LINE

if TYPE_CHECKING:
    from typing_extensions import Unpack


@click.command("why-not", cls=Sectioned, short_help="Tell what stands against a requirement.")
@click.argument("requirement", metavar="REQ")
@options.request
@options.form
@options.progress
@click.pass_obj
def why_not(
    terminal: Terminal,
    /,
    requirement: str,
    *,
    progress: bool | None,
    **values: Unpack[RequestValues],
) -> None:
    """Tell what stands against REQ on a target, and what would hold.

    \b
    mmlock why-not 'torch==2.4.1' --gpu rtx5090
    """
    asked = parse_requirement(requirement, COMMAND_LINE)
    if isinstance(asked, Fault):
        raise usage_error([asked])
    request = request_from(values)
    terminal.show(terminal.app.why_not(asked, request, progress=shown(wanted=progress)))
