"""A lock with all its files beside it: whole, checked, resumable, installable without a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from build_world import artifact_of, locked, make_env, make_step, tar_of
from msgspec.structs import replace

from mmlock import app
from mmlock.core.build_arguments import BundleArguments
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Sha256
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.validate.digest import lock_digest


@pytest.fixture(autouse=True)
def own_wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMLOCK_WHEELHOUSE", str(tmp_path / "wheelhouse"))


@pytest.fixture
def env(tmp_path: Path, bundled_pip: Path) -> LockedEnv:
    """A lock of one real wheel, which lies at a `file:` URL."""
    file = replace(artifact_of(bundled_pip), url=bundled_pip.resolve().as_uri())
    env = make_env((locked("pip", bundled_pip.name.split("-")[1], file),))
    write_lock(env, tmp_path / "lock")
    return env


def bundle(tmp_path: Path, **options: object) -> Path:
    arguments = BundleArguments(lock=tmp_path / "lock", out=tmp_path / "out", offline=True, **options)  # type: ignore[arg-type]
    app.bundle(arguments)
    return tmp_path / "out"


def test_every_file_lies_beside_the_new_lock(tmp_path: Path, env: LockedEnv, bundled_pip: Path) -> None:
    out = bundle(tmp_path)
    (package,) = read_lock(out).packages
    assert [file.url for file in package.files] == [f"wheels/{bundled_pip.name}"]
    assert (out / "wheels" / bundled_pip.name).read_bytes() == bundled_pip.read_bytes()
    assert lock_digest(read_lock(out)) == lock_digest(env)


@pytest.mark.slow
def test_pip_installs_it_without_any_index(tmp_path: Path, env: LockedEnv) -> None:
    del env
    out = bundle(tmp_path)
    words = ["--no-index", "--no-deps", "--require-hashes", "--target", str(tmp_path / "site")]
    command = [sys.executable, "-m", "pip", "install", "-q", *words, "-r", "requirements.txt"]
    subprocess.run(command, cwd=out, check=True, env={"PATH": "", "PIP_CONFIG_FILE": "/dev/null"})
    assert (tmp_path / "site" / "pip").is_dir()


def test_the_same_bundle_again_changes_nothing(tmp_path: Path, env: LockedEnv) -> None:
    del env
    before = {path: path.stat().st_mtime_ns for path in bundle(tmp_path).rglob("*")}
    assert {path: path.stat().st_mtime_ns for path in bundle(tmp_path).rglob("*")} == before


def test_an_interrupted_one_is_gone_on_with(tmp_path: Path, env: LockedEnv) -> None:
    out = bundle(tmp_path)
    for path in out.iterdir():
        if path.is_file():
            path.unlink()
    assert read_lock(bundle(tmp_path)).packages[0].name == env.packages[0].name


def test_other_bytes_than_the_locked_ones_are_refused(tmp_path: Path, env: LockedEnv) -> None:
    package = env.packages[0]
    wrong = replace(package.files[0], sha256=Sha256("0" * 64))
    write_lock(replace(env, packages=(replace(package, files=(wrong,)),)), tmp_path / "lock")
    with pytest.raises(EnvironmentFault, match="is not the file that it should be"):
        bundle(tmp_path)
    assert not (tmp_path / "out" / "pylock.toml").exists()


def test_a_lock_that_is_not_sealed_has_no_files_to_put_there(tmp_path: Path, env: LockedEnv) -> None:
    step = make_step(tar_of({"setup.py": ""}, tmp_path / "tinyext-1.0.tar.gz"))
    write_lock(replace(env, build=(step,)), tmp_path / "lock")
    with pytest.raises(UsageError, match="is not sealed"):
        bundle(tmp_path)


def test_another_folder_is_not_written_into(tmp_path: Path, env: LockedEnv) -> None:
    del env
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="is not a lock folder"):
        bundle(tmp_path)
