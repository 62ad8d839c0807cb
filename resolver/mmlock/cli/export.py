"""`mmlock export`: a lock for places where mmlock is not."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal

_FORMS = ("script", "dockerfile", "notebook")


@click.command(cls=Sectioned, short_help="Write a lock as a script, a Dockerfile or a notebook cell.")
@click.argument("lock", type=options.FOLDER)
@click.option("--format", "form", type=click.Choice(_FORMS), required=True, help="What to write.")
@click.option("--out", type=options.FOLDER, metavar="FILE", help="The file to write; default: stdout.")
@click.option(
    "-f",
    "--find-links",
    type=options.FOLDER,
    multiple=True,
    metavar="DIR",
    help="Files that need not be fetched.",
)
@click.option(
    "--matrices", type=options.FOLDER, metavar="DIR", help="Facts other than those that came with mmlock."
)
@click.option("--offline", is_flag=True, help="Use only what was fetched before.")
@options.progress
@click.pass_obj
def export(
    terminal: Terminal,
    /,
    lock: Path,
    *,
    form: str,
    out: Path | None,
    find_links: tuple[Path, ...],
    matrices: Path | None,
    offline: bool,
    progress: bool | None,
) -> None:
    """Write the lock folder LOCK in a form that does the same without mmlock.

    script: builds what is missing, installs by hash, checks the imports.
    dockerfile: an image that does so.
    notebook: one cell for Kaggle or Colab; an `.ipynb` when FILE ends so.

    \b
    mmlock export lockfiles/openmmlab/rtx5090 --format notebook --out setup.ipynb
    """
    from mmlock.core.build_arguments import ExportArguments, ExportForm

    arguments = ExportArguments(
        lock=lock, form=ExportForm(form), out=out, matrices=matrices, offline=offline, find_links=find_links
    )
    terminal.show(terminal.app.export(arguments, progress=shown(wanted=progress)))
