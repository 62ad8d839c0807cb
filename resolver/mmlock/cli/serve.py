"""`mmlock serve`: the service, on this machine or for others."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from mmlock.cli import options
from mmlock.cli.sections import HelpSection, Sectioned
from mmlock.cli.terminal import tell

_DATABASE = "`sqlite:///FILE` or `postgresql://USER@HOST/NAME`; default a file in mmlock's state folder."
_CATALOGUE = "Show the locks of this mmlock.toml; default ./mmlock.toml."
_EXECUTOR = "Who does the jobs: processes of the server, or `mmlock worker` through PostgreSQL."
BUILDS = "Take builds and validations, which run code of packages, from tokens with the role `build`."

settings_options = (
    HelpSection("Settings")
    .add("--database", metavar="URL", help=_DATABASE)
    .add("--config", type=options.FOLDER, metavar="FILE", help="Read the settings in this TOML file.")
)
"""What all verbs of the service know."""
_server = (
    HelpSection("Server")
    .add("--host", metavar="ADDRESS", help="The address to listen on; default 127.0.0.1.")
    .add("--port", type=int, metavar="N", help="The port; default 8099; 0 picks a free one.")
    .add("--catalogue", type=options.FOLDER, metavar="FILE", help=_CATALOGUE)
)
_jobs = (
    HelpSection("Jobs")
    .add("--processes", type=int, metavar="N", help="Processes that solve; default one a processor.")
    .add("--executor", type=click.Choice(["local", "queue"]), help=_EXECUTOR)
    .add("--builds", is_flag=True, default=None, help=BUILDS)
)


@click.command(cls=Sectioned, short_help="Answer over HTTP: an API, pages, a package index.")
@_server
@_jobs
@settings_options
def serve(**values: Any) -> None:
    """Serve an API, pages and a package index, to this machine only unless --host says otherwise.

    All settings: docs/guides/service.md. Each is also a variable: MMLOCK_SERVE_PORT=80.

    \b
    mmlock serve
    curl -s localhost:8099/api/v1/solve -H 'content-type: application/json' -d '{"gpus": ["rtx5090"]}'
    """
    from mmlock.cli.service import needs_service

    with needs_service():
        from mmlock.web.server import Served, log_to, service_app
        from mmlock.web.settings import read_settings

    config = values.pop("config")
    if values["catalogue"] is None and Path("mmlock.toml").is_file():
        values["catalogue"] = Path("mmlock.toml")
    settings = read_settings(config, os.environ, values)
    served = Served(settings)
    with service_app(settings, os.environ) as app:
        log_to(sys.stderr, as_json=settings.log_json)
        tell(f"serving on {served.url} (Ctrl-C ends it)")
        served.run(app)
