"""What an operator sets: in a TOML file, in the environment, on the command line; the later one wins."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from mmlock.core.build_arguments import SandboxUse
from mmlock.core.errors import UsageError
from mmlock.core.names import StrEnum
from mmlock.core.state import state_root

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["PREFIX", "ExecutorKind", "Role", "Settings", "read_settings"]

PREFIX = "MMLOCK_SERVE_"
"""`MMLOCK_SERVE_PORT` is `port`; several values are separated by commas."""


class Role(StrEnum):
    """What someone may do; each may do what those before it may."""

    NOBODY = "nobody"
    READ = "read"
    SOLVE = "solve"  # asks what costs time: solve, why-not, inspect, doctor, scan
    BUILD = "build"  # has code of other people run
    ADMIN = "admin"

    def may(self, needed: Role) -> bool:
        """Whether this role is enough."""
        return _RANKS[self] >= _RANKS[needed]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class ExecutorKind(StrEnum):
    """Who does the jobs."""

    LOCAL = "local"  # processes of the server itself
    QUEUE = "queue"  # `mmlock worker` on this or other machines, through PostgreSQL


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a service. Everything has a default that is right for one user on one machine."""

    host: str = "127.0.0.1"
    port: int = 8099
    names: tuple[str, ...] = ()
    """Host names that it answers to, besides its own; behind a proxy, the public one."""
    database: str | None = None
    """`sqlite:///FILE` or `postgresql://USER@HOST/NAME`; None: a file in mmlock's state folder."""
    executor: ExecutorKind = ExecutorKind.LOCAL
    processes: int = field(default_factory=lambda: max(1, min(8, os.cpu_count() or 1)))
    """Of the executor `local`."""
    anonymous: Role | None = None
    """What may be done without a token; None: `solve` on a loopback address, `read` on any other."""
    limit: float = 600.0
    """Seconds that a job may take."""
    waiting: int = 1000
    """Jobs that may wait."""
    keep: int = 20_000
    """Jobs that are remembered when they are over."""
    body: int = 2_000_000
    """Bytes of a request's body; an archive to scan may have ten times as many."""
    per_minute: int | None = None
    """Jobs that one client may ask for in a minute; None: no limit on a loopback address, else 60."""
    catalogue: Path | None = None
    """The `mmlock.toml` whose locks are shown; None: the one of the folder it is started in, if there is."""
    wheelhouses: tuple[Path, ...] = ()
    """Whose wheels are served; none named: the user's own."""
    allow: tuple[str, ...] = ()
    """Hosts and networks that indexes of requests may be on although they are not public."""
    sources: tuple[str, ...] = ()
    """Packages without wheels whose build backend may be run to read their requirements."""
    builds: bool = False
    """Whether builds and validations are taken: they run code of packages, for the role `build`."""
    build_processes: int = 1
    """Of the executor `local`, besides `processes`: how many builds and validations run at the same time."""
    build_limit: float = 6 * 3600.0
    """Seconds that a build or a validation may take."""
    sandbox: SandboxUse = SandboxUse.AUTO
    """Whether that code runs in bubblewrap: `auto` where the system has it, `required`, or `off`."""
    sign: Path | None = None
    """The private key that signs verdicts; None: they are not signed, so that nobody's solve uses them."""
    trust_proxy: bool = False
    """Whether `X-Forwarded-For` and `X-Forwarded-Proto` come from a proxy of one's own."""
    refresh: str | None = None
    """When facts are read again from the indexes: a cron line, in UTC; None: never."""
    telemetry: bool = False
    """Whether requests are traced: OpenTelemetry's own variables say where to."""
    log_json: bool | None = None
    """One JSON object a line; None: unless stderr is a terminal."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def anonymous_role(self) -> Role:
        return self.anonymous or (Role.SOLVE if self.loopback else Role.READ)

    @property
    def job_rate(self) -> int | None:
        """Jobs in a minute for each client; None: any number."""
        if self.per_minute is not None:
            return self.per_minute or None
        return None if self.loopback else 60


def database_url(settings: Settings, environ: Mapping[str, str]) -> str:
    """Where the database is."""
    from mmlock.work.database import sqlite_url

    return settings.database or sqlite_url(state_root(environ) / "service" / "jobs.db")


def read_settings(
    file: Path | None, environ: Mapping[str, str], told: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of a file, of the environment and of the command line. Raises UsageError."""
    values: dict[str, Any] = _of_file(file) if file else {}
    values |= _of_environment(environ)
    values |= {name: value for name, value in (told or {}).items() if value is not None}
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_decoded)
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(
            "the settings of the service cannot be read",
            causes=[str(error)],
            hints=["docs/guides/service.md lists them"],
        ) from error
    if settings.anonymous in {Role.BUILD, Role.ADMIN}:
        raise UsageError(
            f"`anonymous` cannot be `{settings.anonymous}`", hints=["give out tokens: `mmlock db add-token`"]
        )
    if settings.refresh is not None:
        _check_refresh(settings)
    return settings


def _check_refresh(settings: Settings) -> None:
    from datetime import datetime, timezone

    from cronsim import CronSim, CronSimError

    try:
        CronSim(settings.refresh or "", datetime.now(timezone.utc))
    except CronSimError as error:
        raise UsageError(
            f"`{settings.refresh}` is no schedule",
            causes=[str(error)],
            hints=["daily: `refresh = '17 4 * * *'`"],
        ) from error
    if settings.executor is ExecutorKind.QUEUE:
        raise UsageError(
            "`refresh` is for a service that does its jobs itself",
            causes=["workers on other machines need the same facts, and would keep the old ones"],
            hints=["refresh the facts of all machines together: `mmlock matrix refresh`"],
        )


def _decoded(type_: type, value: object) -> object:
    if type_ is Path and isinstance(value, str | Path):
        return Path(value)
    raise ValueError(f"not a {type_.__name__}: {value!r}")


def _of_file(file: Path) -> dict[str, Any]:
    from mmlock.files.reading import UnreadableError, read_bounded

    try:
        return dict(tomllib.loads(read_bounded(file, 1_000_000).decode()))
    except (UnreadableError, ValueError) as error:
        raise UsageError(f"`{file}` cannot be read", causes=[str(error)]) from error


def _of_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in msgspec.structs.fields(Settings):
        text = environ.get(f"{PREFIX}{setting.name.upper()}")
        if text is None:
            continue
        several = "tuple" in str(setting.type)
        values[setting.name] = [part for part in text.split(",") if part] if several else text
    return values
