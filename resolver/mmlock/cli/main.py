"""`mmlock`: the table of verbs. A verb's module is imported when the verb is used."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import NamedTuple

import click

from mmlock import __version__
from mmlock.cli.errors import guarded
from mmlock.cli.terminal import Terminal, prepare_streams
from mmlock.cli.usecases import UseCases, library, served
from mmlock.core.errors import UsageError


class Verb(NamedTuple):
    """Where the command of a verb is, and its line in the help."""

    module: str
    attribute: str
    help: str


VERBS: Mapping[str, Verb] = {
    "solve": Verb("mmlock.cli.solve", "solve", "Lock an environment that runs on a device."),
    "why": Verb("mmlock.cli.why", "why", "Explain why a package of a lock is what it is."),
    "why-not": Verb("mmlock.cli.why_not", "why_not", "Explain why a requirement is impossible."),
    "lock-diff": Verb("mmlock.cli.lock_diff", "lock_diff", "Compare two locks."),
    "build": Verb("mmlock.cli.build", "build", "Build and download what a lock lacks, and seal it."),
    "install": Verb("mmlock.cli.install", "install", "Install a sealed lock into a virtual environment."),
    "run": Verb("mmlock.cli.run", "run", "Run a command in the environment of a lock."),
    "validate": Verb(
        "mmlock.cli.validate", "validate", "Install a lock and run its kernels against references."
    ),
    "verdict": Verb("mmlock.cli.verdict", "verdict", "Show the result of a validation."),
    "locks": Verb("mmlock.cli.locks", "locks", "Solve every lock of mmlock.toml again."),
    "update": Verb("mmlock.cli.update", "update", "Open pull requests that keep the locks fresh."),
    "feed": Verb("mmlock.cli.feed", "feed", "Write the facts as a data source for Renovate."),
    "export": Verb(
        "mmlock.cli.export", "export", "Write a lock as a script, an image, a notebook, a project."
    ),
    "bundle": Verb(
        "mmlock.cli.bundle", "bundle", "Put every file of a lock beside it, for a machine without a network."
    ),
    "wheelhouse": Verb("mmlock.cli.wheelhouse", "wheelhouse", "List the wheels that were built, serve them."),
    "serve": Verb("mmlock.cli.serve", "serve", "Answer over HTTP: an API, pages, a package index."),
    "worker": Verb("mmlock.cli.worker", "worker", "Do the jobs of a service on this machine."),
    "db": Verb("mmlock.cli.db", "db", "Upgrade the service's database, give out tokens."),
    "cache": Verb("mmlock.cli.cache", "cache", "Show the cache, free its space."),
    "sweep": Verb("mmlock.cli.sweep", "sweep", "Ask for many GPUs, Pythons and stacks at once."),
    "farm": Verb("mmlock.cli.farm", "farm", "Plan, run and publish builds that serve many."),
    "graph": Verb("mmlock.cli.graph", "graph", "Write the compatibility graph of a target."),
    "scan": Verb("mmlock.cli.scan", "scan", "Show what a source tree needs, without running it."),
    "inspect": Verb("mmlock.cli.inspect", "inspect", "Check whether compiled files load with a torch."),
    "doctor": Verb(
        "mmlock.cli.doctor", "doctor", "Find out what is wrong, from an error text or an environment."
    ),
    "gpus": Verb("mmlock.cli.gpus", "gpus", "List devices, or show what runs on one."),
    "matrix": Verb("mmlock.cli.matrix", "matrix", "Show the facts, check and refresh them."),
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
            raise UsageError(f"unknown verb `{word}`", hints=[_nearest(word)])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--server", metavar="URL", envvar="MMLOCK_SERVER", help="Ask the service at URL (`mmlock serve`) instead."
)
@click.version_option(__version__, "--version", "-V", message="mmlock %(version)s")
@click.pass_context
def mmlock(ctx: click.Context, server: str | None) -> None:
    """Lock environments for compiled PyTorch extensions.

    mmlock picks versions of Python, CUDA, torch and extensions such as mmcv that run on the device you
    name, and locks them by hash. Where no wheel exists, the lock has the steps that build one.

    \b
    Completion of words in your shell, once and then in every new one (bash; zsh and fish alike):
    echo 'eval "$(_MMLOCK_COMPLETE=bash_source mmlock)"' >> ~/.bashrc
    """
    if server and ctx.invoked_subcommand not in _OWN:
        ctx.obj.load = partial(served, server)


_OWN = frozenset({"serve", "db", "worker"})
"""Verbs about a service of one's own."""


def main(argv: Sequence[str] | None = None, *, load: Callable[[], UseCases] = library) -> int:
    """Run one command line and give its exit code."""
    prepare_streams()
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
    return f"expected one of {', '.join(f'`{name}`' for name in VERBS)}"
