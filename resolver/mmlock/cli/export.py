"""`mmlock export`: a lock for places where mmlock is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mmlock.cli import accept, options
from mmlock.cli.progress import progress as shown
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import Terminal, write_raw
from mmlock.core.errors import UsageError

KINDS = ("script", "dockerfile", "notebook", "uv", "poetry", "pdm", "pixi", "pixi-lock", "conda-lock")
_FORMERLY = ("script", "dockerfile", "notebook", "uv", "poetry", "pdm")
"""Kinds that `--format` took once."""

_export = (
    HelpSection("What to write")
    .add("--out", type=options.FOLDER, metavar="FILE", help=options.OUT_FILE)
    .many(
        "-f",
        "--find-links",
        type=options.FOLDER,
        metavar="DIR",
        help="Take files from this folder instead of downloading them.",
    )
    .add(
        "--schema",
        type=int,
        metavar="N",
        help="pixi-lock: version of the file, 6 (default; more tools read it) or 7.",
    )
    .add("--matrices", type=options.FOLDER, metavar="DIR", help=options.FACTS)
    .add("--offline", is_flag=True, help=options.OFFLINE)
)


@click.command(cls=Sectioned, short_help="Write a lock as a script, an image, a notebook, a project.")
@click.argument("kind", metavar="KIND")
@click.argument("locks", type=options.FOLDER, nargs=-1, metavar="[LOCK]...")
@_export
@accept.yes
@options.formats(*_FORMERLY, hidden=_FORMERLY)
@options.progress
@click.pass_obj
def export(
    terminal: Terminal,
    /,
    kind: str,
    locks: tuple[Path, ...],
    *,
    format: str,
    yes: bool,
    progress: bool | None,
    **values: Any,
) -> None:
    """Write the lock folder LOCK (default `lock`) in a form that works without mmlock.

    KIND is one of

    \b
    script       a shell script: builds what is missing, installs by hash, checks the imports
    dockerfile   an image that does so
    notebook     one cell for Kaggle or Colab; a notebook when FILE ends in .ipynb
    uv, poetry, pdm
                 the part of a pyproject.toml with the pins, indexes and sources of the lock
    pixi, pixi-lock, conda-lock
                 of locks with conda packages: pixi.toml, pixi.lock, conda-lock.yml. Several locks go into
                 one file, each as an environment (conda-lock: as a platform) of its own

    What is written holds the commands of the lock. For a lock that you neither solved nor accepted before,
    mmlock shows them and asks.

    \b
    mmlock export script
    mmlock export notebook lockfiles/openmmlab/rtx5090 --out setup.ipynb
    mmlock export pixi-lock lockfiles/openmmlab/cpu-conda lockfiles/openmmlab/a100-conda --out pixi.lock
    """
    from mmlock.core.build_arguments import ExportArguments, ExportForm

    kind, locks = _meant(kind, locks, format)
    lock, *others = locks or (options.DEFAULT_LOCK,)
    arguments = ExportArguments(lock=lock, form=ExportForm(kind), others=tuple(others), **values)
    for one in (lock, *others):
        accept.require_accepted(terminal, one, yes=yes)
    with shown(wanted=progress) as said:
        report = terminal.app.export(arguments, progress=said)
    if values["out"] is None and not terminal.as_json:
        write_raw(report.text)
    else:
        terminal.show(report)


def _meant(kind: str, locks: tuple[Path, ...], form: str) -> tuple[str, tuple[Path, ...]]:
    """The kind and the locks, also by the former `--format KIND`. Raises UsageError for an unknown kind."""
    if form in _FORMERLY:
        if locks:
            raise UsageError("too many arguments", hints=[f"write `mmlock export {form} {kind}`"])
        options.say(f"`--format {form}` is now the argument KIND: `mmlock export {form} {kind}`")
        kind, locks = form, (Path(kind),)
    if kind not in KINDS:
        known = ", ".join(f"`{name}`" for name in KINDS)
        raise UsageError(f"`{kind}` is not a kind of export", hints=[f"expected one of {known}"])
    return kind, locks
