"""Interpreters: which one is meant, and those that do not run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_environments import OTHER, World, make_world

from mmlock.core.errors import UsageError
from mmlock.core.progress import silent
from mmlock.doctor.environment.interpreter import find_interpreter
from mmlock.doctor.environment.model import InterpreterFault, InterpreterProblem
from mmlock.doctor.environment.read import read_environment

from .conftest import matrix
from .looking import read, told


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "env")


@pytest.mark.slow
def test_an_environment_whose_base_is_gone_is_read_by_its_files(tmp_path: Path) -> None:
    world = make_world(tmp_path / "env", running=False)
    world.torch()
    world.mmcv(wants=[OTHER])
    titles = told(world)
    assert "which does not exist" in titles[0]
    assert "the compiled files of mmcv 2.1.0 do not load with torch 2.1.2+cpu" in titles


def test_two_names_of_one_folder_are_one(tmp_path: Path) -> None:
    world = make_world(tmp_path / "env")
    (world.prefix / "lib64").symlink_to("lib")
    world.torch()
    assert len([dist for dist in read(world).distributions if dist.name == "torch"]) == 1


def test_an_interpreter_that_is_none_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "python-not"
    path.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    path.chmod(0o755)
    with pytest.raises(UsageError, match="is not a Python interpreter"):
        find_interpreter(str(path), {}, tmp_path)


def test_a_file_that_only_claims_to_be_python(tmp_path: Path) -> None:
    path = tmp_path / "bin" / "python"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\necho no\nexit 3\n")
    path.chmod(0o755)
    env = read_environment(path, matrix(), (), silent)
    assert env.interpreter.fault == InterpreterFault(problem=InterpreterProblem.CRASHED, detail="exit code 3")
    assert env.distributions == ()


@pytest.mark.parametrize("name", ["nowhere", "empty", "file.txt"])
def test_what_is_no_environment_is_a_bad_request(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(UsageError):
        find_interpreter(str(tmp_path / name), {}, tmp_path)


def test_the_active_environment_is_the_default(tmp_path: Path) -> None:
    world = make_world(tmp_path / "env")
    assert (
        find_interpreter(None, {"VIRTUAL_ENV": str(world.prefix)}, tmp_path).path
        == world.prefix / "bin/python"
    )
    make_world(tmp_path / ".venv")
    assert find_interpreter(None, {}, tmp_path).path == tmp_path / ".venv" / "bin" / "python"
    found = find_interpreter(None, {"PATH": os.environ.get("PATH", "")}, tmp_path / "env").path
    assert found.name.startswith("python")
