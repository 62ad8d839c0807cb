"""Tools we did not write read our files and install exactly what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import uv
from msgspec.structs import replace
from packaging.pylock import Pylock
from packaging.tags import compatible_tags, cpython_tags

from mmlock.core.names import Platform, Sha256
from mmlock.lock.model import LockedEnv
from mmlock.lock.write import write_lock

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

slow = pytest.mark.slow
INSTALLED = ["alpha", "beta"]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_", "VIRTUAL_ENV"))}
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    folder = tmp_path / "venv"
    made = run(uv.find_uv_bin(), "venv", "--no-config", "--python", sys.executable, folder, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


def uv_pip(python: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    common = ("--no-config", "--python", python, "--cache-dir", cwd / "uv-cache")
    return run(uv.find_uv_bin(), "pip", *words, *common, cwd=cwd)


def installed(python: Path, cwd: Path) -> list[str]:
    code = "import alpha, beta; print(alpha.__name__, beta.__name__, alpha.VERSION)"
    done = run(python, "-c", code, cwd=cwd)
    assert done.returncode == 0, done.stderr
    name, other, version = done.stdout.split()
    assert version == "1.0"
    return [name, other]


def test_the_standard_reader_selects_the_best_wheel(host_lock: LockedEnv, tmp_path: Path) -> None:
    write_lock(host_lock, tmp_path)
    lock = Pylock.from_dict(tomllib.loads((tmp_path / "pylock.toml").read_text()))
    lock.validate()
    version = sys.version_info[:2]
    tags = [*cpython_tags(version), *compatible_tags(version)]
    chosen = {str(package.name): file for package, file in lock.select(tags=tags)}
    assert {name: file.hashes["sha256"] for name, file in chosen.items()} == {  # type: ignore[union-attr]
        package.name: package.files[0].sha256 for package in host_lock.packages
    }


@slow
@pytest.mark.parametrize("words", [("sync", "pylock.toml"), ("install", "-r", "pylock.toml")])
def test_uv_installs_pylock(host_lock: LockedEnv, tmp_path: Path, venv: Path, words: tuple[str, ...]) -> None:
    write_lock(host_lock, tmp_path)
    done = uv_pip(venv, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert installed(venv, tmp_path) == INSTALLED


@slow
def test_uv_refuses_other_bytes(host_lock: LockedEnv, tmp_path: Path, venv: Path) -> None:
    first = host_lock.packages[0]
    forged = replace(first, files=(replace(first.files[0], sha256=Sha256("0" * 64)),))
    write_lock(replace(host_lock, packages=(forged,)), tmp_path)
    done = uv_pip(venv, tmp_path, "sync", "pylock.toml")
    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr


@slow
def test_uv_refuses_another_machine(host_lock: LockedEnv, tmp_path: Path, venv: Path) -> None:
    target = host_lock.target
    other = Platform.LINUX_AARCH64 if target.platform is not Platform.LINUX_AARCH64 else Platform.LINUX_X86_64
    write_lock(replace(host_lock, target=replace(target, platform=other)), tmp_path)
    done = uv_pip(venv, tmp_path, "sync", "pylock.toml")
    assert done.returncode != 0, done.stderr


@slow
def test_uv_installs_requirements_by_hash(
    host_lock: LockedEnv, tmp_path: Path, venv: Path, index: tuple[str, Path]
) -> None:
    write_lock(host_lock, tmp_path)
    words = ("install", "--no-deps", "--require-hashes", "-r", "requirements.txt", "--index-url", index[0])
    done = uv_pip(venv, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert installed(venv, tmp_path) == INSTALLED


def pip(python: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    quiet = ("--disable-pip-version-check", "--no-input", "--no-cache-dir", "--isolated")
    return run(python, "-m", "pip", "install", *quiet, *words, cwd=cwd)


@slow
def test_pip_installs_requirements_by_hash(
    host_lock: LockedEnv, tmp_path: Path, index: tuple[str, Path]
) -> None:
    write_lock(host_lock, tmp_path)
    site = tmp_path / "site"
    words = (
        "--no-deps",
        "--require-hashes",
        "-r",
        "requirements.txt",
        "--index-url",
        index[0],
        "--target",
        str(site),
    )
    done = pip(Path(sys.executable), tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert sorted(path.stem for path in site.glob("*.py")) == INSTALLED


@slow
def test_wheels_next_to_the_lock_install(
    host_lock: LockedEnv, tmp_path: Path, venv: Path, index: tuple[str, Path]
) -> None:
    beta = host_lock.packages[1]
    name = beta.files[0].name
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / name).write_bytes((index[1] / "beta" / name).read_bytes())
    local = replace(beta, files=(replace(beta.files[0], url=f"wheels/{name}"),))
    write_lock(replace(host_lock, packages=(host_lock.packages[0], local)), tmp_path)
    done = uv_pip(venv, tmp_path, "sync", "pylock.toml")
    assert done.returncode == 0, done.stderr
    assert installed(venv, tmp_path) == INSTALLED
    words = ("install", "--reinstall", "--no-deps", "--require-hashes", "-r", "requirements.txt")
    done = uv_pip(venv, tmp_path, *words, "--index-url", index[0])
    assert done.returncode == 0, done.stderr


@slow
@pytest.mark.network
def test_newest_pip_installs_pylock(host_lock: LockedEnv, tmp_path: Path, venv: Path) -> None:
    write_lock(host_lock, tmp_path)
    got = uv_pip(venv, tmp_path, "install", "pip>=26.3")
    assert got.returncode == 0, got.stderr
    done = pip(venv, tmp_path, "-r", "pylock.toml")
    assert done.returncode == 0, done.stderr
    assert installed(venv, tmp_path) == INSTALLED
