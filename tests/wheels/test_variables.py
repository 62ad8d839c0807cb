"""Whose word counts in the environment of a build, and what is never in it."""

from __future__ import annotations

from pathlib import Path

from build_world import make_step, tar_of
from msgspec.structs import replace

from mmlock.core.names import Platform
from mmlock.wheels.model import BuildPlan, Compiler
from mmlock.wheels.variables import base_environment, build_environment

COMPILER = Compiler(
    cc="/opt/gcc/cc", cxx="/opt/gcc/c++", identity="gcc 12.2", gcc=12, machine="x86_64-linux-gnu"
)


def plan(tmp_path: Path, **env: str) -> BuildPlan:
    step = make_step(tar_of({"a": ""}, tmp_path / "tinyext-1.0.tar.gz"))
    return BuildPlan(
        step=replace(step, env=env),
        python="3.11",
        platform=Platform.LINUX_X86_64,
        torch="2.0+cpu",
        pins=(),
        loose=(),
        archs=(),
        label="pt2",
    )


def base(environ: dict[str, str]) -> dict[str, str]:
    return base_environment(environ, home=Path("/home/b"), venv=Path("/home/b/venv"), mark="7")


def test_the_recipes_variables_win_over_compiler_jobs_and_shell(tmp_path: Path) -> None:
    own = plan(tmp_path, CC="clang", MAX_JOBS="1", PATH="/recipe/bin", SOURCE_DATE_EPOCH="5", JOBS="{jobs}")
    found = build_environment(own, base({"PATH": "/usr/bin"}), compiler=COMPILER, jobs=8)
    assert {name: found[name] for name in own.step.env} == {**own.step.env, "JOBS": "8"}
    assert found["CXX"] == "/opt/gcc/c++", "what the recipe leaves open stays as it was"


def test_a_recipe_that_says_nothing_gets_the_compiler_and_the_jobs(tmp_path: Path) -> None:
    found = build_environment(plan(tmp_path), base({}), compiler=COMPILER, jobs=8)
    assert (found["CC"], found["CXX"], found["MAX_JOBS"]) == ("/opt/gcc/cc", "/opt/gcc/c++", "8")


def test_pip_in_a_build_asks_no_index_and_reads_no_configuration_of_the_user() -> None:
    found = base({"PIP_INDEX_URL": "https://pypi.example/simple", "PIP_NO_INDEX": "0", "TZ": "UTC"})
    told = {name: value for name, value in found.items() if name.startswith("PIP_")}
    assert told == {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INDEX": "1",
    }
    assert found["TZ"] == "UTC"
