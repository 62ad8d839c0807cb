"""`mmlock why`: the argument for one package of a lock."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.errors import UsageError

LOCK = "pylock.toml"


@click.command(cls=Sectioned, short_help="Tell why a package of a lock is what it is.")
@click.argument("package")
@click.option(
    "--lock", "lock_dir", type=options.FOLDER, default=Path(), metavar="DIR", help="The lock folder."
)
@options.form
@click.pass_obj
def why(terminal: Terminal, /, package: str, lock_dir: Path) -> None:
    """Tell why PACKAGE is in a lock, in this version and this form.

    \b
    mmlock why mmcv --lock lockfiles/openmmlab/rtx5090
    """
    folder = lock_dir.parent if lock_dir.name == LOCK else lock_dir
    if not (folder / LOCK).is_file():
        raise UsageError(f"`{folder}` holds no `{LOCK}`", hints=[_where(folder)])
    terminal.show(terminal.app.why(folder, package))


def _where(folder: Path) -> str:
    """The locks that lie below, or how to make one."""
    below = sorted(path.parent for path in folder.glob(f"lockfiles/*/*/{LOCK}"))
    if below:
        return f"name one with --lock: {', '.join(f'`{path}`' for path in below)}"
    return "name the lock folder with --lock, or write one with `mmlock solve --out DIR`"
