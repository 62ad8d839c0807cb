"""A refresh that solves again: the concerned pairs, no other, and told which and why."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mmlock.core.catalogue import Pair
from mmlock.core.errors import UsageError
from mmlock.core.progress import silent
from mmlock.core.refreshing import RefreshArguments
from mmlock.core.report import Page
from mmlock.lock.read import read_lock
from mmlock.upkeep.catalogue.locking import Outcome, locks
from mmlock.upkeep.catalogue.relocking import relocked

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "mmlock.toml").write_text('[stacks.openmmlab]\ntargets = ["rtx5090", "t4", "cpu"]\n')
    return tmp_path


def report(*names: str) -> Page:
    return Page(text="1 fact changed", data={"changes": [], "locks": [{"lock": name} for name in names]})


def run(home: Path, *names: str) -> tuple[Page, list[str]]:
    solved: list[str] = []

    def decide(pair: Pair) -> Outcome:
        solved.append(pair.name)
        return read_lock(ROOT / "lockfiles" / "openmmlab" / "rtx5090")

    arguments = RefreshArguments(relock=True, catalogue=home / "mmlock.toml")
    relock = partial(locks, decide=lambda _: decide)
    return relocked(report(*names), arguments, ROOT / "matrices", silent, relock=relock), solved


def data(page: Page) -> dict[str, Any]:
    assert isinstance(page.data, dict)
    found: dict[str, Any] = page.data["relocked"]
    return found


@pytest.mark.slow
def test_only_the_concerned_locks_are_solved_again(home: Path) -> None:
    page, solved = run(home, "openmmlab/t4")
    assert solved == ["openmmlab/t4"]
    assert [path.parent.name for path in home.rglob("pylock.toml")] == ["t4"]
    assert "1 lock solved again" in page.text
    assert "2 are not concerned" in page.text
    assert (data(page)["left"], data(page)["failed"]) == (2, 0)
    assert {row["pair"]: row["state"] for row in data(page)["pairs"]} == {"openmmlab/t4": "written"}


def test_where_none_is_concerned_none_is_solved(home: Path) -> None:
    page, solved = run(home)
    assert solved == [], "an empty choice must not mean all of them"
    assert "no lock is concerned; 3 stay as they are" in page.text


@pytest.mark.slow
def test_a_lock_that_the_catalogue_does_not_name_is_told_and_left(home: Path) -> None:
    page, solved = run(home, "openmmlab/k80", "openmmlab/cpu")
    assert solved == ["openmmlab/cpu"]
    assert "openmmlab/k80: not solved again" in page.text


def test_a_catalogue_that_is_not_there_is_told(home: Path) -> None:
    arguments = RefreshArguments(relock=True, catalogue=home / "none.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        relocked(report("openmmlab/t4"), arguments, ROOT / "matrices", silent, relock=locks)
