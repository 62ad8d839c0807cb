"""`mmlock update`: pull requests that keep committed locks fresh."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.update_arguments import ForgeKind, UpdateArguments

FAILED = 2

_where = (
    HelpSection("Where")
    .add(
        "--forge",
        type=click.Choice([str(kind) for kind in ForgeKind]),
        default=str(ForgeKind.LOCAL),
        show_default=True,
        help="Where pull requests are opened; `local`: branches and descriptions in this clone.",
    )
    .add(
        "--repository", metavar="OWNER/NAME", help="The repository on the forge; default: that of the remote."
    )
    .add("--api", metavar="URL", help="The API of the forge, where it is not at its usual place.")
    .add("--remote", metavar="NAME", default="origin", show_default=True, help="The remote of the forge.")
    .add(
        "--base",
        metavar="BRANCH",
        help="The branch to update; default: that of the forge, or the current one.",
    )
    .add(
        "--file",
        type=options.FOLDER,
        default=Path("mmlock.toml"),
        show_default=True,
        metavar="FILE",
        help="The file that names the stacks and their targets, and the policy in [update].",
    )
)

_how = (
    HelpSection("How")
    .add(
        "--refresh/--no-refresh",
        default=True,
        help="Whether to read the indexes again first, where the repository has a `matrices` folder.",
    )
    .add("--dry-run", is_flag=True, help="Show what would be proposed; push and write nothing.")
    .add(
        "--patches",
        type=options.FOLDER,
        metavar="DIR",
        help="Write patches for `git am` and their descriptions into DIR; push nothing.",
    )
    .add("--jobs", type=click.IntRange(min=1), metavar="N", help="How many locks to solve at once.")
    .add("--offline", is_flag=True, help=options.OFFLINE)
    .add("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
    .many(
        "--allowed-signers",
        type=options.FOLDER,
        metavar="FILE",
        help="Verdicts signed by the keys in this file count, besides your own and those in [trust].",
    )
)


@click.command(cls=Sectioned, short_help="Open pull requests that keep the locks fresh.")
@_where
@_how
@options.progress
@options.form
@click.pass_context
def update(ctx: click.Context, /, *, forge: str, progress: bool | None, **asked: Any) -> None:
    """Solve every lock of FILE again, with `exclude-newer` moved, and propose what differs.

    What moved for one cause (a new torch, a new mmcv wheel, ordinary packages) becomes one branch with one
    commit and a description. Your checkout is left alone: the work is done on the base branch, in a folder
    apart. Policy is in [update] of FILE.

    \b
    mmlock update                     # branches in this clone; descriptions below .git/mmlock
    mmlock update --forge github      # pull requests, with the token in GITHUB_TOKEN
    """
    terminal: Terminal = ctx.obj
    arguments = UpdateArguments(forge=ForgeKind(forge), **asked)
    with shown(wanted=progress) as said:
        report = terminal.app.update(arguments, progress=said)
    terminal.show(report)
    if isinstance(report.data, dict) and report.data.get("failed"):
        ctx.exit(FAILED)
