"""`mmlock run`: a command in the environment of a lock."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal
from mmlock.core.errors import EnvironmentFault, UsageError

_REST = "mmlock.command"


class _Run(Sectioned):
    """Everything after `--` is the command, whatever it looks like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split the command off before click sees it."""
        place = args.index("--") if "--" in args else len(args)
        ctx.meta[_REST] = args[place + 1 :]
        return super().parse_args(ctx, args[:place])


@click.command(
    cls=_Run,
    short_help="Run a command in the environment of a lock.",
    options_metavar="[OPTIONS]",
)
@click.argument("lock", type=options.FOLDER, default=options.DEFAULT_LOCK, metavar="[LOCK] -- CMD...")
@options.prefix
@options.form
@click.pass_context
def run(ctx: click.Context, /, lock: Path, *, prefix: Path) -> None:
    """Run CMD in the environment that `mmlock install` made, with the variables that LOCK needs.

    The exit code is that of CMD.

    \b
    mmlock run -- python train.py
    mmlock run locks/a100 --prefix env -- pytest -q
    """
    command: list[str] = ctx.meta[_REST]
    if not command:
        hint = "write it after `--`: `mmlock run -- python train.py`"
        raise UsageError("there is no command to run", hints=[hint])
    terminal: Terminal = ctx.obj
    environ = terminal.app.run_environment(lock, prefix)
    ctx.exit(_run(command, environ))


def _run(command: list[str], environ: dict[str, str]) -> int:
    """Become the command; on Windows, wait for it. Raises EnvironmentFault where it cannot be started."""
    import shutil

    path = shutil.which(command[0], path=environ.get("PATH"))
    if path is None:
        raise EnvironmentFault(
            f"`{command[0]}` was not found",
            hints=["check its name; it is looked for in the environment, then on the PATH"],
        )
    sys.stdout.flush()
    try:
        if os.name == "posix":
            os.execve(path, command, environ)  # noqa: S606 - the very command that the user typed
        return _waited(path, command, environ)
    except OSError as error:
        raise EnvironmentFault(f"cannot run `{path}`", causes=[error.strerror or str(error)]) from error


def _waited(path: str, command: list[str], environ: dict[str, Any]) -> int:
    import subprocess

    return subprocess.run([path, *command[1:]], env=environ, check=False).returncode
