"""`mmlock db`: the database of the service, and the tokens in it."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmlock.cli import options
from mmlock.cli.sections import Sectioned
from mmlock.cli.serve import settings_options
from mmlock.cli.service import needs_service
from mmlock.cli.terminal import Terminal, write
from mmlock.core.report import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

    from mmlock.web.tokens import Token


@click.group(invoke_without_command=True, short_help="Upgrade the service's database, give out tokens.")
@click.pass_context
def db(ctx: click.Context) -> None:
    """Bring the database of the service up to date; give out tokens and take them back."""
    if ctx.invoked_subcommand is None:
        write(ctx.get_help())


@db.command(cls=Sectioned, short_help="Bring the tables up to date.")
@settings_options
@options.form
@click.pass_obj
def upgrade(terminal: Terminal, /, **values: Any) -> None:
    """Make the tables, or bring them up to date. Two at once do it one after the other."""
    with needs_service():
        from mmlock.work.database import upgrade as bring_up

    terminal.show(_upgraded(*bring_up(_engine(values))))


def _upgraded(before: str | None, now: str) -> Page:
    text = f"the database is up to date ({now})" if before == now else f"upgraded from {before} to {now}"
    return Page(text=text, data={"before": before, "now": now})


@db.command("add-token", cls=Sectioned, short_help="Make a token.")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["read", "solve", "build", "admin"]), default="solve", show_default=True,
    help="What it allows.",
)  # fmt: skip
@click.option("--days", type=float, metavar="N", help="It expires after so many days.")
@settings_options
@options.form
@click.pass_obj
def add_token(terminal: Terminal, /, name: str, *, role: str, days: float | None, **values: Any) -> None:
    """Make a token, and show it once: only its digest is kept."""
    with needs_service():
        from mmlock.web.settings import Role
        from mmlock.web.tokens import Tokens

    secret = Tokens(_engine(values)).add(name, Role(role), days=days)
    terminal.show(_made(name, role, secret))


def _made(name: str, role: str, secret: str) -> Page:
    return Page(text=secret, data={"name": name, "role": role, "token": secret})


@db.command("remove-token", cls=Sectioned, short_help="Take a token back.")
@click.argument("name")
@settings_options
@options.form
@click.pass_obj
def remove_token(terminal: Terminal, /, name: str, **values: Any) -> None:
    """Take a token back; within half a minute nothing answers to it any more."""
    with needs_service():
        from mmlock.web.tokens import Tokens
    from mmlock.core.errors import UsageError

    if not Tokens(_engine(values)).remove(name):
        raise UsageError(f"there is no token `{name}`", hints=["`mmlock db tokens`"])
    terminal.show(_removed(name))


def _removed(name: str) -> Page:
    return Page(text=f"removed the token `{name}`", data={"removed": name})


@db.command("tokens", cls=Sectioned, short_help="List the tokens.")
@settings_options
@options.form
@click.pass_obj
def tokens(terminal: Terminal, /, **values: Any) -> None:
    """List the tokens, without their secrets."""
    with needs_service():
        from mmlock.web.tokens import Tokens

    terminal.show(_listed(Tokens(_engine(values)).listed()))


def _listed(found: Iterable[Token]) -> Page:
    lines = [f"{one.name}  {one.role}  {_until(one.expires)}" for one in found]
    data = [{"name": one.name, "role": one.role.value, "expires": one.expires} for one in found]
    return Page(text="\n".join(lines) or "there are no tokens", data={"tokens": data})


def _until(moment: float | None) -> str:
    return (
        "never expires"
        if moment is None
        else f"until {datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%d}"
    )


def _engine(values: dict[str, Any]) -> Engine:
    with needs_service():
        from mmlock.web.settings import database_url, read_settings
        from mmlock.work.database import open_database
    config: Path | None = values.pop("config")
    return open_database(database_url(read_settings(config, os.environ, values), os.environ))
