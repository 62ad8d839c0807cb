"""`mmlock scan`: what a source tree needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Section, Sectioned
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
    Section("What is read")
    .many("--config", "configs", metavar="FILE", help="Only what this config needs; repeat for more.")
    .add("--matrices", type=options.FOLDER, metavar="DIR", help="Facts other than mmlock's own.")
)


@click.command(cls=Sectioned, short_help="Tell what a source tree needs, without running it.")
@click.argument("project", type=options.FOLDER, metavar="PROJECT")
@_what
@options.progress
@options.form
@click.pass_obj
def scan(terminal: Terminal, /, *, progress: bool | None, **values: Unpack[_Values]) -> None:
    """Read the sources and configs of a project, without running any of them.

    Told are the ops of mmcv that it reaches, what each of them needs, whether compiled ops are needed at
    all, the packages it imports, the extensions it builds, and the versions it pins.

    \b
    mmlock scan .
    mmlock scan ~/work/detector --config configs/faster_rcnn.py
    """
    arguments = ScanArguments(**values)
    terminal.show(terminal.app.scan(arguments, progress=shown(wanted=progress)))
