"""What an update meets: clones of every kind, races, two runs. One error with a hint, nothing half done."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_forge import TOKEN
from fake_github import FakeGitHub
from lock_repository import TEXT, LockRepository, World

from mmlock.app.proposing import update
from mmlock.core.catalogue import Pair
from mmlock.core.errors import MmlockError
from mmlock.core.report import Page
from mmlock.core.update_arguments import ForgeKind, UpdateArguments
from mmlock.files.locking import hold
from mmlock.upkeep.catalogue.outcome import Outcome
from mmlock.upkeep.update.index_advisories import NoAdvisories

pytestmark = pytest.mark.slow  # each runs git some dozens of times


@pytest.fixture
def home(tmp_path: Path) -> LockRepository:
    world = World()
    repository = LockRepository(tmp_path, world)
    world.releases.append(("2026-11-10T00:00:00Z", "4.1.0"))
    return repository


def run(
    home: LockRepository,
    kind: ForgeKind = ForgeKind.GITHUB,
    *,
    decide: Callable[[Pair], Outcome] | None = None,
    environ: dict[str, str] | None = None,
    **more: Any,
) -> Page:
    more.setdefault("file", home.clone / "mmlock.toml")
    return update(
        UpdateArguments(forge=kind, jobs=1, refresh=False, **more),
        environ=environ or home.environ(GITHUB_TOKEN=TOKEN),
        clock=home.clock(),
        decide=decide or home.world.decide,
        lookup=NoAdvisories(),
        transport=FakeGitHub(home.forge).transport,
        sleep=home.forge.sleep,
    )


def error_of(home: LockRepository, *words: Any, **more: Any) -> MmlockError:
    with pytest.raises(MmlockError) as raised:
        run(home, *words, **more)
    error = raised.value
    assert error.hints
    assert TOKEN not in "\n".join(error.lines())
    assert home.forge.pulls == []
    assert home.forge.issues == []
    assert home.forge.branches("mmlock/") == {}
    assert git(home.clone, "worktree", "list").count("\n") == 0
    return error


def git(folder: Path, *words: str) -> str:
    told = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True)
    return told.stdout.strip()


def commit(home: LockRepository, path: str, text: str | None) -> None:
    """On the base branch of the remote."""
    file = home.clone / path
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    git(home.clone, "add", "--all")
    git(home.clone, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "x")
    git(home.clone, "push", "--quiet", str(home.bare), "main")


def test_a_folder_that_is_no_repository(home: LockRepository, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    error = error_of(home, file=tmp_path / "plain" / "mmlock.toml")
    assert "is in no git repository" in error.message


def test_a_clone_without_that_remote(home: LockRepository) -> None:
    assert error_of(home, remote="upstream").message == "the repository has no remote `upstream`"


def test_a_remote_that_is_a_folder(home: LockRepository) -> None:
    git(home.clone, "remote", "set-url", "origin", str(home.bare))
    assert error_of(home).message == "the remote `origin` is at no forge"


def test_a_detached_head_where_the_current_branch_is_the_base(home: LockRepository) -> None:
    git(home.clone, "checkout", "--quiet", "--detach")
    error = error_of(home, ForgeKind.LOCAL)
    assert "no branch is checked out" in error.message
    assert run(home, ForgeKind.LOCAL, base="main").data is not None


def test_a_shallow_clone(home: LockRepository, tmp_path: Path) -> None:
    commit(home, "README.md", "more\n")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{home.bare}", "shallow")
    error = error_of(home, file=tmp_path / "shallow" / "mmlock.toml")
    assert error.message == "the clone is shallow"


def test_a_base_without_a_catalogue(home: LockRepository) -> None:
    commit(home, "mmlock.toml", None)
    (home.clone / "mmlock.toml").write_text(TEXT)  # in the work tree alone: the base counts
    assert "the branch `main` has no" in error_of(home).message


def test_a_base_that_is_not_there(home: LockRepository) -> None:
    assert error_of(home, base="develop").message == "`git fetch` failed"


def test_a_lock_with_marks_of_a_conflict(home: LockRepository) -> None:
    text = (home.clone / "lockfiles/detection/cpu/pylock.toml").read_text()
    commit(home, "lockfiles/detection/cpu/pylock.toml", f"<<<<<<< HEAD\n{text}=======\n>>>>>>> x\n")
    assert "pylock.toml" in "\n".join(error_of(home).lines())


def test_a_policy_that_cannot_be_read(home: LockRepository) -> None:
    commit(home, "mmlock.toml", TEXT + "[update]\nlimit-open = -1\n")
    assert "update.limit-open" in error_of(home).message


def test_no_token(home: LockRepository) -> None:
    error = error_of(home, environ=home.environ())
    assert error.message == "there is no token for github"
    assert "GITHUB_TOKEN" in error.hints[0]


def test_two_runs_in_one_clone_exclude_each_other(home: LockRepository) -> None:
    with hold(home.clone / ".git" / "mmlock-update.lock"):
        assert "another `mmlock update` is at work" in error_of(home).message
    run(home)
    assert len(home.forge.open_ones()) == 1


def test_two_runs_in_two_clones_open_one(home: LockRepository, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(home.bare), "second")
    git(tmp_path / "second", "remote", "set-url", "origin", home.url)
    inner: list[Page] = []

    def decide(pair: Pair) -> Outcome:
        if not inner:  # the other one does all its work while this one solves
            inner.append(run(home, file=tmp_path / "second" / "mmlock.toml", decide=home.world.decide))
        return home.world.decide(pair)

    home.forge.pass_time(seconds=1)
    page = run(home, decide=decide)
    assert len(home.forge.pulls) == 1
    assert len(home.forge.issues) == 1
    assert isinstance(page.data, dict)
    run(home)
    assert len(home.forge.pulls) == 1


def test_a_branch_that_somebody_makes_meanwhile_is_not_overwritten(home: LockRepository) -> None:
    theirs: list[str] = []

    def decide(pair: Pair) -> Outcome:
        if not theirs:
            home.forge.git("branch", "mmlock/packages", "main")
            theirs.append(home.forge.push_file("mmlock/packages", "README.md", "theirs\n"))
        return home.world.decide(pair)

    page = run(home, decide=decide)
    assert isinstance(page.data, dict)
    assert page.data["rejected"] == ["mmlock/packages"]
    assert home.forge.head("mmlock/packages") == theirs[0]
    assert home.forge.pulls == []


def test_a_base_that_moves_while_locks_are_solved_is_caught_up_with_by_the_next_run(
    home: LockRepository,
) -> None:
    moved: list[str] = []

    def decide(pair: Pair) -> Outcome:
        if not moved:
            moved.append(home.forge.push_file("main", "README.md", "moved\n"))
        return home.world.decide(pair)

    run(home, decide=decide)
    assert home.forge.git("rev-parse", "mmlock/packages^") != moved[0]
    run(home)
    assert home.forge.git("rev-parse", "mmlock/packages^") == moved[0]


def test_hooks_and_settings_of_the_clone_are_not_run(home: LockRepository, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for name in ("post-checkout", "pre-push", "pre-commit", "commit-msg", "reference-transaction"):
        hook = home.clone / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
        hook.chmod(0o755)
    run(home)
    assert not mark.exists()
    assert len(home.forge.open_ones()) == 1


def test_the_checkout_of_the_user_is_left_alone(home: LockRepository) -> None:
    (home.clone / "README.md").write_text("my work\n")
    (home.clone / "new.txt").write_text("mine\n")
    git(home.clone, "switch", "--quiet", "--create", "work")
    before = git(home.clone, "status", "--porcelain"), git(home.clone, "branch", "--all")
    run(home)
    assert (git(home.clone, "status", "--porcelain"), git(home.clone, "branch", "--all")) == before


def test_a_token_is_in_no_argument_and_in_no_file(
    home: LockRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mmlock.upkeep.update.git as module

    seen: list[str] = []
    ran = subprocess.run

    def spy(words: list[str], **more: Any) -> Any:
        seen.append(" ".join(words))
        return ran(words, **more)

    monkeypatch.setattr(module.subprocess, "run", spy)
    run(home)
    assert any("credential.helper=!f()" in one for one in seen)
    assert not any(TOKEN in one for one in seen)
    for folder in (home.clone, home.bare, home.bare.parent / "cache"):
        for path in folder.rglob("*"):
            assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_patches_are_written_and_apply(home: LockRepository, tmp_path: Path) -> None:
    run(home, ForgeKind.LOCAL, base="main", patches=tmp_path / "out")
    [patch] = (tmp_path / "out").glob("*.patch")
    assert "4.1.0" in patch.with_suffix(".md").read_text()
    git(home.clone, "-c", "user.name=a", "-c", "user.email=a@b", "am", "--quiet", str(patch))
    assert "4.1.0" in (home.clone / "lockfiles/detection/cpu/pylock.toml").read_text()


def test_a_dry_run_changes_nothing(home: LockRepository) -> None:
    page = run(home, dry_run=True)
    assert isinstance(page.data, dict)
    assert [row["fate"] for row in page.data["proposals"]] == ["open"]
    assert home.forge.pulls == []
    assert home.forge.branches("mmlock/") == {}
    assert {method for method, _ in home.forge.requests} == {"GET"}
