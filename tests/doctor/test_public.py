"""Public logs and broken environments: what must be said of each, and what must not.

`expected.json`: one of `must_say_any`, none of `must_not_say`, outside of what is quoted from the log.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from mmlock.cli.main import main

from .conftest import matrix

FOLDER = Path(__file__).parent / "cases" / "public"
LOGS = sorted(
    path.parent.name for path in FOLDER.glob("*/expected.json") if not path.parent.name.startswith("env-")
)
ENVIRONMENTS = sorted(path.parent.name for path in FOLDER.glob("env-*/expected.json"))
NEED_NO_INDEX = {"env-c-moved-checkout-and-its-error"}


@pytest.fixture(autouse=True)
def _facts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mmlock.doctor.doctor.open_matrix", lambda _: matrix())
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))


def expected(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((FOLDER / name / "expected.json").read_text(encoding="utf-8"))
    return told


def falls_short(said: str, log: str, wanted: dict[str, Any]) -> list[str]:
    own = "\n".join(
        line for line in said.splitlines() if line.strip() and line.strip().strip('`"') not in log
    )
    faults = [f"says {word!r}" for word in wanted["must_not_say"] if word.lower() in own.lower()]
    if not any(word.lower() in own.lower() for word in wanted["must_say_any"]):
        faults.append(f"says none of {wanted['must_say_any']}")
    return faults


@pytest.mark.parametrize("name", LOGS)
def test_a_public_log_is_read_rightly(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = expected(name)
    log = FOLDER / name / wanted["log"]
    main(["doctor", str(log)])
    told = capsys.readouterr()
    assert falls_short(told.out + told.err, log.read_text(encoding="utf-8"), wanted) == [], told.out


def check_environment(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = expected(name)
    folder = FOLDER / name
    # Its own temporary folder: the name of pytest's holds words of the test.
    with tempfile.TemporaryDirectory(dir=tmp_path) as place:
        env = Path(place) / "env"
        made = subprocess.run(
            ["bash", str(folder / wanted["make"]), str(env)], capture_output=True, check=False
        )
        assert env.is_dir(), made.stderr.decode("utf-8", "replace")
        words = [str(env) if word == "ENV" else word for word in shlex.split(wanted["arguments"])]
        here = Path.cwd()
        os.chdir(folder)
        try:
            main(words)
        finally:
            os.chdir(here)
    told = capsys.readouterr()
    said = (told.out + told.err).replace(str(env), "ENV")
    assert falls_short(said, "", wanted) == [], said


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NEED_NO_INDEX))
def test_a_broken_environment_is_read_rightly(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_environment(name, tmp_path, capsys)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("name", sorted(set(ENVIRONMENTS) - NEED_NO_INDEX))
def test_a_broken_environment_with_packages_is_read_rightly(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_environment(name, tmp_path, capsys)
