"""`mmlock matrix`: look at the facts, check them, read them again."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.matrix_refresh import diff, refresh
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal, write

_matrices = click.option("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)


@click.group(invoke_without_command=True, short_help="Show the facts, check and refresh them.")
@click.pass_context
def matrix(ctx: click.Context) -> None:
    """Show the facts that mmlock decides by, check that they are well-formed, or update them."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


@matrix.command(cls=Sectioned, short_help="Show the facts about a package.")
@click.argument("package", metavar="PACKAGE[==VERSION]")
@_matrices
@options.form
@click.pass_obj
def show(terminal: Terminal, /, package: str, matrices: Path | None) -> None:
    """Show the facts about a package or one release of it, each with its source.

    \b
    mmlock matrix show mmcv
    mmlock matrix show mmdet==3.3.0
    """
    terminal.show(terminal.app.show_package(package, matrices=matrices))


@matrix.command(cls=Sectioned, short_help="Say where a fact comes from and which locks rest on it.")
@click.argument("fact", nargs=-1, required=True, metavar="FACT...")
@_matrices
@click.option("--locks", type=options.FOLDER, metavar="DIR", help="Committed locks; default `lockfiles`.")
@options.form
@click.pass_obj
def why(terminal: Terminal, /, fact: tuple[str, ...], matrices: Path | None, locks: Path | None) -> None:
    """Show one fact with its source and confidence, and the committed locks that rest on it.

    A fact is named as a refresh names it, or by words of its key.

    \b
    mmlock matrix why CVE-2025-3000
    mmlock matrix why torch 2.11.0 cu130 linux_x86_64
    mmlock matrix why mmengine-pkg-resources
    """
    terminal.show(terminal.app.why_fact(" ".join(fact), matrices=matrices, locks=locks))


@matrix.command(cls=Sectioned, short_help="Check every matrix file.")
@_matrices
@options.form
@click.pass_obj
def lint(terminal: Terminal, /, matrices: Path | None) -> None:
    """Check every matrix file: its shape, its order, its sources."""
    terminal.show(terminal.app.lint(matrices))


matrix.add_command(refresh)
matrix.add_command(diff)
