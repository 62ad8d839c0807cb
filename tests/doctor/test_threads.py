"""Texts of public threads: the answer that is expected was written down before the doctor saw them."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mmlock.cli.main import main

from .conftest import matrix
from .test_public import falls_short

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "threads"


@cache
def threads() -> list[dict[str, Any]]:
    return [
        thread
        for path in sorted(FOLDER.glob("*.toml"))
        for thread in tomllib.loads(path.read_text(encoding="utf-8"))["thread"]
    ]


@pytest.fixture(autouse=True)
def _facts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mmlock.doctor.doctor.open_matrix", lambda _: matrix())
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.parametrize("thread", threads(), ids=lambda thread: thread["name"])
def test_a_thread_is_read_rightly(thread: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--text", thread["text"]])
    told = capsys.readouterr()
    assert falls_short(told.out + told.err, thread["text"], thread) == [], told.out + told.err


def test_threads_are_named_once_and_argued_for() -> None:
    names = [thread["name"] for thread in threads()]
    assert sorted(set(names)) == sorted(names)
    assert all(len(thread["why"]) > 15 and thread["source"].startswith("https://") for thread in threads())
