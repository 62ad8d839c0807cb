"""`mmlock doctor`: from an error text, or from an environment, to the cause and the cure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Section, Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.doctor_arguments import DoctorArguments

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _Values(TypedDict):
    """What click hands over."""

    log: str | None
    text: str | None
    gpus: tuple[str, ...]
    matrices: Path | None


_what = Section("What to look at").add("--text", metavar="TEXT", help="The error itself, instead of a file.")
_how = (
    Section("How it is looked at")
    .many("--gpu", "gpus", metavar="NAME", help="The device it shall run on; default: what the text names.")
    .add("--matrices", type=options.FOLDER, metavar="DIR", help="Facts other than mmlock's own.")
)


@click.command(cls=Sectioned, short_help="Tell what is wrong, from an error text or an environment.")
@click.argument("log", metavar="[LOG|-]", required=False)
@_what
@_how
@options.progress
@options.form
@click.pass_obj
def doctor(terminal: Terminal, /, *, progress: bool | None, **values: Unpack[_Values]) -> None:
    """Tell the cause of what stands in the file LOG (`-` is stdin), the evidence, and what to do.

    \b
    mmlock doctor build.log
    python train.py 2>&1 | mmlock doctor -
    mmlock doctor --text "ImportError: ... undefined symbol: _ZN2at4_ops5zeros4call..."
    """
    terminal.show(terminal.app.doctor(DoctorArguments(**values), progress=shown(wanted=progress)))
