"""What people and programs get: the answer first, JSON, SARIF, the list of what is known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_environments import OTHER, ZEROS, World, make_world

from mmlock.cli.main import main

from .conftest import matrix

TEXT = """
Collecting flash-attn
ninja: build stopped: subcommand failed.
fatal error: cusparse.h: No such file or directory
Segmentation fault (core dumped)
"""


@pytest.fixture(autouse=True)
def _facts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mmlock.doctor.doctor.open_matrix", lambda _: matrix())
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "project" / ".venv")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["doctor", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_the_answer_is_in_the_first_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "--text", TEXT).splitlines()
    assert lines[0] == "cause: the CUDA toolkit lacks headers that torch needs"
    assert lines[1].startswith("do: Install the complete toolkit of torch's CUDA")


def test_other_findings_follow_by_weight_and_what_is_no_news_is_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = said(capsys, "--text", TEXT)
    others = told.partition("other findings")[2]
    assert "compiled code crashed" in others
    assert "a compile job failed" not in others


@pytest.mark.slow
def test_a_command_says_what_it_gives_or_that_nobody_tried_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line with a command is followed by one of the two."""
    for text in (TEXT, "No module named 'mmcv'", "np.int\nmodule 'numpy' has no attribute 'int'"):
        lines = said(capsys, "--text", text).splitlines()
        commands = [at for at, line in enumerate(lines) if line.startswith(("  mmlock ", "  pip "))]
        assert commands
        assert all(lines[at + 1].strip().startswith(("gives ", "not tried")) for at in commands), lines


@pytest.mark.parametrize("option", ["--format", "--output-format"])
def test_programs_get_json(capsys: pytest.CaptureFixture[str], option: str) -> None:
    data = json.loads(said(capsys, "--text", TEXT, option, "json"))
    assert data["cause"]["symptom"] == "cuda-header-missing"
    assert data["cause"]["subject"] == "flash-attn"
    assert [one["tried"] for one in data["cause"]["commands"]] == [False]


def test_code_hosts_get_sarif(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, "--text", TEXT, "--format", "sarif"))
    assert data["version"] == "2.1.0"
    (run,) = data["runs"]
    first, *others = run["results"]
    assert (first["ruleId"], first["level"]) == ("cuda-header-missing", "error")
    assert first["locations"][0]["physicalLocation"]["region"]["startLine"] == 4
    assert {one["level"] for one in others} == {"note"}
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {
        one["ruleId"] for one in run["results"]
    }


@pytest.mark.slow
def test_sarif_of_an_environment_says_whether_something_fails(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.torch(exports=[OTHER])
    world.mmcv(wants=[ZEROS])
    words = ["doctor", "--python", str(world.prefix), "--gpu", "cpu", "--format", "sarif", "--check"]
    assert main(words) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["properties"]["wrong"] is True
    assert "error" in {one["level"] for one in data["runs"][0]["results"]}


def test_the_list_names_every_symptom_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "--list")
    assert all(f"\n{row.id}: " in f"\n{told}" for row in matrix().symptoms)
    assert "sm_120" not in told.partition("arch-unknown-to-nvcc: ")[2].partition("\n")[0]
    data = json.loads(said(capsys, "--list", "--format", "json"))
    assert len(data["symptoms"]) == len(matrix().symptoms)
    assert all(row["example"].strip() for row in data["symptoms"])


def test_an_environment_is_found_in_the_project_and_named(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.torch()
    (world.prefix.parent / "pyproject.toml").write_text("")
    inner = world.prefix.parent / "src" / "deep"
    inner.mkdir(parents=True)
    (world.prefix.parent / "src" / "setup.py").write_text("")
    monkeypatch.chdir(inner)
    told = said(capsys, "--gpu", "cpu")
    assert str(world.prefix) in told
    assert "found in this project" in told


def test_conda_s_base_comes_after_the_project_s_own(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_world(tmp_path / "base")
    monkeypatch.setenv("CONDA_PREFIX", str(base.prefix))
    monkeypatch.chdir(world.prefix.parent)
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "mine")
    assert "CONDA_PREFIX names it" in said(capsys, "--gpu", "cpu")
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "base")
    assert "found in this project" in said(capsys, "--gpu", "cpu")


@pytest.mark.slow
def test_lines_that_were_cut_are_told_beside_an_environment_too(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"No module named 'mmcv'\n" + b"x" * 400_000 + b"\n")
    told = said(capsys, str(log), "--python", str(world.prefix), "--gpu", "cpu")
    assert "so long that a part of them was not read" in told


def test_no_text_for_people_shows_a_value_of_python(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.torch(exports=[OTHER])
    world.dist(
        "torchvision", "0.20.1", {"torchvision/__init__.py": b""}, requires=["numpy", "torch (==2.5.1)"]
    )
    told = said(capsys, "--python", str(world.prefix), "--gpu", "cpu")
    assert "torch==2.5.1" in told
    assert "('" not in told
