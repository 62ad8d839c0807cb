"""`mmlock validate`: a lock is installed and its kernels are run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Section, Sectioned
from mmlock.cli.terminal import Terminal

if TYPE_CHECKING:
    from typing_extensions import Unpack

FAILED = 1


class _Values(TypedDict):
    python: str | None
    base_python: str | None
    device: str
    seed: int
    limit: float
    suites: tuple[str, ...]
    checks: tuple[str, ...]
    kernels: Path | None
    out: Path | None
    keep: Path | None
    sign: Path | None
    unsigned: bool
    offline: bool


_where = (
    Section("Where it runs")
    .add("--python", metavar="PATH", help="Validate this interpreter as it is, install nothing.")
    .add("--base-python", metavar="PATH", help="The interpreter that the fresh prefix is made from.")
    .add("--keep", type=options.FOLDER, metavar="DIR", help="Make the prefix here and leave it.")
    .add("--offline", is_flag=True, help="Use only what was fetched before.")
    .add(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        show_default=True,
        help="What the kernels run on; `auto` is what the lock is for.",
    )
)
_what = (
    Section("What is run")
    .many("--suite", "suites", metavar="NAME", help="Only the checks of this package (`mmcv`).")
    .many("--check", "checks", metavar="NAME", help="Only this check (`roi_align`).")
    .add("--seed", type=int, default=0, show_default=True, help="For the random inputs.")
    .add("--limit", type=float, default=120.0, show_default=True, metavar="SECONDS", help="For one check.")
    .add("--kernels", type=options.FOLDER, metavar="DIR", help="Check files other than mmlock's own.")
)
_verdict = (
    Section("The verdict")
    .add("--out", type=options.FOLDER, metavar="FILE", help="Write it here, not beside the lock.")
    .add("--sign", type=options.FOLDER, metavar="KEY", help="Sign with this Ed25519 key, not with your own.")
    .add("--no-sign", "unsigned", is_flag=True, help="Do not sign it: no solve will use it.")
)


@click.command(cls=Sectioned, short_help="Install a lock and run its kernels against references.")
@click.argument("lock", type=options.FOLDER)
@_where
@_what
@_verdict
@options.form
@options.progress
@click.pass_context
def validate(ctx: click.Context, /, lock: Path, *, progress: bool | None, **values: Unpack[_Values]) -> None:
    """Install the lock folder LOCK into a fresh prefix and run the kernels of its extensions.

    Every kernel is compared with a reference in higher precision, forward and backward, each in its own
    process. The verdict is signed with your key and written beside the lock. Exit code 1 means FAILED.

    \b
    mmlock validate lockfiles/openmmlab/cpu
    mmlock validate lockfiles/openmmlab/a100 --python /opt/conda/bin/python
    """
    from mmlock.core.validate_arguments import ValidateArguments

    terminal: Terminal = ctx.obj
    report = terminal.app.validate(ValidateArguments(lock=lock, **values), progress=shown(wanted=progress))
    terminal.show(report)
    if isinstance(report.data, dict) and report.data.get("result") == "FAILED":
        ctx.exit(FAILED)
