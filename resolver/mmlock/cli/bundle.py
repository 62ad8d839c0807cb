"""`mmlock bundle`: a sealed lock with all its files."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal


@click.command(
    cls=Sectioned, short_help="Put every file of a lock beside it, for a machine without a network."
)
@options.lock_argument
@click.option(
    "--out",
    type=options.FOLDER,
    metavar="DIR",
    default="bundle",
    show_default=True,
    help="Write the result here: a lock folder of its own.",
)
@click.option(
    "-f",
    "--find-links",
    type=options.FOLDER,
    multiple=True,
    metavar="DIR",
    help="Take files from this folder instead of downloading them.",
)
@click.option("--offline", is_flag=True, help=options.OFFLINE)
@options.form
@options.progress
@click.pass_obj
def bundle(
    terminal: Terminal,
    /,
    lock: Path,
    *,
    out: Path,
    find_links: tuple[Path, ...],
    offline: bool,
    progress: bool | None,
) -> None:
    """Download every file of the sealed lock LOCK (default `lock`), and write a lock that uses these.

    The new folder is a lock like any other: `mmlock install`, uv and pip take it, with no network. When the
    command is interrupted, run it again: what is there already is not downloaded once more.

    \b
    mmlock bundle
    mmlock bundle lockfiles/openmmlab/cpu --out usb/openmmlab
    """
    from mmlock.core.build_arguments import BundleArguments

    arguments = BundleArguments(lock=lock, out=out, find_links=find_links, offline=offline)
    with shown(wanted=progress) as said:
        report = terminal.app.bundle(arguments, progress=said)
    terminal.show(report)
