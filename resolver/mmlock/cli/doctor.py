"""`mmlock doctor`: from an error text, or from an environment, to the cause and the cure."""

from __future__ import annotations

from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.confirm import confirmed
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal

WRONG = 1
"""The exit code of `--check` for an environment in which something fails."""


_what = (
    HelpSection("What to look at")
    .add("--text", metavar="TEXT", help="The error text itself, instead of a file.")
    .add("--python", metavar="PATH", help="An interpreter, or the folder of an environment.")
    .add("--lock", type=options.FOLDER, metavar="DIR", help="Compare the environment with this lock.")
    .add("--list", "listing", is_flag=True, help="List the texts that are known, each with an example.")
)
_how = (
    HelpSection("How to look")
    .many("--gpu", "gpus", metavar="NAME", help="The device to run on; default: this machine's.")
    .add("--check", is_flag=True, help="Exit with code 1 if something in the environment fails.")
    .add("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
)
_cure = (
    HelpSection("What to do about it")
    .add("--fix", is_flag=True, help="Write a lock that fixes the environment.")
    .add(
        "--out",
        type=options.FOLDER,
        metavar="DIR",
        help="Write the result here: the lock folder; default `mmlock-fix`.",
    )
    .add("--apply", is_flag=True, help="Change the environment to match the lock, after showing the plan.")
    .add("--yes", is_flag=True, help="Carry out the plan without being asked.")
)


@click.command(cls=Sectioned, short_help="Find out what is wrong, from an error text or an environment.")
@click.argument("log", metavar="[LOG|-]", required=False)
@_what
@_how
@_cure
@options.index
@options.progress
@options.formats(
    "sarif", also=("--output-format",), help="For people, for programs, or SARIF for code hosts."
)
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    *,
    check: bool,
    listing: bool,
    format: str,
    progress: bool | None,
    **values: Any,
) -> None:
    """Find the cause of the error text in the file LOG (`-` is stdin), the evidence, and what to do.

    Without a text, examine an environment: its packages, compiled files, GPU and driver; without `--python`
    the active one, else that of the folder (`.venv`). With both, check what the environment says about the
    text. Nothing of it is imported, and nothing is changed unless you pass `--apply` and agree to the plan.

    \b
    mmlock doctor
    mmlock doctor build.log
    python train.py 2>&1 | mmlock doctor -
    mmlock doctor --python .venv --gpu rtx4090
    mmlock doctor build.log --python .venv
    mmlock doctor --python .venv --fix --out lock
    """
    from mmlock.core.doctor_arguments import DoctorArguments
    from mmlock.core.stated import index_settings

    terminal: Terminal = ctx.obj
    if listing:
        terminal.show(terminal.app.list_symptoms(values["matrices"]))
        return
    own = {name: values[name] for name in DoctorArguments.__struct_fields__ if name in values}
    arguments = DoctorArguments(**own, sarif=format == "sarif", index=index_settings(values))
    terminal.as_json = format != "text"
    with shown(wanted=progress) as said:
        report = terminal.app.doctor(arguments, progress=said, confirm=lambda plan: confirmed(plan, said))
    terminal.show(report)
    if check and _wrong(report.data):
        ctx.exit(WRONG)


def _wrong(data: object) -> bool:
    """What a report says of its environment, in any of its forms."""
    return isinstance(data, dict) and bool(data.get("wrong") or data.get("properties", {}).get("wrong"))
