from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect

from mmlock.core.errors import EnvironmentFault
from mmlock.web.settings import Role
from mmlock.web.tokens import Tokens
from mmlock.work.database import current, head, open_database, sqlite_url, upgrade
from mmlock.work.model import Task
from mmlock.work.sql_store import SqlStore
from mmlock.work.tables import METADATA


def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "a.db"))
    assert current(engine) is None
    assert upgrade(engine) == (None, head())
    assert upgrade(engine) == (head(), head())
    held = inspect(engine)
    for table in METADATA.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in held.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}
        indexes = {index["name"] for index in held.get_indexes(table.name)}
        assert indexes >= {index.name for index in table.indexes}
    assert set(held.get_table_names()) == {*METADATA.tables, "alembic_version"}
    engine.dispose()


def test_two_migrations_at_once_are_one_after_the_other(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "a.db")
    results: list[object] = []

    def migrate() -> None:
        engine = open_database(url)
        try:
            results.append(upgrade(engine)[1])
        except BaseException as error:  # noqa: BLE001
            results.append(error)
        engine.dispose()

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [head()] * 4


def test_a_database_that_is_not_there_is_an_error_that_says_so(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "none" / "a.db"))
    with pytest.raises(EnvironmentFault, match="the database of the service cannot be used"):
        SqlStore(engine).add(Task(kind="upper", arguments=b""))
    engine.dispose()


def test_what_is_no_database_url_is_refused() -> None:
    with pytest.raises(EnvironmentFault) as raised:
        open_database("nothing://user:secret@host/db")
    assert "secret" not in "\n".join(raised.value.lines())


def test_a_database_without_tables_is_told_what_it_needs(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "new.db"))
    for act in (Tokens(engine).listed, lambda: Tokens(engine).add("ci", Role.READ)):
        with pytest.raises(EnvironmentFault) as raised:
            act()
        assert "mmlock db upgrade" in raised.value.hints[1]
    engine.dispose()
