"""`mmlock build`: make what a lock still lacks."""

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


class _BuildValues(TypedDict):
    find_links: tuple[Path, ...]
    wheelhouse: Path | None
    base_url: str | None
    index_url: str | None
    offline: bool
    project: Path | None
    record: Path | None
    jobs: int | None
    python: str | None
    rebuild: bool
    keep: bool
    network: bool
    quiet_minutes: float
    precompile: bool


_files = (
    HelpSection("Files")
    .many(
        "-f",
        "--find-links",
        type=options.FOLDER,
        metavar="DIR",
        help="Take files from this folder instead of downloading them.",
    )
    .add("--index-url", metavar="URL", help="The package index for build requirements, instead of PyPI.")
    .add("--offline", is_flag=True, help=options.OFFLINE)
    .add(
        "--project",
        type=options.FOLDER,
        metavar="DIR",
        help="Your project, whose extensions are built; default: the current folder, or one around LOCK.",
    )
    .add(
        "--record",
        type=options.FOLDER,
        metavar="FILE",
        help="Record hashes that no index states here; default: mmlock-files.json beside mmlock.toml.",
    )
    .add("--wheelhouse", type=options.FOLDER, metavar="DIR", help="Keep built wheels here.")
    .add(
        "--as",
        "form",
        type=click.Choice(["wheel", "conda"]),
        default="wheel",
        show_default=True,
        help="Of a conda lock: seal what is built as conda packages of the channel `channel` beside it.",
    )
    .add("--url", "base_url", metavar="URL", help="Where the lock will find them; default: beside it.")
)

_running = (
    HelpSection("How to build")
    .add(
        "--jobs",
        type=click.IntRange(min=1, max=4096),
        metavar="N",
        help="Files to compile at once; default: as many as cores and memory allow.",
    )
    .add("--python", metavar="PATH", help="Build with this Python interpreter.")
    .add("--rebuild", is_flag=True, help="Build even what the wheelhouse has.")
    .add("--keep", is_flag=True, help="Keep the build folder of a build that succeeded.")
    .add("--network", is_flag=True, help="Let the build use the network.")
    .add(
        "--quiet-minutes",
        type=float,
        default=15.0,
        show_default=True,
        metavar="N",
        help="Stop a build that has neither written nor worked for so long.",
    )
    .add("--precompile/--no-precompile", default=True, help="Precompile torch's headers once.")
)


@click.command(cls=Sectioned, short_help="Build and download what a lock lacks, and seal it.")
@options.lock_argument
@_files
@_running
@accept.yes
@options.form
@options.progress
@click.pass_obj
def build(
    terminal: Terminal,
    /,
    lock: Path,
    *,
    yes: bool,
    progress: bool | None,
    form: str,
    **values: Unpack[_BuildValues],
) -> None:
    """Run the steps of the lock folder LOCK (default `lock`): download and hash, build and check.

    Then every package of the lock is a file with a hash: the lock is sealed. A build that was stopped is
    resumed when the same command runs again.

    A lock folder is code: its steps run commands on this machine. For a lock that you neither solved nor
    accepted before, mmlock shows what it will run and asks.

    \b
    mmlock build
    mmlock build lockfiles/openmmlab/rtx5090 --find-links ~/wheels --jobs 4
    """
    from mmlock.core.build_arguments import BuildArguments

    arguments = BuildArguments(lock=lock, as_conda=form == "conda", **values)
    accept.require_accepted(terminal, lock, yes=yes)
    with shown(wanted=progress) as said:
        report = terminal.app.build(arguments, progress=said)
    terminal.show(report)
