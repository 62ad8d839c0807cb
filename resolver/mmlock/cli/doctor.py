"""`mmlock doctor`: from an error text, or from an environment, to the cause and the cure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Section, Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.artifact import IndexSettings
from mmlock.core.doctor_arguments import DoctorArguments
from mmlock.core.errors import UsageError

if TYPE_CHECKING:
    from typing_extensions import Unpack


WRONG = 1
"""The exit code of `--check` for an environment in which something fails."""


class _Values(TypedDict):
    """What click hands over."""

    log: str | None
    text: str | None
    python: str | None
    lock: Path | None
    gpus: tuple[str, ...]
    fix: bool
    out: Path | None
    apply: bool
    yes: bool
    matrices: Path | None


_what = (
    Section("What to look at")
    .add("--text", metavar="TEXT", help="The error itself, instead of a file.")
    .add("--python", metavar="PATH", help="An interpreter, or the folder of an environment.")
    .add("--lock", type=options.FOLDER, metavar="DIR", help="Compare the environment with this lock.")
)
_how = (
    Section("How it is looked at")
    .many("--gpu", "gpus", metavar="NAME", help="The device it shall run on; default: the one there is.")
    .add("--check", is_flag=True, help="Exit with 1 when something in the environment fails.")
    .add("--matrices", type=options.FOLDER, metavar="DIR", help="Facts other than mmlock's own.")
)
_cure = (
    Section("What to do about it")
    .add("--fix", is_flag=True, help="Write the lock that would cure the environment.")
    .add("--out", type=options.FOLDER, metavar="DIR", help="Where to; default `mmlock-fix`.")
    .add("--apply", is_flag=True, help="Change the environment into the lock, after showing the plan.")
    .add("--yes", is_flag=True, help="Do not ask before the plan is carried out.")
)


@click.command(cls=Sectioned, short_help="Tell what is wrong, from an error text or an environment.")
@click.argument("log", metavar="[LOG|-]", required=False)
@_what
@_how
@_cure
@options.index
@options.progress
@options.form
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    *,
    check: bool,
    progress: bool | None,
    index_url: str | None,
    extra_index_url: tuple[str, ...],
    find_links: tuple[str, ...],
    offline: bool,
    exclude_newer: str | None,
    **values: Unpack[_Values],
) -> None:
    """Tell the cause of what stands in the file LOG (`-` is stdin), the evidence, and what to do.

    Without a text, look at an environment: its packages, compiled files, GPU and driver; with both, tell
    what the environment says of the text. Nothing of it is imported, and nothing is changed unless
    `--apply` is given and agreed to.

    \b
    mmlock doctor build.log
    python train.py 2>&1 | mmlock doctor -
    mmlock doctor --python .venv --gpu rtx4090
    mmlock doctor build.log --python .venv
    mmlock doctor --python .venv --fix --out lock
    """
    terminal: Terminal = ctx.obj
    index = IndexSettings(index_url=index_url, extra_index_urls=extra_index_url, find_links=find_links)
    arguments = DoctorArguments(**values, index=index, offline=offline, exclude_newer=exclude_newer)
    report = terminal.app.doctor(arguments, progress=shown(wanted=progress), confirm=_confirmed)
    terminal.show(report)
    if check and isinstance(report.data, dict) and report.data.get("wrong"):
        ctx.exit(WRONG)


def _confirmed(plan: str) -> bool:
    """Show a plan on stderr and ask. Raises UsageError where nobody can answer."""
    click.echo(plan, err=True)
    if not sys.stdin.isatty():
        raise UsageError("the plan needs your word", hints=["`--yes` gives it; nothing was changed"])
    return click.confirm("carry it out?", err=True)
