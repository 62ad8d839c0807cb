"""Whole runs of the command line beside a package index on the loopback interface."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from closers import OpenWorld
from package_index import index
from solved import facts, request

from mmlock.cli.main import main
from mmlock.core.progress import silent
from mmlock.resolve.loop.loop import Resolution, decide
from mmlock.resolve.request.interpret import interpret

__all__ = ["index"]


@dataclass(frozen=True)
class Ran:
    """How one command line ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv")


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uv_cache: Path, capsys: pytest.CaptureFixture[str]
) -> Run:
    for name in [n for n in os.environ if n.startswith(("UV_", "PIP_", "MMLOCK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MMLOCK_MATRICES", str(Path(__file__).parents[2] / "matrices"))

    def call(*words: str) -> Ran:
        code = main(list(words))
        seen = capsys.readouterr()
        return Ran(code, seen.out, seen.err)

    return call


def stock(index: Any, *words: str, **more: object) -> None:
    """Put into the index what the request will need."""
    found = decide(
        facts(),
        interpret(facts(), request(*words, **more)),  # type: ignore[arg-type]
        OpenWorld(),
        progress=silent,
        wheelless=lambda *_: False,
    )
    assert isinstance(found, Resolution)
    for package in found.closed.packages:
        index.add(package.name, package.version)
