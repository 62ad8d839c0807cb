"""`mmlock inspect`: what compiled files need, and whether they load and run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Section, Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.inspect_arguments import InspectArguments

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _Values(TypedDict):
    """What click hands over."""

    thing: str
    torch: tuple[str, ...]
    gpus: tuple[str, ...]
    python: str | None
    whole: bool
    offline: bool
    matrices: Path | None


_against = (
    Section("What it shall go with")
    .many("--torch", metavar="VERSION", help="`2.9.1` (PyPI's build) or `2.9.1+cu118`; repeat to compare.")
    .many("--gpu", "gpus", metavar="NAME", help="A device (`rtx5090`, `a100`) or `auto`; repeat for more.")
    .add("--python", metavar="X.Y", help="The target's Python.")
)
_how = (
    Section("How it is read")
    .add("--whole", is_flag=True, help="Read remote files whole, not just their beginnings.")
    .add("--offline", is_flag=True, help="Use only what was fetched before.")
    .add("--matrices", type=options.FOLDER, metavar="DIR", help="Facts other than mmlock's own.")
)


@click.command(cls=Sectioned, short_help="Tell whether compiled files load beside a torch.")
@click.argument("thing", metavar="WHEEL|URL|FOLDER|ENV|PKG==V|SYMBOL")
@_against
@_how
@options.progress
@options.form
@click.pass_obj
def inspect(terminal: Terminal, /, *, progress: bool | None, **values: Unpack[_Values]) -> None:
    """Read the compiled files of a wheel, here or on the web, without installing or running them.

    Told are the torch names and libraries they need, their GPU code, and whether that fits a torch build
    and a device. A remote wheel costs some megabytes, not its whole size. Given a mangled torch name, it
    tells which torch builds export it.

    \b
    mmlock inspect xformers==0.0.22 --torch 2.0.1 --torch 2.1.2 --gpu rtx3090
    mmlock inspect ./mmcv-2.1.0-cp310-cp310-linux_x86_64.whl --torch 2.1.2
    mmlock inspect .venv --gpu auto
    """
    terminal.show(terminal.app.inspect(InspectArguments(**values), progress=shown(wanted=progress)))
