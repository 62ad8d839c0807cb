"""The build environment: pinned, and found a Python for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from build_world import PYTHON, TAG, MakeWorld, artifact_of, host_platform, locked, make_env, make_step
from msgspec.structs import replace

from mmlock.core.artifact import Artifact
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Platform
from mmlock.lock.model import LockedEnv
from mmlock.resolve.closure.uv_find import find_uv
from mmlock.wheels.buildenv import Uv, find_python, make_environment, pin_loose, read_pins
from mmlock.wheels.planning import plan_build


@pytest.fixture
def uv(tmp_path: Path) -> Uv:
    """Offline, with an empty cache: what this machine has fetched before plays no part."""
    found = find_uv(os.environ)
    assert found is not None
    environ = {**os.environ, "UV_CACHE_DIR": str(tmp_path / "uv-cache")}
    return Uv(path=found.path, offline=True, environ=environ)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "tinyext-1.0.tar.gz").write_text("x")
    return tmp_path / "tinyext-1.0.tar.gz"


def holding(pip: Artifact) -> LockedEnv:
    return make_env((locked("pip", pip.name.split("-")[1], pip),))


@pytest.mark.slow
def test_what_the_lock_does_not_hold_is_pinned(uv: Uv, bundled_pip: Path, sources: Path) -> None:
    plan = plan_build(make_env(()), make_step(sources))
    (pin,) = pin_loose(plan, uv, (bundled_pip.parent,))
    assert pin.name == "pip"
    assert pin.file.sha256 == artifact_of(bundled_pip).sha256


def test_nothing_loose_asks_nobody(uv: Uv, bundled_pip: Path, sources: Path) -> None:
    env = make_env((locked("pip", "23.0", artifact_of(bundled_pip)),))
    plan = plan_build(env, make_step(sources))
    assert pin_loose(plan, replace(uv, path="/no/uv")) == ()


@pytest.mark.slow
def test_a_requirement_nobody_has_is_told_in_uvs_words(uv: Uv, sources: Path) -> None:
    step = replace(make_step(sources), build_requires=("no-such-package-of-mmlock",))
    with pytest.raises(EnvironmentFault, match="build requirements of tinyext") as error:
        pin_loose(plan_build(make_env(()), step), uv, (sources.parent,))
    assert "no-such-package-of-mmlock" in " ".join(error.value.causes)


def test_the_wheel_that_fits_best_is_pinned() -> None:
    names = [f"p-1-{TAG}-{TAG}-manylinux_2_99_x86_64.whl", f"p-1-{TAG}-{TAG}-manylinux2014_x86_64.whl"]
    names += ["p-1-py3-none-any.whl", "p-1-cp27-cp27m-manylinux2014_x86_64.whl"]
    row = '{{ url = "https://x/{}", hashes = {{ sha256 = "{:064x}" }} }}'
    rows = [row.format(name, place) for place, name in enumerate(names)]
    text = f'[[packages]]\nname = "P"\nversion = "1"\nwheels = [{", ".join(rows)}]\n'
    (pin,) = read_pins(text, PYTHON, Platform.LINUX_X86_64)
    assert (pin.name, pin.file.name) == ("p", names[1])


def test_a_requirement_without_a_wheel_is_told() -> None:
    text = '[[packages]]\nname = "p"\nversion = "1"\n'
    with pytest.raises(EnvironmentFault, match="no wheel of the build requirement p"):
        read_pins(text, PYTHON, Platform.LINUX_X86_64)


@pytest.mark.slow
def test_another_python_than_the_locks_is_refused(uv: Uv) -> None:
    with pytest.raises(EnvironmentFault, match=r"the lock is for 3\.5"):
        find_python(uv, "3.5", sys.executable)


def test_a_python_that_is_not_there_is_told(uv: Uv) -> None:
    quiet = replace(uv, environ={**os.environ, "PYENV_ROOT": "/none"})
    with pytest.raises(EnvironmentFault, match=r"no Python 3\.4 on") as error:
        find_python(quiet, "3.4", None)
    assert "--python PATH" in error.value.hints[0]


@pytest.mark.slow
def test_an_environment_is_made_once(uv: Uv, bundled_pip: Path, sources: Path, tmp_path: Path) -> None:
    pins = plan_build(holding(artifact_of(bundled_pip)), make_step(sources)).pins
    make_environment(tmp_path / "venv", sys.executable, pins, uv, {})
    (tmp_path / "venv" / "touched").write_text("")
    make_environment(tmp_path / "venv", sys.executable, pins, uv, {})
    assert (tmp_path / "venv" / "touched").exists()
    python = tmp_path / "venv" / "bin" / "python"
    told = subprocess.run(
        [python, "-m", "pip", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith(f"pip {pins[0].version} ")
    make_environment(tmp_path / "venv", sys.executable, (), uv, {})
    assert not (tmp_path / "venv" / "touched").exists()


@pytest.mark.slow
def test_a_changed_file_is_not_installed(uv: Uv, bundled_pip: Path, sources: Path, tmp_path: Path) -> None:
    wrong = replace(artifact_of(bundled_pip), sha256="0" * 64)
    pins = plan_build(holding(wrong), make_step(sources)).pins
    with pytest.raises(EnvironmentFault, match="cannot be filled") as error:
        make_environment(tmp_path / "venv", sys.executable, pins, uv, {})
    assert "Hash mismatch" in " ".join(error.value.causes)


def test_a_lock_for_another_platform_is_not_built_here(world: MakeWorld) -> None:
    here = world()
    other = Platform.WINDOWS_X86_64
    assert host_platform() is not other
    env = replace(here.env, target=replace(here.env.target, platform=other))
    with pytest.raises(EnvironmentFault, match="cannot be built on this machine"):
        here.builder.build(env, here.step, {})
