"""A verdict and wheels of another lock do not stay beside a new one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.upkeep.stale import drop_stale
from mmlock.validate.attest.trust import Trust

LOCKS = Path(__file__).parents[2] / "lockfiles" / "openmmlab"
TRUST = Trust()
"""Nobody's word counts: what a verdict is about does not depend on it."""
BUILT = "mmcv-2.1.0-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lock with its verdict and the wheel that its step made."""
    shutil.copytree(LOCKS / "cpu", tmp_path / "lock")
    (tmp_path / "lock" / "wheels").mkdir()
    (tmp_path / "lock" / "wheels" / BUILT).touch()
    return tmp_path / "lock"


@pytest.fixture
def env(folder: Path) -> LockedEnv:
    return read_lock(folder)


def test_the_same_lock_keeps_both(folder: Path, env: LockedEnv) -> None:
    assert drop_stale(folder, env, replace(env, findings=()), TRUST) == ()
    assert (folder / "verdict.json").exists()
    assert (folder / "wheels" / BUILT).exists()


def test_another_lock_loses_the_verdict(folder: Path, env: LockedEnv) -> None:
    (package, *rest) = env.packages
    said = drop_stale(folder, env, replace(env, packages=(replace(package, version="99"), *rest)), TRUST)
    assert len(said) == 1
    assert "verdict.json" in said[0]
    assert not (folder / "verdict.json").exists()
    assert (folder / "wheels" / BUILT).exists()  # of the same step, for the same torch


@pytest.mark.parametrize("change", [{"torch": "2.12.0+cpu"}, {"python": "3.12"}, {"build": ()}])
def test_a_wheel_that_this_lock_would_not_make_goes(
    folder: Path, env: LockedEnv, change: dict[str, object]
) -> None:
    said = drop_stale(folder, env, replace(env, **change), TRUST)  # type: ignore[arg-type]
    assert any(BUILT in line and "mmlock build" in line for line in said)
    assert not (folder / "wheels").exists()


def test_wheels_of_a_lock_that_cannot_be_read_go_and_other_files_stay(folder: Path, env: LockedEnv) -> None:
    (folder / "wheels" / "notes.txt").touch()
    drop_stale(folder, None, env, TRUST)
    assert [path.name for path in (folder / "wheels").iterdir()] == ["notes.txt"]
