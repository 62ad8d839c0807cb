"""`mmlock why`: the argument for one package of a lock."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.errors import UsageError

LOCK = "pylock.toml"


@click.command(cls=Sectioned, short_help="Explain why a package of a lock is what it is.")
@click.argument("package")
@options.lock_argument
@options.renamed("--lock", "lock", "the argument: `mmlock why PACKAGE LOCK`", type=options.FOLDER)
@options.form
@click.pass_obj
def why(terminal: Terminal, /, package: str, lock: Path) -> None:
    """Explain why PACKAGE is in the lock folder LOCK (default `lock`), in this version and form.

    \b
    mmlock why mmcv
    mmlock why mmcv lockfiles/openmmlab/rtx5090
    """
    given: Path = options.former("lock") or lock
    folder = given.parent if given.name == LOCK else given
    if not (folder / LOCK).is_file():
        raise UsageError(f"`{folder}` is not a lock folder", causes=[f"it has no `{LOCK}`"], hints=[_where()])
    terminal.show(terminal.app.why(folder, package))


def _where() -> str:
    """The locks below the current folder, or how to make one."""
    below = sorted(path.parent for path in Path().glob(f"lockfiles/*/*/{LOCK}"))
    if below:
        return f"name one: {', '.join(f'`mmlock why PACKAGE {path}`' for path in below[:3])}"
    return "make one with `mmlock solve`, or name its folder: `mmlock why PACKAGE LOCK`"
