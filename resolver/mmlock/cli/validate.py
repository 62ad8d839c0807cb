"""`mmlock validate`: a lock is installed and its kernels are run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from mmlock.cli import accept, options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal

if TYPE_CHECKING:
    from typing_extensions import Unpack

FAILED = 1


class _ValidateValues(TypedDict):
    python: str | None
    base_python: str | None
    device: str
    seed: int
    limit: float
    suites: tuple[str, ...]
    checks: tuple[str, ...]
    kernels: Path | None
    out: Path | None
    sign: Path | None
    unsigned: bool
    offline: bool
    bundle: Path | None


_where = (
    HelpSection("Where to run")
    .add("--python", metavar="PATH", help="Validate this Python interpreter as it is; install nothing.")
    .add("--base-python", metavar="PATH", help="Make the fresh environment with this Python interpreter.")
    .add(
        "--prefix",
        type=options.FOLDER,
        metavar="DIR",
        help="The environment: make it here and keep it; default: a temporary one.",
    )
    .add("--offline", is_flag=True, help=options.OFFLINE)
    .add(
        "--bundle",
        type=options.FOLDER,
        metavar="FILE",
        help="Run nothing; write an archive that validates on a machine without network and mmlock.",
    )
    .add(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="Run the kernels on this device; `auto` is what the lock is for.",
    )
)
_what = (
    HelpSection("What to run")
    .many("--suite", "suites", metavar="NAME", help="Only the checks of this package (`mmcv`).")
    .many("--check", "checks", metavar="NAME", help="Only this check (`roi_align`).")
    .add("--seed", type=int, default=0, show_default=True, metavar="N", help="Seed of the random inputs.")
    .add(
        "--limit",
        type=float,
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="Stop a check that takes longer.",
    )
    .add(
        "--kernels", type=options.FOLDER, metavar="DIR", help="Use these check files instead of mmlock's own."
    )
)
_verdict = (
    HelpSection("Verdict")
    .add(
        "--out",
        type=options.FOLDER,
        metavar="FILE",
        help="Write the result here: the verdict file; default: beside the lock.",
    )
    .add("--sign", type=options.FOLDER, metavar="KEY", help="Sign with this Ed25519 key, not with your own.")
    .add("--no-sign", "unsigned", is_flag=True, help="Do not sign it: no solve will use it.")
)


@click.command(cls=Sectioned, short_help="Install a lock and run its kernels against references.")
@options.lock_argument
@_where
@_what
@_verdict
@options.renamed("--keep", "keep", "`--prefix DIR`", type=options.FOLDER)
@accept.yes
@options.form
@options.progress
@click.pass_context
def validate(
    ctx: click.Context,
    /,
    lock: Path,
    *,
    prefix: Path | None,
    yes: bool,
    progress: bool | None,
    **values: Unpack[_ValidateValues],
) -> None:
    """Install the lock folder LOCK (default `lock`) into a fresh environment and run its kernels.

    Every kernel is compared with a reference in higher precision, forward and backward, each in its own
    process. The verdict is signed with your key and written beside the lock. Exit code 1 means FAILED.

    A lock folder is code. For a lock that you neither solved nor accepted before, mmlock shows what it will
    run and asks.

    \b
    mmlock validate
    mmlock validate lockfiles/openmmlab/a100 --python /opt/conda/bin/python
    """
    from mmlock.core.validate_arguments import ValidateArguments

    terminal: Terminal = ctx.obj
    arguments = ValidateArguments(lock=lock, keep=prefix or options.former("keep"), **values)
    accept.require_accepted(terminal, lock, yes=yes)
    with shown(wanted=progress) as said:
        report = terminal.app.validate(arguments, progress=said)
    terminal.show(report)
    if isinstance(report.data, dict) and report.data.get("result") == "FAILED":
        ctx.exit(FAILED)
