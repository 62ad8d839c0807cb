"""`mmlock matrix refresh` and `mmlock matrix diff`: read the facts again, compare two states of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as lines
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.errors import UsageError
from mmlock.core.refreshing import RefreshArguments

FAILED = 2
"""The exit code when a lock could not be solved again."""

_what = (
    HelpSection("What to read")
    .many("--only", metavar="NAME", help="Only this index or package; repeatable.")
    .add("--index-url", metavar="URL", help="The package index, instead of the configured one.")
    .many("--at", "places", metavar="INDEX=URL", help="Read this index from a mirror.")
    .many(
        "--hashes",
        metavar="DIR",
        help="Download the wheels of a directory of OpenMMLab's index (`cu118/torch2.1.0`), or of a URL, "
        "once, and record their hashes.",
    )
    .many(
        "--inspect",
        metavar="NAME",
        help="Read parts of all wheels of this package whose GPU archs or C++ ABI are unknown, "
        "not only of new ones.",
    )
    .add("--offline", is_flag=True, help=options.OFFLINE)
)

_how = (
    HelpSection("What to do with it")
    .add("--dry-run", is_flag=True, help="Show what would change; write nothing.")
    .add("--strict", is_flag=True, help="Fail if an index cannot be read completely.")
    .add("--trust-removals", is_flag=True, help="Remove facts that are no longer listed, however many.")
    .add("--matrices", type=options.FOLDER, metavar="DIR", help="The facts to update; default `matrices`.")
    .add("--locks", type=options.FOLDER, metavar="DIR", help="Committed locks; default `lockfiles`.")
    .add("--relock", is_flag=True, help="Solve the locks again that the changed facts concern.")
    .add(
        "--file",
        "catalogue",
        type=options.FOLDER,
        default=Path("mmlock.toml"),
        show_default=True,
        metavar="FILE",
        help="With --relock: the file that names the locks.",
    )
)


@click.command(cls=Sectioned, short_help="Read the indexes again and write what differs.")
@_what
@_how
@options.progress
@options.form
@click.pass_obj
def refresh(terminal: Terminal, /, *, places: tuple[str, ...], progress: bool | None, **asked: Any) -> None:
    """Read the indexes again, write the scraped facts that differ, and show the differences.

    If an index cannot be read, its facts stay as they are. Facts written by hand are never changed.

    \b
    mmlock matrix refresh --dry-run
    mmlock matrix refresh --only openmmlab
    mmlock matrix refresh --relock
    """
    arguments = RefreshArguments(places=dict(_place(text) for text in places), **asked)
    with lines(wanted=progress) as said:
        report = terminal.app.refresh(arguments, progress=said)
    terminal.show(report)
    relocked = report.data.get("relocked") if isinstance(report.data, dict) else None
    if isinstance(relocked, dict) and relocked.get("failed"):
        raise click.exceptions.Exit(FAILED)


def _place(text: str) -> tuple[str, str]:
    name, sign, url = text.partition("=")
    if not sign or "://" not in url:
        raise UsageError(
            f"`--at {text}` is not INDEX=URL",
            hints=["for example `--at openmmlab=https://mirror.example/dist`"],
        )
    return name, url


@click.command(cls=Sectioned, short_help="Compare two states of the facts.")
@click.argument("old", type=options.FOLDER, metavar="OLD")
@click.argument("new", type=options.FOLDER, metavar="NEW")
@click.option("--locks", type=options.FOLDER, metavar="DIR", help="Committed locks; default `lockfiles`.")
@options.form
@click.pass_obj
def diff(terminal: Terminal, /, old: Path, new: Path, locks: Path | None) -> None:
    """Show which facts differ between two matrix folders, and which locks that affects.

    \b
    git worktree add ../before HEAD~1
    mmlock matrix diff ../before/matrices matrices
    """
    terminal.show(terminal.app.diff(old, new, locks=locks))
