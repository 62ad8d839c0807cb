"""Environments against locks, and what would cure them."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_environments import MINOR, World, make_world

from mmlock.doctor.checks import CHECKS, examine
from mmlock.doctor.checks.locked import compare, same
from mmlock.doctor.doctor_commands import command, core
from mmlock.doctor.environment_fixes import cures
from mmlock.lock.read import read_lock

from .conftest import matrix
from .looking import read

LOCK = Path(__file__).parents[2] / "lockfiles" / "openmmlab" / "rtx5090"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "env")


@pytest.mark.slow
def test_an_environment_is_compared_with_a_lock(world: World) -> None:
    lock = read_lock(LOCK)
    locked = {str(package.name): package.version for package in lock.packages}
    world.dist("numpy", locked["numpy"])
    world.dist("mmdet", "2.28.2")
    world.dist("stranger", "1")
    titles = [one.title for one in compare(read(world), lock)]
    assert f"mmdet 2.28.2 is installed; the lock has {locked['mmdet']}" in titles
    assert not any(title.startswith("numpy ") for title in titles)
    assert any(title.startswith("torch ") and "but not installed" in title for title in titles)
    assert "1 distributions are not in the lock" in titles
    assert any("which is not built yet" in title for title in titles)


def test_versions_are_the_same_with_or_without_the_local_part() -> None:
    assert same("2.11.0+cu130", "2.11.0")
    assert same("2.11", "2.11.0")
    assert not same("2.11.0+cu130", "2.11.0+cpu")
    assert not same("not a version", "2.11.0")


@pytest.mark.slow
def test_the_cure_keeps_what_is_not_guilty(world: World) -> None:
    world.torch(exports=[])
    world.mmcv()
    world.dist("mmdet", "3.3.0")
    world.dist("mmengine", "0.10.7")
    world.dist("timm", "1.0", requested=True)
    env = read(world)
    found, _ = examine(env, matrix())
    first, second, *_ = cures(env, matrix(), found, None)
    assert command(first).startswith(f"mmlock solve --gpu cpu --python {MINOR} --torch 2.1.2 ")
    assert set(first.packages) == {"mmcv", "mmdet==3.3.0", "mmengine==0.10.7", "timm"}
    assert second.torch is None


def test_a_mixture_is_cured_by_one_mmcv(world: World) -> None:
    world.torch()
    world.mmcv("2.1.0")
    world.mmcv("1.7.2", name="mmcv-full")
    world.dist("mmdet", "2.28.2")
    env = read(world)
    found, _ = examine(env, matrix())
    solves = list(cures(env, matrix(), found, "a100"))
    assert "mmcv-full" in solves[0].packages
    assert "mmcv" not in solves[0].packages
    assert solves[0].gpu == "a100"


@pytest.mark.slow
def test_some_cure_of_a_broken_environment_holds(world: World) -> None:
    world.torch(exports=[])
    world.mmcv()
    world.dist("mmdet", "3.3.0")
    env = read(world)
    found, _ = examine(env, matrix())
    assert any(core(matrix(), proposed) for proposed in cures(env, matrix(), found, None))


def test_every_check_has_a_name_of_its_own() -> None:
    names = [text for text, _, _ in CHECKS]
    assert len(set(names)) == len(names)
