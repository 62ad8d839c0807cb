"""Plans to change an environment, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from made_environments import MINOR, World, make_world
from msgspec.structs import replace

from mmlock.core.doctor_arguments import DoctorArguments
from mmlock.core.errors import UsageError
from mmlock.core.names import normalize
from mmlock.core.progress import silent
from mmlock.doctor.apply import Hands, apply, make_plan, plan_lines
from mmlock.doctor.checks import examine
from mmlock.doctor.environment.model import Environment
from mmlock.doctor.environment.read import read_environment
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock

from .conftest import matrix

LOCK = Path(__file__).parents[2] / "lockfiles" / "openmmlab" / "rtx5090"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "env")


def read(world: World) -> Environment:
    return read_environment(world.prefix / "bin" / "python", matrix(), (), silent)


def lock() -> LockedEnv:
    """A sealed lock with the Python of the tests; mmcv is in it as if it had been built."""
    env = read_lock(LOCK)
    pattern = next(package for package in env.packages if package.name == "mmdet")
    mmcv = replace(pattern, name=normalize("mmcv"), version="2.1.0")
    return replace(env, packages=(*env.packages, mmcv), fetch=(), build=(), python=MINOR)


@pytest.mark.slow
def test_a_plan_removes_what_shadows_and_installs_what_differs(world: World) -> None:
    world.torch()
    world.mmcv("2.1.0")
    world.mmcv("1.7.2", name="mmcv-full")
    locked = {str(package.name): package.version for package in lock().packages}
    world.dist("numpy", locked["numpy"])
    (world.site / "~cv").mkdir()
    broken = world.dist("addict", "2.4.0")
    (broken / "METADATA").unlink()
    env = read(world)
    plan = make_plan(matrix(), env, examine(env, matrix())[0], lock())
    assert plan.remove == ("mmcv", "mmcv-full")
    assert set(plan.delete) == {world.site / "~cv", broken}
    assert f"torch {locked['torch']} instead of 2.1.2+cpu" in plan.install
    assert not any(text.startswith("numpy ") for text in plan.install)
    assert "remove mmcv 2.1.0" in "\n".join(plan_lines(env, plan))


@pytest.mark.slow
def test_a_plan_takes_nothing_away_that_the_lock_does_not_bring_back(world: World) -> None:
    world.mmcv("2.1.0")
    world.mmcv("1.7.2", name="mmcv-full")
    stranger = world.dist("stranger", "1")
    (stranger / "RECORD").unlink()
    env = read(world)
    plan = make_plan(matrix(), env, examine(env, matrix())[0], replace(lock(), packages=()))
    assert plan.empty


def hands(confirm: Callable[[str], bool]) -> Hands:
    """Those of a doctor who may ask, and does nothing."""

    def never(*_: object) -> NoReturn:
        raise AssertionError("nothing may be done")

    return Hands(solve=never, find_uv=never, confirm=confirm)


@pytest.mark.slow
def test_nothing_happens_without_a_yes(world: World) -> None:
    world.mmcv(ops=False)
    world.dist("mmdet", "3.3.0")
    env = read(world)
    shown: list[str] = []

    def no(plan: str) -> bool:
        shown.append(plan)
        return False

    found = examine(env, matrix())[0]
    done = apply(matrix(), env, found, lock(), LOCK, DoctorArguments(), silent, hands(no))
    assert not done.done
    assert done.lines[-1] == "nothing was changed"
    assert "remove mmcv 2.1.0" in shown[0]
    assert (world.site / "mmcv").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"python": "3.5"}, "the lock is for 3.5"),
        ({"build": read_lock(LOCK).build}, "is not sealed"),
    ],
    ids=["python", "unsealed"],
)
def test_a_lock_that_does_not_fit_is_refused(world: World, change: dict[str, object], says: str) -> None:
    wrong = replace(lock(), **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=says):
        apply(
            matrix(), read(world), (), wrong, LOCK, DoctorArguments(yes=True), silent, hands(lambda _: True)
        )


def test_an_environment_that_others_use_is_not_changed(tmp_path: Path) -> None:
    world = make_world(tmp_path / "env", running=False)
    with pytest.raises(UsageError, match="is not changed"):
        apply(
            matrix(), read(world), (), lock(), LOCK, DoctorArguments(yes=True), silent, hands(lambda _: True)
        )
