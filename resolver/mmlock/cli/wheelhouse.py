"""`mmlock wheelhouse`: the wheels that were built on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal, write

if TYPE_CHECKING:
    from mmlock.core.build_arguments import WheelhouseArguments

_root = click.option(
    "--wheelhouse", "root", type=options.FOLDER, metavar="DIR", help="The wheelhouse, instead of your own."
)


@click.group(invoke_without_command=True, short_help="List the wheels that were built, serve them.")
@click.pass_context
def wheelhouse(ctx: click.Context) -> None:
    """List the wheels that were built, check, serve or copy them, free space."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


@wheelhouse.command("list", cls=Sectioned, short_help="List the wheels.")
@_root
@options.form
@click.pass_obj
def list_(terminal: Terminal, /, root: Path | None) -> None:
    """List the wheels and what each was built for."""
    from mmlock.core.build_arguments import WheelhouseAction, WheelhouseArguments

    _run(terminal, WheelhouseArguments(action=WheelhouseAction.LIST, root=root))


@wheelhouse.command(cls=Sectioned, short_help="Check every wheel against its records.")
@_root
@options.form
@click.pass_obj
def verify(terminal: Terminal, /, root: Path | None) -> None:
    """Check the bytes of every wheel against its record, its provenance and its own RECORD."""
    from mmlock.core.build_arguments import WheelhouseAction, WheelhouseArguments

    _run(terminal, WheelhouseArguments(action=WheelhouseAction.VERIFY, root=root))


@wheelhouse.command(cls=Sectioned, short_help="Free space.")
@_root
@click.option("--days", type=float, metavar="N", help="Also remove wheels older than this.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed; remove nothing.")
@options.form
@click.pass_obj
def prune(terminal: Terminal, /, root: Path | None, *, days: float | None, dry_run: bool) -> None:
    """Remove interrupted builds, partial downloads and damaged entries."""
    from mmlock.core.build_arguments import WheelhouseAction, WheelhouseArguments

    action = WheelhouseAction.PRUNE
    _run(terminal, WheelhouseArguments(action=action, root=root, days=days, dry_run=dry_run))


@wheelhouse.command(cls=Sectioned, short_help="Copy the wheels to a folder for a file server.")
@click.argument("target", type=options.FOLDER, metavar="DIR")
@_root
@options.form
@options.progress
@click.pass_obj
def push(terminal: Terminal, /, target: Path, *, root: Path | None, progress: bool | None) -> None:
    """Write the wheels and a static package index into DIR, for any file server."""
    from mmlock.core.build_arguments import WheelhouseAction, WheelhouseArguments

    _run(terminal, WheelhouseArguments(action=WheelhouseAction.PUSH, root=root, target=target), progress)


@wheelhouse.command(cls=Sectioned, short_help="Serve the wheels as a package index.")
@_root
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=int, default=8098, show_default=True, help="The port; 0 picks a free one.")
@options.form
@click.pass_obj
def serve(terminal: Terminal, /, root: Path | None, *, host: str, port: int) -> None:
    """Serve the wheels as an index (PEP 503, PEP 691) that pip and uv understand."""
    from mmlock.core.build_arguments import WheelhouseAction, WheelhouseArguments

    _run(terminal, WheelhouseArguments(action=WheelhouseAction.SERVE, root=root, host=host, port=port))


def _run(terminal: Terminal, arguments: WheelhouseArguments, progress: bool | None = None) -> None:  # noqa: FBT001
    with shown(wanted=progress) as said:
        report = terminal.app.wheelhouse(arguments, progress=said)
    terminal.show(report)
