"""Conda locks installed for real: a channel on this disk, rattler, and the pip part on top."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from build_world import MakeWorld, artifact_of, locked, make_env
from conda_channel import PYTHON, channel_package, serve, this_python
from made_wheels import put_wheel
from msgspec.structs import replace
from rattler.index import index_fs
from solved import facts

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import Sha256, normalize
from mmlock.lock.formats.conda_parts import subdir
from mmlock.lock.model import CondaChoice, LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock
from mmlock.resolve.closure.conda_side import conda_side
from mmlock.resolve.closure.conda_solve import CondaQuestion, Live
from mmlock.resolve.closure.model import Closed, ClosureRequest, CoreNode
from mmlock.resolve.closure.uv_find import find_uv
from mmlock.wheels import conda_package
from mmlock.wheels.buildenv import Uv
from mmlock.wheels.conda_package import require_conda, seal_as_conda
from mmlock.wheels.conda_prefix import fill_prefix
from mmlock.wheels.install import install
from mmlock.wheels.model import CheckStatus
from mmlock.wheels.planning import plan_build
from mmlock.wheels.seal import Placement


@pytest.fixture
def env(tmp_path: Path, bundled_pip: Path) -> LockedEnv:
    """A lock of an interpreter from a channel, a library from it, and pip's own wheel from a folder."""
    base = make_env((locked("pip", bundled_pip.name.split("-")[1], artifact_of(bundled_pip)),))
    here = subdir(base.target.platform)
    channel = tmp_path / "channel"
    start = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    python = channel_package(channel, here, "python", {"bin/python": start}, executable="bin/python")
    library = channel_package(channel, here, "mylib", {"share/mylib.txt": "data"}, "python")
    pip = channel_package(channel, here, "pip", {"share/pip.txt": "pip"}, "python")
    return replace(base, conda=(library, pip, python), channels=(channel.as_uri(),))


@pytest.mark.slow
def test_the_conda_part_is_installed_by_its_hashes(tmp_path: Path, env: LockedEnv) -> None:
    prefix = tmp_path / "prefix"
    fill_prefix(env.conda, prefix, subdir(env.target.platform), cache=tmp_path / "cache")
    assert (prefix / "share" / "mylib.txt").read_text() == "data"
    ran = subprocess.run(
        [prefix / "bin" / "python", "-c", "print(1)"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "1\n"
    assert {path.name for path in (prefix / "conda-meta").glob("*.json")} == {
        "python-1.0-h0000000_0.json",
        "mylib-1.0-h0000000_0.json",
        "pip-1.0-h0000000_0.json",
    }


@pytest.mark.slow
def test_one_byte_more_is_refused_and_nothing_stays(tmp_path: Path, env: LockedEnv) -> None:
    path = tmp_path / "channel" / env.conda[0].subdir / env.conda[0].file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(EnvironmentFault, match="cannot be installed"):
        fill_prefix(env.conda, tmp_path / "prefix", subdir(env.target.platform), cache=tmp_path / "cache")
    assert not (tmp_path / "prefix").exists()


@pytest.mark.slow
@pytest.mark.parametrize("served", [False, True], ids=["file", "http"])
def test_a_whole_package_that_is_another_one_is_refused(
    tmp_path: Path, env: LockedEnv, *, served: bool
) -> None:
    """It can be unpacked, and is not the one that was locked: rattler alone takes it from a disk."""
    platform = subdir(env.target.platform)
    conda = env.conda
    with serve(tmp_path / "channel") as url:
        if served:
            conda = tuple(replace(one, channel=url) for one in conda)
        fill_prefix(conda, tmp_path / "good", platform, cache=tmp_path / "cache")
        other = replace(conda[0], sha256=Sha256("0" * 64))
        with pytest.raises(EnvironmentFault) as raised:
            fill_prefix((other, *conda[1:]), tmp_path / "prefix", platform, cache=tmp_path / "other")
    assert "mylib" in " ".join(raised.value.causes)
    assert not (tmp_path / "prefix").exists()


@pytest.mark.slow
def test_a_package_that_is_gone_from_the_channel_is_told(tmp_path: Path, env: LockedEnv) -> None:
    (tmp_path / "channel" / env.conda[0].subdir / env.conda[0].file).unlink()
    with pytest.raises(EnvironmentFault) as raised:
        fill_prefix(env.conda, tmp_path / "prefix", subdir(env.target.platform), cache=tmp_path / "cache")
    assert "mylib" in " ".join(raised.value.causes)
    assert not (tmp_path / "prefix").exists()


@pytest.mark.slow
def test_a_folder_that_is_no_prefix_is_left_alone(tmp_path: Path, env: LockedEnv) -> None:
    write_lock(env, tmp_path / "lock")
    (tmp_path / "prefix").mkdir()
    (tmp_path / "prefix" / "thesis.tex").write_text("x")
    uv = find_uv(os.environ)
    assert uv is not None
    with pytest.raises(EnvironmentFault, match="is in the way"):
        install(env, tmp_path / "lock", tmp_path / "prefix", Uv(path=uv.path, offline=True), python=None)
    assert [path.name for path in (tmp_path / "prefix").iterdir()] == ["thesis.tex"]


@pytest.mark.slow
def test_a_wheel_is_built_in_the_locks_own_conda_prefix(tmp_path: Path, world: MakeWorld) -> None:
    """The interpreter and the headers are the channel's, and the wheel loads there."""
    here = world()
    platform = subdir(here.env.target.platform)
    channel = tmp_path / "channel"
    python = this_python(channel, platform)
    torch = CondaChoice(name=normalize("torch"), conda="pytorch", version="2.13.0")
    pip = channel_package(channel, platform, "pip", {"share/pip.txt": "pip"}, "python")
    env = replace(here.env, conda=(pip, python), conda_core=(torch,), channels=(channel.as_uri(),))
    plan = plan_build(env, here.step)
    assert plan.conda == (pip, python)
    wheel = here.builder.build(env, here.step, {})
    assert all(check.status is CheckStatus.PASSED for check in wheel.checks), wheel.checks
    assert wheel.key != here.build().key  # another wheel than the one beside PyPI's torch
    assert here.builder.build(env, here.step, {}).hit

    write_lock(replace(env, build=()), tmp_path / "lock")
    uv = find_uv(os.environ)
    assert uv is not None
    done = install(
        replace(env, build=()),
        tmp_path / "lock",
        tmp_path / "prefix",
        Uv(path=uv.path, offline=True),
        python=None,
    )
    command = [done.python, "-c", "import sys, pip; print(sys.prefix)"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert Path(ran.stdout.strip()) == (tmp_path / "prefix").resolve()


@pytest.mark.slow
def test_a_built_wheel_becomes_a_package_of_a_channel_that_rattler_installs(
    tmp_path: Path, world: MakeWorld
) -> None:
    """Built in the lock's own prefix, packed, found through the channel's page by a solve, and imported."""
    here = world()
    platform = subdir(here.env.target.platform)
    channel = tmp_path / "channel"
    python = this_python(channel, platform)
    pip = channel_package(channel, platform, "pip", {"share/pip.txt": "pip"}, "python")
    torch = channel_package(
        channel, platform, "pytorch", {"share/torch.txt": "x"}, "python", version="2.13.0"
    )
    chosen = CondaChoice(name=normalize("torch"), conda="pytorch", version="2.13.0")
    env = replace(here.env, conda=(pip, python, torch), conda_core=(chosen,), channels=(channel.as_uri(),))
    wheel = here.builder.build(env, here.step, {})
    folder = tmp_path / "lock"
    sealed = seal_as_conda(env, here.step, wheel, Placement(folder=folder))
    assert sealed.sealed
    assert sealed.packages == here.env.packages
    (made,) = [one for one in sealed.conda if one.name == "tinyext"]
    assert f"pytorch 2.13.0 {torch.build}" in made.depends
    assert sealed.channels == (channel.as_uri(), (folder / "channel").as_uri())
    again = seal_as_conda(env, here.step, wheel, Placement(folder=tmp_path / "again"))
    assert made.sha256 in {one.sha256 for one in again.conda}  # the same wheel, the same package

    asyncio.run(index_fs(channel))
    own = Live(channels=sealed.channels, subdir=platform, cache=tmp_path / "pages")
    question = CondaQuestion(subdir=platform, specs=("tinyext",), constraints=(), virtual=())
    solved = own.solve(question)
    assert isinstance(solved, tuple)
    assert {one.name: one.sha256 for one in solved} == {
        one.name: one.sha256 for one in sealed.conda if one.name != "pip"
    }

    write_lock(sealed, folder)
    uv = find_uv(os.environ)
    assert uv is not None
    done = install(
        read_lock(folder), folder, tmp_path / "prefix", Uv(path=uv.path, offline=True), python=None
    )
    probe = "import importlib.metadata as m, tinyext._ext as e; print(e.answer(), m.version('tinyext'))"
    ran = subprocess.run([done.python, "-c", probe], capture_output=True, text=True, check=True)
    assert ran.stdout == "42 1.0+pt2.13.0cpu\n"


def test_a_package_of_a_lock_without_conda_is_refused(tmp_path: Path, world: MakeWorld) -> None:
    with pytest.raises(UsageError, match="has no conda packages"):
        require_conda(world().env, tmp_path)


@pytest.mark.parametrize("name", ["x-1.0.data/scripts/tool", "x-1.0.dist-info/entry_points.txt"])
def test_a_wheel_with_scripts_is_no_conda_package(tmp_path: Path, name: str) -> None:
    wheel = put_wheel(tmp_path, "x-1.0-py3-none-any.whl", {"x.py": b"", name: b"#!python"})
    with pytest.raises(UsageError, match="cannot become a conda package"):
        conda_package._unpack(wheel, tmp_path / "staged", "lib/python3.12/site-packages")


@pytest.mark.slow
def test_a_cpu_lock_is_solved_against_a_channel_on_disk_and_numpy_imports_from_it(tmp_path: Path) -> None:
    """The real Python and the real numpy as packages: a channel's page, the solve, the lock, the prefix."""
    numpy = pytest.importorskip("numpy")
    base = make_env(())
    platform = subdir(base.target.platform)
    channel = tmp_path / "channel"
    this_python(channel, platform)
    site = Path(numpy.__file__).parent.parent
    staged = tmp_path / "numpy" / "lib" / f"python{PYTHON}" / "site-packages"
    for folder in site.glob("numpy*"):
        shutil.copytree(folder, staged / folder.name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    build = f"cpu_generic_py{PYTHON.replace('.', '')}_h1234567_0"
    bound = f"python >={PYTHON}"
    channel_package(channel, platform, "numpy", tmp_path / "numpy", bound, version=numpy.__version__)
    channel_package(channel, platform, "pip", {"share/pip.txt": "pip"}, "python")
    torch = {f"lib/python{PYTHON}/site-packages/torch/__init__.py": "__version__ = '2.8.0'\n"}
    channel_package(
        channel, platform, "pytorch", torch, bound, "numpy >=1.23,<3", version="2.8.0", build=build
    )
    asyncio.run(index_fs(channel))

    url = channel.as_uri()
    side = conda_side(facts(), base.target, (url,), cache=tmp_path / "pages")
    closed = side.closer(_Nothing()).close(
        ClosureRequest(
            python=PYTHON,
            platform=base.target.platform,
            glibc=base.target.glibc,
            core=(CoreNode(name=normalize("torch"), version="2.8.0+conda.cpu", requires=()),),
            requirements=(),
            constraints=(),
        )
    )
    assert isinstance(closed, Closed), closed
    chosen = CondaChoice(name=normalize("torch"), conda="pytorch", version="2.8.0")
    env = replace(base, python=PYTHON, conda=closed.conda, conda_core=(chosen,), channels=(url,))
    write_lock(env, tmp_path / "lock")
    uv = find_uv(os.environ)
    assert uv is not None
    done = install(
        read_lock(tmp_path / "lock"),
        tmp_path / "lock",
        tmp_path / "prefix",
        Uv(path=uv.path, offline=True),
        python=None,
    )
    probe = "import numpy as n, torch; print(n.__version__, torch.__version__, n.arange(4).sum(), n.__file__)"
    ran = subprocess.run([done.python, "-c", probe], capture_output=True, text=True, check=True)
    version, torch_version, total, place = ran.stdout.split()
    assert (version, torch_version, total) == (numpy.__version__, "2.8.0", "6")
    assert Path(place).is_relative_to((tmp_path / "prefix").resolve())


class _Nothing:
    """A pip part that has nothing to add."""

    def close(self, request: ClosureRequest) -> Closed:
        del request
        return Closed(packages=(), engine="none", from_cache=False)
