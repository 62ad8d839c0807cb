"""`mmlock verdict`: what a validation found, and who says so."""

from __future__ import annotations

from pathlib import Path

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.terminal import Terminal, write

FAILED = 1

_signers = click.option(
    "--allowed-signers",
    "signers",
    type=options.FOLDER,
    multiple=True,
    metavar="FILE",
    help="Trust the public keys in this file, too.",
)


@click.group(invoke_without_command=True, short_help="Show the result of a validation.")
@click.pass_context
def verdict(ctx: click.Context) -> None:
    """Show the verdict of a validation, verify it or sign it."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


@verdict.command(cls=Sectioned, short_help="Show a verdict.")
@click.argument("lock", metavar="[LOCK|FILE]", type=options.FOLDER, default=options.DEFAULT_LOCK)
@_signers
@options.form
@click.pass_obj
def show(terminal: Terminal, /, lock: Path, *, signers: tuple[Path, ...]) -> None:
    """Show the verdict of a lock folder (default `lock`), or a verdict file.

    \b
    mmlock verdict show lockfiles/openmmlab/cpu
    """
    from mmlock.core.validate_arguments import VerdictAction, VerdictArguments

    arguments = VerdictArguments(action=VerdictAction.SHOW, lock=lock, signers=signers)
    terminal.show(terminal.app.verdict(arguments))


@verdict.command(
    cls=Sectioned, short_help="Check that a verdict is about a lock and signed by someone you trust."
)
@options.lock_argument
@click.option("--file", type=options.FOLDER, metavar="FILE", help="The verdict; default: beside the lock.")
@_signers
@options.form
@click.pass_context
def verify(ctx: click.Context, /, lock: Path, *, file: Path | None, signers: tuple[Path, ...]) -> None:
    """Refuse a verdict of another lock, one that contradicts itself, and one that nobody you trust signed.

    Trusted are your own key, the keys in [trust] of ./mmlock.toml and those in --allowed-signers. Exit
    code 1: the verdict is genuine and its result is FAILED.

    \b
    mmlock verdict verify lockfiles/openmmlab/cpu --allowed-signers lockfiles/allowed_signers.toml
    """
    from mmlock.core.validate_arguments import VerdictAction, VerdictArguments

    terminal: Terminal = ctx.obj
    arguments = VerdictArguments(action=VerdictAction.VERIFY, lock=lock, file=file, signers=signers)
    report = terminal.app.verdict(arguments)
    terminal.show(report)
    if isinstance(report.data, dict) and report.data.get("result") == "FAILED":
        ctx.exit(FAILED)


@verdict.command(cls=Sectioned, short_help="Sign the verdict of a lock.")
@options.lock_argument
@click.option("--sign", type=options.FOLDER, metavar="KEY", help="Sign with this Ed25519 key, not your own.")
@click.option(
    "--sigstore", is_flag=True, help="Sign with your identity through sigstore, which needs the network."
)
@options.form
@click.pass_obj
def sign(terminal: Terminal, /, lock: Path, *, sign: Path | None, sigstore: bool) -> None:
    """Vouch for the verdict of a lock: sign it for the files of the lock as they are now.

    Your key is made on first use. Do this when a lock was made again and installs the same as before.

    \b
    mmlock verdict sign lockfiles/openmmlab/cpu
    """
    from mmlock.core.validate_arguments import VerdictAction, VerdictArguments

    arguments = VerdictArguments(action=VerdictAction.SIGN, lock=lock, sign=sign, sigstore=sigstore)
    terminal.show(terminal.app.verdict(arguments))


@verdict.command("import", cls=Sectioned, short_help="Make a verdict of what ran elsewhere.")
@click.argument("result", type=options.FOLDER)
@options.lock_argument
@click.option("--sign", type=options.FOLDER, metavar="KEY", help="Sign with this Ed25519 key, not your own.")
@click.option("--no-sign", "unsigned", is_flag=True, help="Do not sign it: no solve will use it.")
@options.form
@click.pass_context
def import_(ctx: click.Context, /, result: Path, lock: Path, *, sign: Path | None, unsigned: bool) -> None:
    """Make the verdict of LOCK from RESULT, the `result.json` of `mmlock validate --bundle FILE`.

    You sign what another machine says: take results from machines that you trust. Exit code 1 means FAILED.

    \b
    mmlock validate lockfiles/openmmlab/h100 --bundle h100.tar
    mmlock verdict import result.json lockfiles/openmmlab/h100
    """
    from mmlock.core.validate_arguments import VerdictAction, VerdictArguments

    terminal: Terminal = ctx.obj
    arguments = VerdictArguments(
        action=VerdictAction.IMPORT, lock=lock, file=result, sign=sign, unsigned=unsigned
    )
    report = terminal.app.verdict(arguments)
    terminal.show(report)
    if isinstance(report.data, dict) and report.data.get("result") == "FAILED":
        ctx.exit(FAILED)


@verdict.command(cls=Sectioned, short_help="Print your public key.")
@options.form
@click.pass_obj
def key(terminal: Terminal, /) -> None:
    """Print your public key as a line for a file of allowed signers. It is made if you have none.

    \b
    mmlock verdict key
    """
    from mmlock.core.validate_arguments import VerdictAction, VerdictArguments

    terminal.show(terminal.app.verdict(VerdictArguments(action=VerdictAction.KEY)))
