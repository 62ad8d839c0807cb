"""`mmlock worker`: does the jobs of a service on this machine."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any

import click

from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.serve import BUILDS, settings_options
from mmlock.cli.service import needs_service
from mmlock.cli.terminal import tell

_LABELS = "What this machine has or does: `cpu`, `build`, `gpu:sm_90`. Repeatable; default `cpu`."
_worker = (
    HelpSection("Worker")
    .many("--labels", metavar="LABEL", help=_LABELS)
    .add("--processes", type=int, metavar="N", help="Jobs at the same time; default one a processor.")
    .add("--builds", is_flag=True, default=None, help=BUILDS)
)


@click.command(cls=Sectioned, short_help="Do the jobs of a service on this machine.")
@_worker
@settings_options
def worker(labels: tuple[str, ...], **values: Any) -> None:
    """Do the jobs of a service that need what this machine has. They come through PostgreSQL.

    \b
    mmlock worker --database postgresql://mmlock@db/mmlock --labels cpu
    mmlock worker --database postgresql://mmlock@db/mmlock --builds --labels build --labels gpu:sm_90
    """
    with needs_service():
        from mmlock.web.server import HANDLERS, handed_down, limits
        from mmlock.web.settings import database_url, read_settings
        from mmlock.work.database import open_database
        from mmlock.work.queue import Worker
        from mmlock.work.sql_store import SqlStore

    settings = read_settings(values.pop("config"), os.environ, values)
    words = [word.strip() for text in labels or ("cpu",) for word in text.split(",") if word.strip()]
    engine = open_database(database_url(settings, os.environ))
    with handed_down(settings):
        made = Worker(
            SqlStore(engine),
            engine,
            HANDLERS,
            labels=words,
            processes=settings.processes,
            limit=settings.limit,
            limits=limits(settings),
        )
        tell(f"working on {', '.join(words)} (Ctrl-C ends it)")
        try:
            with suppress(KeyboardInterrupt, asyncio.CancelledError):
                asyncio.run(made.run())
        finally:
            made.close()
            engine.dispose()
