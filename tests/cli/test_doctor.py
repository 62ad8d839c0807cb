"""The verb, with the real use case: exit codes, both forms, bad requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmlock.cli.main import main

ERROR = "RuntimeError: Trying to backward through the graph a second time"


@pytest.fixture(autouse=True)
def _facts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MMLOCK_MATRICES", str(Path(__file__).parents[2] / "matrices"))
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.slow
def test_a_text_is_diagnosed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text(f"epoch 1\n{ERROR}\n")
    assert main(["doctor", str(log)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("not the environment: ")
    assert "line 2: RuntimeError" in out
    assert main(["doctor", "--text", ERROR, "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["cause"]["symptom"] == "usage-backward-twice"
    assert data["cause"]["lines"] == [{"number": 1, "text": ERROR}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--text", "all is well"], 1, "no known symptom in the 1 lines of `--text`"),
        (["--text", " \n "], 2, "`--text` is empty"),
        (["nowhere.log"], 2, "`nowhere.log`: no such file"),
        (["."], 2, "is a folder"),
        (["x", "--text", "y"], 2, "`--text` contradicts"),
        (["--text", "x", "--python", "/no/y"], 2, "/no/y"),
        (["--python", "nowhere"], 2, "`nowhere`: no such file"),
    ],
)
def test_what_has_no_answer(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    assert main(["doctor", *words]) == code
    assert says in capsys.readouterr().err


@pytest.mark.slow
def test_zeros_are_no_empty_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(bytes(5000))
    assert main(["doctor", str(path)]) == 1
    assert "it is binary data" in capsys.readouterr().err


@pytest.mark.slow
def test_a_compiled_file_is_no_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.so"
    path.write_bytes(b"\x7fELF" + bytes(200))
    assert main(["doctor", str(path)]) == 1
    assert "it is a compiled file" in capsys.readouterr().err
