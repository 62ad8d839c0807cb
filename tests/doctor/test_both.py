"""A text and the environment it comes from, in one answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_environments import OTHER, ZEROS, World, make_world

from mmlock.cli.main import main

SYMBOL = f"ImportError: /v/site-packages/mmcv/_ext.cpython-311-x86_64-linux-gnu.so: undefined symbol: {ZEROS}"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "env")


def put(world: World, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    words = ["doctor", "--text", text, "--python", str(world.prefix), "--gpu", "cpu"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert main([*words, "--format", "json"]) == 0
    return said, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_the_files_confirm_what_the_text_says(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.torch(exports=[OTHER])
    world.mmcv(wants=[ZEROS])
    said, data = put(world, SYMBOL, capsys)
    assert "the environment has torch 2.1.2+cpu" in said
    assert "the files of the environment confirm the cause" in said
    assert data["cause"]["symptom"] == "symbol-torch"
    assert data["confirmed_by"] != []
    assert data["cause"]["commands"] == [], "the cure of the environment stands alone"
    commands = [one["command"] for one in data["environment"]["commands"]]
    assert any(line.startswith("mmlock solve --gpu cpu") for line in commands)


@pytest.mark.slow
def test_a_text_of_another_environment_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.torch()
    world.mmcv()
    said, data = put(world, SYMBOL, capsys)
    assert "the files of the environment do not confirm it" in said
    assert data["confirmed_by"] == []
    assert data["cause"]["commands"] != [], "nothing is wrong here, so what cures the text holds"


@pytest.mark.slow
def test_a_missing_module_that_is_there(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.torch()
    world.mmcv()
    said, _ = put(world, "ModuleNotFoundError: No module named 'mmcv'", capsys)
    assert "this environment has `mmcv` (mmcv 2.1.0)" in said


@pytest.mark.slow
def test_a_missing_module_that_is_not_there(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.torch()
    said, _ = put(world, "ModuleNotFoundError: No module named 'mmdet'", capsys)
    assert "no distribution in this environment provides `mmdet`" in said


@pytest.mark.slow
def test_a_text_without_a_symptom_still_shows_the_environment(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.torch(exports=[OTHER])
    world.mmcv(wants=[ZEROS])
    said, data = put(world, "all is well", capsys)
    assert said.startswith("no known symptom in the text")
    assert data["cause"] is None
    assert data["wrong"] is True
