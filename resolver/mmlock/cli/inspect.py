"""`mmlock inspect`: what compiled files need, and whether they load and run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from mmlock.cli import options
from mmlock.cli.interpreters import python_version
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.inspect_arguments import InspectArguments

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _InspectValues(TypedDict):
    """What click hands over."""

    thing: str
    torch: tuple[str, ...]
    beside: tuple[str, ...]
    gpus: tuple[str, ...]
    python: str | None
    whole: bool
    offline: bool
    matrices: Path | None


_against = (
    HelpSection("What to compare with")
    .many("--torch", metavar="VERSION", help="`2.9.1` (PyPI's build) or `2.9.1+cu118`; repeatable.")
    .many(
        "--with",
        "beside",
        metavar="PKG==V",
        help="Another package, whose Python names the inspected `PKG==V` takes; repeatable.",
    )
    .many("--gpu", "gpus", metavar="NAME", help="A device (`rtx5090`, `a100`) or `auto`; repeatable.")
    .add("--python", metavar="X.Y", help="The Python version, such as `3.12`, or an interpreter that has it.")
)
_how = (
    HelpSection("How to read")
    .add("--whole", is_flag=True, help="Download remote files completely, not just their first parts.")
    .add("--offline", is_flag=True, help=options.OFFLINE)
    .add("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
)


@click.command(cls=Sectioned, short_help="Check whether compiled files load with a torch.")
@click.argument("thing", metavar="WHEEL|URL|FOLDER|ENV|PKG==V|SYMBOL")
@_against
@_how
@options.progress
@options.form
@click.pass_obj
def inspect(terminal: Terminal, /, *, progress: bool | None, **values: Unpack[_InspectValues]) -> None:
    """Read the compiled files of a wheel, local or remote, without installing or running them.

    Shows the torch symbols and libraries they need, the GPUs they have code for, and whether that is
    compatible with a torch build and a device. Of a remote wheel, some megabytes are downloaded, not all of
    it. For a mangled torch symbol, shows which torch builds export it. With `--with`, shows which Python
    names of another package are missing.

    \b
    mmlock inspect xformers==0.0.22 --torch 2.0.1 --torch 2.1.2 --gpu rtx3090
    mmlock inspect ./mmcv-2.1.0-cp310-cp310-linux_x86_64.whl --torch 2.1.2
    mmlock inspect .venv --gpu auto
    mmlock inspect mmpose==1.3.2 --with mmdet==2.28.2
    """
    if values["python"] is not None:
        values["python"] = python_version(values["python"])
    with shown(wanted=progress) as said:
        report = terminal.app.inspect(InspectArguments(**values), progress=said)
    terminal.show(report)
