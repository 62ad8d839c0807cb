"""Which locks this user solved or accepted, and what a stranger's would run."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from msgspec.structs import replace

from mmlock.lock.read import read_lock
from mmlock.upkeep.known_locks import is_known, remember, what_it_runs

LOCKS = Path(__file__).parents[2] / "lockfiles" / "openmmlab"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"MMLOCK_STATE_DIR": str(tmp_path / "state")}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    folder = tmp_path / "lock"
    shutil.copytree(LOCKS / "rtx5090", folder)
    return folder


def test_what_is_remembered_is_known_and_for_this_user_alone(lock: Path, environ: dict[str, str]) -> None:
    assert not is_known(lock, environ)
    remember(lock, environ)
    remember(lock, environ)
    assert is_known(lock, environ)
    kept = Path(environ["MMLOCK_STATE_DIR"]) / "known-locks"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert len(kept.read_text().splitlines()) == 1


@pytest.mark.parametrize("name", ["pylock.toml", "build.toml"])
def test_one_other_byte_makes_it_a_strangers(lock: Path, environ: dict[str, str], name: str) -> None:
    remember(lock, environ)
    path = lock / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert not is_known(lock, environ)


def test_a_list_that_others_can_write_is_not_believed(lock: Path, environ: dict[str, str]) -> None:
    remember(lock, environ)
    kept = Path(environ["MMLOCK_STATE_DIR"]) / "known-locks"
    kept.chmod(0o666)
    assert not is_known(lock, environ)


def test_a_state_folder_that_cannot_be_used_is_no_fault(lock: Path) -> None:
    nowhere = {"MMLOCK_STATE_DIR": "/dev/null/state"}
    remember(lock, nowhere)
    assert not is_known(lock, nowhere)
    assert not is_known(lock / "nothing", nowhere)


def test_everything_that_would_run_is_shown(lock: Path) -> None:
    env = read_lock(lock)
    (step,) = env.build
    step = replace(step, env={**step.env, "LD_PRELOAD": "evil.so"})
    env = replace(env, build=(step,), environment={"PYTHONSTARTUP": "x.py"})
    text = "\n".join(what_it_runs(env, lock))
    assert step.source.url in text  # type: ignore[union-attr]
    assert "LD_PRELOAD=evil.so" in text
    assert "PYTHONSTARTUP=x.py" in text
    assert all(line in text for line in step.toolchain.setup)
    for patch in step.patches:
        assert patch.file in text
        assert all(line in text for line in patch.replace.splitlines())
    fetched = read_lock(LOCKS / "a100")
    text = "\n".join(what_it_runs(fetched, lock))
    assert all(url in text for one in fetched.fetch for url in (one.url, *one.alternatives))
