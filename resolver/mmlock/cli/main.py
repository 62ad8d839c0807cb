"""`mmlock`: the table of verbs. A verb's module is imported when the verb is used."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

import click

from mmlock import __version__
from mmlock.cli.errors import guarded
from mmlock.cli.terminal import Terminal
from mmlock.cli.usecases import UseCases, library
from mmlock.core.errors import UsageError


class Verb(NamedTuple):
    """Where a verb's command stands, and its line in the help."""

    module: str
    attribute: str
    help: str


VERBS: Mapping[str, Verb] = {
    "solve": Verb("mmlock.cli.solve", "solve", "Lock an environment that runs on a device."),
    "why": Verb("mmlock.cli.why", "why", "Tell why a package of a lock is what it is."),
    "why-not": Verb("mmlock.cli.why_not", "why_not", "Tell what stands against a requirement."),
    "build": Verb("mmlock.cli.build", "build", "Make what a lock still lacks, and seal it."),
    "install": Verb("mmlock.cli.install", "install", "Put a sealed lock into a virtual environment."),
    "validate": Verb(
        "mmlock.cli.validate", "validate", "Install a lock and run its kernels against references."
    ),
    "verdict": Verb("mmlock.cli.verdict", "verdict", "Look at what a validation found."),
    "locks": Verb("mmlock.cli.locks", "locks", "Solve every lock of mmlock.toml again."),
    "export": Verb(
        "mmlock.cli.export", "export", "Write a lock as a script, a Dockerfile or a notebook cell."
    ),
    "wheelhouse": Verb(
        "mmlock.cli.wheelhouse", "wheelhouse", "Look at the wheels that were built, serve them."
    ),
    "graph": Verb("mmlock.cli.graph", "graph", "Write the compatibility graph of a target."),
    "scan": Verb("mmlock.cli.scan", "scan", "Tell what a source tree needs, without running it."),
    "inspect": Verb("mmlock.cli.inspect", "inspect", "Tell whether compiled files load beside a torch."),
    "doctor": Verb(
        "mmlock.cli.doctor", "doctor", "Tell what is wrong, from an error text or an environment."
    ),
    "gpus": Verb("mmlock.cli.gpus", "gpus", "List devices, or tell what runs on one."),
    "matrix": Verb("mmlock.cli.matrix", "matrix", "Look at the facts, check and refresh them."),
}


class Verbs(click.Group):
    """The group of all verbs. It can list them without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the order of the table."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb."""
        del ctx
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command = getattr(import_module(verb.module), verb.attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that was typed, or name the nearest ones."""
        word = args[0]
        if word not in VERBS and not word.startswith("-"):
            raise UsageError(f"there is no verb `{word}`", hints=[_nearest(word)])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", "-V", message="mmlock %(version)s")
def mmlock() -> None:
    """Lock environments for compiled PyTorch extensions.

    mmlock picks versions of Python, CUDA, torch and extensions such as mmcv that run on the device you
    name, and writes them down with hashes. Where no wheel exists, it writes the steps that make one.
    """


def main(argv: Sequence[str] | None = None, *, load: Callable[[], UseCases] = library) -> int:
    """Run one command line and give its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # A terminal that knows only ASCII still gets every answer.
            stream.reconfigure(errors="backslashreplace")
    if argv is None:  # What a batch system sends: locks are released, children end, as after Ctrl-C.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    if "_MMLOCK_COMPLETE" in os.environ:
        mmlock.main(prog_name="mmlock")
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    terminal = Terminal(load=load)

    def run() -> None:
        with mmlock.make_context("mmlock", words, obj=terminal) as ctx:
            mmlock.invoke(ctx)

    code = guarded(run, terminal)
    if argv is None:  # The process ends: without this, Python takes every object it has apart first.
        gc.freeze()
    return code


def _nearest(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, VERBS, n=1)
    if close:
        return f"did you mean `mmlock {close[0]}`?"
    return f"the verbs are {', '.join(f'`{name}`' for name in VERBS)}"
