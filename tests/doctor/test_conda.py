"""Conda environments: what conda recorded against what is there."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from build_world import artifact_of, locked, make_env
from conda_channel import channel_package, this_python
from made_environments import MINOR, World, make_world
from made_files import Made, elf
from made_wheels import put_wheel
from msgspec.structs import replace

from mmlock.core.progress import silent
from mmlock.doctor.checks import examine
from mmlock.doctor.checks.locked import compare
from mmlock.doctor.environment.model import OwnedState, Trouble, TroubleKind, TroubleSeverity
from mmlock.doctor.environment.read import read_environment
from mmlock.lock.formats.conda_parts import subdir
from mmlock.lock.model import CondaPackage
from mmlock.resolve.closure.uv_find import find_uv
from mmlock.wheels.buildenv import Uv
from mmlock.wheels.conda_prefix import fill_prefix

from .conftest import matrix
from .looking import read, troubles

CODE = elf(Made(defined=["PyInit__C"], needed=["libc.so.6"]))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "env")


def record(world: World, name: str, version: str, *folders: Path, depends: tuple[str, ...] = ()) -> Path:
    """What conda writes about a package that brought these dist-info folders."""
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    paths = [
        {
            "_path": path.relative_to(world.prefix).as_posix(),
            "sha256": "0" * 64,
            "sha256_in_prefix": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in files
    ]
    place = world.prefix / "conda-meta" / f"{name}-{version}-h1_0.json"
    place.parent.mkdir(exist_ok=True)
    document = {
        "name": name,
        "version": version,
        "build": "h1_0",
        "channel": "https://conda.anaconda.org/conda-forge/",
        "depends": list(depends),
        "files": [one["_path"] for one in paths],
        "paths_data": {"paths": paths, "paths_version": 1},
    }
    place.write_text(json.dumps(document))
    return place


def of_conda(found: list[Trouble]) -> list[Trouble]:
    return [one for one in found if one.check is TroubleKind.CONDA]


def test_what_conda_installed_is_known_and_sound(world: World) -> None:
    world.torch()
    folder = world.site / "torch-2.1.2+cpu.dist-info"
    record(world, "pytorch", "2.1.2", folder)
    env = read(world)
    (package,) = env.conda
    assert (package.name, package.build) == ("pytorch", "h1_0")
    assert [(own.distribution, own.state) for own in package.owns] == [("torch", OwnedState.KEPT)]
    found, holding = examine(env, matrix())
    assert of_conda(list(found)) == []
    assert "packages of conda are as conda installed them" in holding


@pytest.mark.slow
def test_a_pip_torch_of_another_release_over_a_conda_torch(world: World) -> None:
    world.torch("2.1.2+cpu")
    old = world.site / "torch-2.1.2+cpu.dist-info"
    record(world, "pytorch", "2.1.2", old)
    vision = world.dist("torchvision", "0.16.2", {"torchvision/_C.so": CODE})
    record(world, "torchvision", "0.16.2", vision, depends=("pytorch >=2.1.2,<2.2.0a0", "python"))
    for path in old.iterdir():
        path.unlink()
    old.rmdir()
    world.dist("torch", "2.4.0")
    (found,) = of_conda(troubles(world))
    assert found.severity is TroubleSeverity.FAILS
    assert found.title == "torch 2.4.0 from pip is installed over conda's pytorch 2.1.2"
    assert any("torchvision 0.16.2" in text for text in found.evidence)
    assert found.packages == ("torch", "torchvision")


def test_the_same_release_installed_again_is_seen_by_its_bytes(world: World) -> None:
    world.torch()
    folder = world.site / "torch-2.1.2+cpu.dist-info"
    record(world, "pytorch", "2.1.2", folder)
    (folder / "RECORD").write_text("torch/__init__.py,,\nand more,,\n")
    (found,) = of_conda(troubles(world))
    # Nothing of conda is linked to it, so nothing is known to fail.
    assert found.severity is TroubleSeverity.RISK
    assert "torch 2.1.2+cpu from pip" in found.title


def test_two_records_side_by_side_are_told(world: World) -> None:
    world.torch()
    record(world, "pytorch", "2.1.2", world.site / "torch-2.1.2+cpu.dist-info")
    world.dist("torch", "2.4.0", {"torch/more.py": b""})
    (found,) = of_conda(troubles(world))
    assert "over conda's pytorch 2.1.2" in found.title


def test_what_is_gone_without_anything_in_its_place(world: World) -> None:
    folder = world.dist("mmengine", "0.10.0")
    record(world, "mmengine", "0.10.0", folder)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    (found,) = of_conda(troubles(world))
    assert found.title == "mmengine 0.10.0 of conda's mmengine was removed behind conda's back"


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        b'{"name": "a; rm -rf b", "version": "1"}',
        b"",
        b"[]",
        b"{",
        b'{"name": 3, "version": "1"}',
        b"\xff\xfe",
        b'{"a":' * 100_000,
    ],
)
def test_a_record_that_is_none_is_told_and_the_others_are_read(world: World, data: bytes) -> None:
    world.torch()
    record(world, "pytorch", "2.1.2", world.site / "torch-2.1.2+cpu.dist-info")
    (world.prefix / "conda-meta" / "broken-1-0.json").write_bytes(data)
    env = read(world)
    assert [one.name for one in env.conda] == ["pytorch"]
    (found,) = of_conda(troubles(world))
    assert "`conda-meta/broken-1-0.json` cannot be read" in found.title


def test_a_pipe_in_the_place_of_a_record_is_not_waited_for(world: World) -> None:
    (world.prefix / "conda-meta").mkdir()
    os.mkfifo(world.prefix / "conda-meta" / "pipe-1-0.json")
    (fault,) = read(world).conda_faults
    assert "pipe" in fault.detail


def package(name: str, version: str, build: str = "h1_0") -> CondaPackage:
    return CondaPackage(
        name=name,
        version=version,
        build=build,
        build_number=0,
        channel="https://conda.anaconda.org/conda-forge",
        subdir="linux-64",
        file=f"{name}-{version}-{build}.conda",
        sha256="0" * 64,  # type: ignore[arg-type]
        md5="0" * 32,
        size=None,
        depends=(),
    )


def test_a_conda_lock_is_compared_down_to_the_build(world: World) -> None:
    folder = world.dist("numpy", "2.2.0")
    record(world, "numpy", "2.2.0", folder)
    env = read(world)
    lock = replace(make_env(()), python=MINOR, conda=(package("numpy", "2.2.0"),))
    assert list(compare(env, lock)) == []  # numpy is conda's: it is no stranger
    (other,) = compare(env, replace(lock, conda=(package("numpy", "2.2.0", "h2_0"),)))
    assert "h1_0 of conda is installed; the lock has 2.2.0 h2_0" in other.title
    (missing, more) = compare(env, replace(lock, conda=(package("mylib", "1.0"),)))
    assert "mylib 1.0 of conda is in the lock, but not installed" in missing.title
    assert "not in the lock" in more.title


def test_a_conda_lock_against_an_environment_without_conda(world: World) -> None:
    lock = replace(make_env(()), python=MINOR, conda=(package("numpy", "2.2.0"),))
    (found,) = compare(read(world), lock)
    assert "this is no conda environment" in found.title


@pytest.mark.slow
def test_a_real_prefix_with_a_pip_torch_over_a_conda_torch(tmp_path: Path) -> None:
    """rattler installs both of a channel's packages, uv then puts a wheel over one of them."""
    channel = tmp_path / "channel"
    platform = subdir(make_env(()).target.platform)
    site = f"lib/python{MINOR}/site-packages"
    listed = ("torch/__init__.py", "torch/version.py")
    listed += tuple(f"torch-2.7.1.dist-info/{name}" for name in ("METADATA", "INSTALLER", "RECORD"))
    torch = {
        f"{site}/torch/__init__.py": "",
        f"{site}/torch/version.py": "__version__ = '2.7.1'\n",
        f"{site}/torch-2.7.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.7.1\n",
        f"{site}/torch-2.7.1.dist-info/INSTALLER": "conda",
        f"{site}/torch-2.7.1.dist-info/RECORD": "".join(f"{name},,\n" for name in listed),
    }
    packages = (
        this_python(channel, platform),
        channel_package(channel, platform, "pytorch", torch, "python", version="2.7.1"),
    )
    prefix = tmp_path / "prefix"
    fill_prefix(packages, prefix, platform, cache=tmp_path / "cache")
    before = read_environment(prefix / "bin" / "python", matrix(), (), silent)
    assert [own.state for one in before.conda for own in one.owns] == [OwnedState.KEPT]
    assert of_conda(list(examine(before, matrix())[0])) == []

    wheel = put_wheel(tmp_path, "torch-2.8.0-py3-none-any.whl", {"torch/__init__.py": b""})
    found = find_uv(os.environ)
    assert found is not None
    uv = Uv(path=found.path, offline=True)
    uv.run(["pip", "install", "--python", str(prefix / "bin" / "python"), str(wheel)], "no install")
    after = read_environment(prefix / "bin" / "python", matrix(), (), silent)
    (trouble,) = of_conda(list(examine(after, matrix())[0]))
    assert trouble.title == "torch 2.8.0 from pip is installed over conda's pytorch 2.7.1"
    lock = replace(make_env((locked("torch", "2.8.0", artifact_of(wheel)),)), python=MINOR, conda=packages)
    assert list(compare(after, lock)) == []
