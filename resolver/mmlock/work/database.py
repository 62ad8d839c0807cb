"""The database of the service: how it is opened, brought up to date and asked whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmlock.core.errors import EnvironmentFault
from mmlock.net.credentials import redact

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

__all__ = ["current", "head", "open_database", "sqlite_url", "upgrade", "working"]

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY = 0x6D6D6C6F636B
"""The PostgreSQL advisory lock of whoever migrates."""
_BUSY_MS = 15_000


def sqlite_url(path: Path) -> str:
    """The URL of a database in a file."""
    return f"sqlite:///{path.absolute()}"


def open_database(url: str) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql://...`. Raises EnvironmentFault; asks nothing yet."""
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    except ImportError as error:
        raise EnvironmentFault(
            "the service needs SQLAlchemy, which is not installed",
            causes=[str(error)],
            hints=["install it: `pip install 'mmlock[serve]'`"],
        ) from error
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.partition("://")[2]
    try:
        if url.startswith("sqlite"):
            return _sqlite(url)
        return create_engine(url, pool_pre_ping=True, pool_size=8, max_overflow=8, pool_timeout=10)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise EnvironmentFault(
            f"`{redact(url)}` is not a database that can be used",
            causes=[redact(str(error))],
            hints=[
                "name `sqlite:///FILE` or `postgresql://USER@HOST/NAME`",
                "for PostgreSQL: `pip install 'mmlock[queue]'`",
            ],
        ) from error


def _sqlite(url: str) -> Engine:
    from sqlalchemy import create_engine, event

    engine = create_engine(url, connect_args={"timeout": _BUSY_MS / 1000})

    def prepare(connection: Any, record: object) -> None:
        del record
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    event.listen(engine, "connect", prepare)
    return engine


@contextmanager
def working() -> Iterator[None]:
    """Within it, what the database refuses becomes an EnvironmentFault that says so."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        raise EnvironmentFault(
            "the database of the service cannot be used",
            causes=[redact(str(getattr(error, "orig", None) or error)).splitlines()[0]],
            hints=["nothing is lost: ask again when it is back", "a new one needs `mmlock db upgrade`"],
        ) from error


# ---------------------------------------------------------------- migrations


def head() -> str:
    """The newest version of the tables."""
    from alembic.script import ScriptDirectory

    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def current(engine: Engine) -> str | None:
    """The version of the tables that are there; None: there are none."""
    from alembic.runtime.migration import MigrationContext

    with working(), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the tables up to date; the version before and now. Two at once do it one after the other."""
    from alembic import command

    with working(), _alone(engine) as connection:
        from alembic.runtime.migration import MigrationContext

        before = MigrationContext.configure(connection).get_current_revision()
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if engine.dialect.name == "postgresql":
            _queue(connection)
    return before, head()


def _queue(connection: Connection) -> None:
    """The tables of the queue, where it is installed."""
    from importlib.util import find_spec

    if find_spec("procrastinate") is not None:
        from mmlock.work.queue import apply_queue_schema

        apply_queue_schema(connection)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    from sqlalchemy import text

    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:  # the lock goes with the transaction
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY})
            yield connection
        return
    from mmlock.files.locking import hold

    path = Path(engine.url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            hold(path.with_name(f"{path.name}.upgrade"), waiting=lambda _: None, remove=True),
            engine.begin() as connection,
        ):
            yield connection
    except OSError as error:
        raise EnvironmentFault(
            f"`{path}` cannot be written",
            causes=[error.strerror or str(error)],
            hints=["name another place with `--database` or MMLOCK_SERVE_DATABASE"],
        ) from error
    for beside in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(OSError):
            beside.chmod(0o600)  # requests may name what is private


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config
