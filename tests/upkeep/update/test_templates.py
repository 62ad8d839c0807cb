"""The workflows to copy: their shell steps, run as a runner does, with programs that note their calls."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

TEMPLATES = Path(__file__).parents[3] / "resolver" / "mmlock" / "templates"
COMMIT = "0a" * 20


def step(file: str, name: str) -> dict[str, Any]:
    document = yaml.safe_load((TEMPLATES / file).read_text(encoding="utf-8"))
    steps = [one for job in document["jobs"].values() for one in job["steps"]]
    found = next(one for one in steps if one.get("name") == name)
    assert isinstance(found, dict)
    return found


def program(folder: Path, name: str, lines: str) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def run(home: Path, file: str, name: str, **variables: str) -> None:
    """https://docs.github.com/actions/reference/workflow-syntax-for-github-actions#jobsjob_idstepsshell."""
    one = step(file, name)
    shell = (
        ["bash", "--noprofile", "--norc", "-eo", "pipefail"] if one.get("shell") == "bash" else ["bash", "-e"]
    )
    environ = {
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(home),
        "GITHUB_STEP_SUMMARY": str(home / "summary"),
        "GITHUB_REPOSITORY": "team/locks",
        "GITHUB_API_URL": "https://forge.example.org/api/v1",
        **variables,
    }
    subprocess.run([*shell, "-c", one["run"]], cwd=home, env=environ, check=True, capture_output=True)


@pytest.mark.parametrize("file", ["update.yml", "forgejo/update.yml"])
def test_an_update_that_fails_is_red(tmp_path: Path, file: str) -> None:
    program(tmp_path / "bin", "mmlock", "echo told; exit 2")
    with pytest.raises(subprocess.CalledProcessError):
        run(tmp_path, file, "Update")


def test_what_an_update_says_is_in_the_summary(tmp_path: Path) -> None:
    program(tmp_path / "bin", "mmlock", 'echo "$*"')
    run(tmp_path, "update.yml", "Update")
    assert (tmp_path / "summary").read_text() == "update --forge github --no-progress\n"


@pytest.mark.parametrize("file", ["validate.yml", "forgejo/validate.yml"])
def test_kernels_that_fail_are_red(tmp_path: Path, file: str) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "pylock.toml").write_text("")
    program(tmp_path / "mmlock" / "bin", "mmlock", 'echo "$1" >> "$RUNNER_TEMP/calls"; test "$1" = build')
    with pytest.raises(subprocess.CalledProcessError):
        run(tmp_path, file, "Run its kernels", LOCK="locks")
    assert (tmp_path / "calls").read_text() == "build\nvalidate\n"


@pytest.mark.parametrize("result", ["success", "failure", "cancelled"])
def test_a_verdict_is_said_beside_the_commit(tmp_path: Path, result: str) -> None:
    program(tmp_path / "bin", "gh", 'printf "%s\\n" "$@" > "$RUNNER_TEMP/call"')
    run(
        tmp_path,
        "validate.yml",
        "Say so beside the commit",
        RESULT=result,
        COMMIT=COMMIT,
        LOCK="locks/a/t4",
        RUN="u",
    )
    said = (tmp_path / "call").read_text().splitlines()
    assert said[:2] == ["api", f"repos/team/locks/statuses/{COMMIT}"]
    assert f"state={'success' if result == 'success' else 'failure'}" in said
    assert "context=mmlock/validated: t4" in said


@pytest.mark.parametrize("result", ["success", "failure"])
def test_a_verdict_is_said_to_forgejo_without_showing_the_token(tmp_path: Path, result: str) -> None:
    program(tmp_path / "bin", "curl", 'printf "%s\\n" "$@" > "$RUNNER_TEMP/call"')
    words = {"RESULT": result, "COMMIT": COMMIT, "TOKEN": "secret-word"}
    run(tmp_path, "forgejo/validate.yml", "Say so beside the commit", LOCK="locks/a/t4", **words)
    assert "secret-word" not in (tmp_path / "call").read_text()
    assert (tmp_path / "curl").read_text() == 'header = "Authorization: token secret-word"\n'
    assert stat.S_IMODE((tmp_path / "curl").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "status.json").read_text()) == {
        "state": result,
        "context": "mmlock/validated: t4",
        "description": f"kernels of locks/a/t4: {result}",
    }
    with pytest.raises(subprocess.CalledProcessError):
        run(tmp_path, "forgejo/validate.yml", "Say so beside the commit", LOCK='a", "x": "', **words)


def test_the_guide_shows_what_keeps_dependabot_off_as_it_is_shipped() -> None:
    shipped = (TEMPLATES / "dependabot" / "dependabot.yml").read_text(encoding="utf-8").partition("\n")[2]
    guide = TEMPLATES.parents[2] / "docs" / "guides" / "updates.md"
    assert f"```yaml\n{shipped}```" in guide.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.yml")), ids=lambda path: path.name)
def test_no_template_takes_mmlock_from_the_package_index_or_an_image_by_its_name(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"pip install[^\n]*\bmmlock\b(?!/bin)", text)
    assert all("@sha256:" in line for line in text.splitlines() if line.strip().startswith("image:"))
    used = re.findall(r"- uses: (\S+)", text)
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one) for one in used)
