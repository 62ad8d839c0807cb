"""The workflow template: its steps are run here as a shell would run them, in a repository of this test."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import textwrap
from pathlib import Path

import pytest

TEMPLATE = Path(__file__).parents[3] / "resolver" / "mmlock" / "templates" / "refresh.yml"


def step(name: str) -> str:
    """The shell lines of a step."""
    text = TEMPLATE.read_text(encoding="utf-8")
    block = text[text.index(f"- name: {name}\n") :]
    one = re.search(r"\n +run: (?!\|)(.*)\n", block)
    many = re.search(r"\n( +)run: \|\n((?:\1  .*\n|\n)+)", block)
    found = min((m for m in (one, many) if m), key=lambda m: m.start())
    return textwrap.dedent(found[found.lastindex or 1])


def program(folder: Path, name: str, lines: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A repository with facts, and programs that note how they are called."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("mmlock", "python"):
        program(tools, name, f'printf "%s\\n" "{name} $*" >> "$NOTES"')
    repository = tmp_path / "repository"
    (repository / "matrices").mkdir(parents=True)
    return repository


def run(home: Path, name: str, **variables: str) -> list[str]:
    """The calls that a step makes."""
    notes = home.parent / "notes"
    notes.write_text("")
    environ = {
        "PATH": f"{home.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "NOTES": str(notes),
        "RUNNER_TEMP": str(home.parent),
        **variables,
    }
    subprocess.run(["bash", "-e", "-c", step(name)], cwd=home, env=environ, check=True, capture_output=True)
    return notes.read_text().splitlines()


@pytest.mark.parametrize("place", [".", "git+https://git.example/team/mmlock@0a1b2c"])
def test_mmlock_is_installed_from_where_the_repository_says(home: Path, place: str) -> None:
    assert run(home, "Install mmlock", MMLOCK=place) == [f"python -m pip install --quiet {place}"]
    assert '      MMLOCK: "."' in TEMPLATE.read_text()


def test_no_step_takes_mmlock_from_the_package_index() -> None:
    assert not re.search(r"pip install[^\n]*\bmmlock\b", TEMPLATE.read_text())


def test_the_locks_are_solved_again_where_there_is_a_catalogue(home: Path) -> None:
    first = run(home, "Refresh", ONLY="")
    assert first[0] == "mmlock matrix refresh --matrices matrices --no-progress"
    assert first[1] == "mmlock matrix lint --matrices matrices"
    (home / "mmlock.toml").write_text("")
    second = run(home, "Refresh", ONLY="pypi; echo no")
    assert (
        second[0] == "mmlock matrix refresh --matrices matrices --no-progress --relock --only pypi; echo no"
    )


def test_a_refresh_that_fails_ends_the_run(home: Path) -> None:
    program(home.parent / "bin", "mmlock", "exit 2")
    with pytest.raises(subprocess.CalledProcessError):
        run(home, "Refresh", ONLY="")
