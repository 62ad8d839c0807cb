"""`mmlock why-not`: what conflicts with a requirement."""

from __future__ import annotations

from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.request import request_from
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal


@click.command("why-not", cls=Sectioned, short_help="Explain why a requirement is impossible.")
@click.argument("requirement", metavar="REQ")
@options.request
@options.form
@options.progress
@click.pass_obj
def why_not(terminal: Terminal, /, requirement: str, *, progress: bool | None, **values: Any) -> None:
    """Explain why REQ is impossible on a target, and what is possible instead.

    \b
    mmlock why-not 'torch==2.4.1' --gpu rtx5090
    """
    from mmlock.core.faults import Fault, usage_error
    from mmlock.core.requirements import parse_requirement
    from mmlock.core.sources import COMMAND_LINE

    wanted = parse_requirement(requirement, COMMAND_LINE)
    if isinstance(wanted, Fault):
        raise usage_error([wanted])
    request = request_from(values)
    with shown(wanted=progress) as said:
        report = terminal.app.why_not(wanted, request, progress=said)
    terminal.show(report)
