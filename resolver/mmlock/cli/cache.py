"""`mmlock cache`: what mmlock keeps to be faster."""

from __future__ import annotations

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal, write


@click.group(invoke_without_command=True, short_help="Show the cache, free its space.")
@click.pass_context
def cache(ctx: click.Context) -> None:
    """Show where the cache is and how large, or free its space."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


@cache.command("dir", cls=Sectioned, short_help="Show where the cache is.")
@options.form
@click.pass_obj
def dir_(terminal: Terminal, /) -> None:
    """Show the folder of the cache: `MMLOCK_CACHE_DIR`, or the usual place of the platform."""
    terminal.show(terminal.app.cache_dir())


@cache.command(cls=Sectioned, short_help="Show how large the cache is.")
@options.form
@click.pass_obj
def size(terminal: Terminal, /) -> None:
    """Show the size of each part of the cache."""
    terminal.show(terminal.app.cache_size())


@cache.command(cls=Sectioned, short_help="Free space.")
@click.option(
    "--days",
    type=click.FloatRange(min=0),
    metavar="N",
    help="Remove only what was not used for so many days.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@options.form
@click.pass_obj
def prune(terminal: Terminal, /, *, days: float | None, dry_run: bool) -> None:
    """Remove what can be downloaded or computed again.

    Wheels that were built stay: `mmlock wheelhouse prune` is for them.
    """
    terminal.show(terminal.app.cache_prune(days=days, dry_run=dry_run))
