"""`mmlock build`: make what a lock still lacks."""

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


class _Values(TypedDict):
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
    Section("Where files come from and go to")
    .many(
        "-f",
        "--find-links",
        type=options.FOLDER,
        metavar="DIR",
        help="A folder with files that need not be fetched.",
    )
    .add("--index-url", metavar="URL", help="The index for build requirements, instead of PyPI.")
    .add("--offline", is_flag=True, help="Use only what was fetched before.")
    .add(
        "--project",
        type=options.FOLDER,
        metavar="DIR",
        help="Where extensions of your own tree lie; default: here, or around LOCK.",
    )
    .add(
        "--record",
        type=options.FOLDER,
        metavar="FILE",
        help="Where hashes that no index states are recorded; default: mmlock-files.json beside mmlock.toml.",
    )
    .add("--wheelhouse", type=options.FOLDER, metavar="DIR", help="Where built wheels are kept.")
    .add("--url", "base_url", metavar="URL", help="Where the lock shall find them; default: beside it.")
)

_running = (
    Section("How it runs")
    .add(
        "--jobs", type=int, metavar="N", help="Files to compile at once; default: what cores and memory bear."
    )
    .add("--python", metavar="PATH", help="The interpreter to build with.")
    .add("--rebuild", is_flag=True, help="Build even what the wheelhouse has.")
    .add("--keep", is_flag=True, help="Leave the build folder when all went well.")
    .add("--network", is_flag=True, help="Let the compile use the network.")
    .add(
        "--quiet-minutes",
        type=float,
        default=15.0,
        show_default=True,
        help="Stop a build that does nothing so long.",
    )
    .add("--precompile/--no-precompile", default=True, help="Read torch's headers from a precompiled one.")
)


@click.command(cls=Sectioned, short_help="Make what a lock still lacks, and seal it.")
@click.argument("lock", type=options.FOLDER)
@_files
@_running
@options.form
@options.progress
@click.pass_obj
def build(terminal: Terminal, /, lock: Path, *, progress: bool | None, **values: Unpack[_Values]) -> None:
    """Run the steps of the lock folder LOCK: fetch and hash, build and check. Then the lock is sealed.

    A build that was stopped goes on where it was when the same command is run again.

    \b
    mmlock build lockfiles/openmmlab/rtx5090
    mmlock build . --find-links ~/wheels --jobs 4
    """
    from mmlock.core.build_arguments import BuildArguments

    arguments = BuildArguments(lock=lock, **values)
    terminal.show(terminal.app.build(arguments, progress=shown(wanted=progress)))
