"""`mmlock scan`: what a source tree needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.scan_arguments import ScanArguments

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _Values(TypedDict):
    """What click hands over."""

    project: Path
    configs: tuple[str, ...]
    matrices: Path | None


_what = (
    HelpSection("What to read")
    .many("--config", "configs", metavar="FILE", help="Read only what this config needs; repeatable.")
    .add("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
)


@click.command(cls=Sectioned, short_help="Show what a source tree needs, without running it.")
@click.argument("project", type=options.FOLDER, metavar="[PROJECT]", default=Path())
@_what
@options.progress
@options.form
@click.pass_obj
def scan(terminal: Terminal, /, *, progress: bool | None, **values: Unpack[_Values]) -> None:
    """Read the sources and configs of a project (default: the current folder) without running any of them.

    Shows the ops of mmcv that it uses and what each of them needs, whether compiled ops are needed at all,
    the packages it imports, the extensions it builds, and the versions it pins.

    \b
    mmlock scan
    mmlock scan ~/work/detector --config configs/faster_rcnn.py
    """
    arguments = ScanArguments(**values)
    with shown(wanted=progress) as said:
        report = terminal.app.scan(arguments, progress=said)
    terminal.show(report)
