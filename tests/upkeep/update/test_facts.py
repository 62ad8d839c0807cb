"""Changed facts: each cause takes those that it needs, and what moves no lock is proposed alone."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_forge import TOKEN
from fake_github import FakeGitHub
from lock_repository import LockRepository, World, small_lock

from mmlock.app.proposing import update
from mmlock.core.catalogue import Pair
from mmlock.core.report import Page
from mmlock.core.update_arguments import ForgeKind, UpdateArguments
from mmlock.facts.matrix import store
from mmlock.lock.model import LockedEnv
from mmlock.upkeep.catalogue.outcome import Outcome
from mmlock.upkeep.lock_diff import diff_locks
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob
from mmlock.upkeep.update.fact_slices import read_documents
from mmlock.upkeep.update.facts import FactState, refreshed, sliced_moves
from mmlock.upkeep.update.index_advisories import NoAdvisories
from mmlock.upkeep.update.moves import Held, Move

MATRICES = Path(__file__).parents[3] / "matrices"
FILES = ("gpus.json", "torch/builds.json", "openmmlab/index.json")
PAIR = "openmmlab/cpu"


def put_facts(folder: Path) -> None:
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MATRICES / name, folder / name)


def drop_last_row(path: Path) -> None:
    """As if the base did not have it yet."""
    document = read_documents(path.parents[1])[f"{path.parent.name}/{path.name}"]
    path.write_bytes(store.encode(document.schema, document.rows[:-1], document.sources, document.note))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout whose facts lack one build of torch and one row of the index."""
    folder = tmp_path / "tree" / "matrices"
    put_facts(folder)
    drop_last_row(folder / "torch/builds.json")
    drop_last_row(folder / "openmmlab/index.json")
    return tmp_path / "tree"


def refresh(folder: Path) -> tuple[str, ...]:
    put_facts(folder)
    return ("pypi: timed out",)


@pytest.fixture
def state(tree: Path, tmp_path: Path) -> FactState:
    return refreshed(tree, tmp_path, refresh)


def moved() -> tuple[Held, Move]:
    old = small_lock(PAIR)
    new = World._with(old, "torch", "99.0+cpu")
    cause = Cause(kind=CauseKind.CORE, knob=Knob.FACTS, name="torch", version="99.0")
    move = Move(
        pair=PAIR, stack="openmmlab", target="cpu", old=old, new=new, diff=diff_locks(old, new), cause=cause
    )
    return Held(pair=PAIR, env=old, refused=None), move


def test_a_refresh_is_seen_as_changes_and_the_checkout_stays(state: FactState, tree: Path) -> None:
    assert [(one.path, one.kind) for one in state.changes] == [
        ("openmmlab/index.json", "added"),
        ("torch/builds.json", "added"),
    ]
    assert state.unread == ("pypi: timed out",)
    assert (tree / "matrices/torch/builds.json").read_bytes() != (MATRICES / "torch/builds.json").read_bytes()


@pytest.mark.slow
def test_a_cause_takes_the_facts_about_what_moved_and_no_others(state: FactState, tmp_path: Path) -> None:
    held, move = moved()
    asked: list[Mapping[str, bool]] = []

    def solve(pairs: tuple[Pair, ...], folder: Path | None) -> Mapping[str, Outcome]:
        assert folder is not None
        has = {name: (folder / name).read_bytes() == (MATRICES / name).read_bytes() for name in FILES}
        asked.append(has)
        return {pair.name: move.new if has["torch/builds.json"] else move.old for pair in pairs}  # type: ignore[misc]

    pair = pair_of(tmp_path)
    found = sliced_moves(state, (move,), {PAIR: held}, {PAIR: pair}, tmp_path, solve)
    assert asked == [{"gpus.json": True, "torch/builds.json": True, "openmmlab/index.json": False}]
    assert list(state.files(found.changes["torch-99.0"])) == ["torch/builds.json"]
    assert [one.path for one in found.rest] == ["openmmlab/index.json"]
    assert (
        state.files(found.changes["torch-99.0"])["torch/builds.json"]
        == (MATRICES / "torch/builds.json").read_bytes()
    )


@pytest.mark.slow
def test_where_these_facts_do_not_move_the_lock_the_cause_takes_all(state: FactState, tmp_path: Path) -> None:
    held, move = moved()

    def solve(pairs: tuple[Pair, ...], folder: Path | None) -> Mapping[str, Outcome]:
        del folder
        assert isinstance(move.old, LockedEnv)
        return {pair.name: move.old for pair in pairs}

    found = sliced_moves(state, (move,), {PAIR: held}, {PAIR: pair_of(tmp_path)}, tmp_path, solve)
    assert found.changes["torch-99.0"] == state.changes
    assert found.rest == ()
    assert found.moves == (move,)


def pair_of(folder: Path) -> Pair:
    from mmlock.core.catalogue import parse_catalogue

    text = '[stacks.openmmlab]\ntargets = ["cpu"]\n'
    return parse_catalogue(text, folder / "mmlock.toml").pairs[0]


# ---------------------------------------------------------------- in a repository


@pytest.mark.slow
def test_facts_that_move_no_lock_are_a_pull_request_of_their_own(tmp_path: Path) -> None:
    world = World()
    home = LockRepository(tmp_path, world)
    put_facts(home.clone / "matrices")
    drop_last_row(home.clone / "matrices/torch/builds.json")
    for words in (["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "facts"]):
        subprocess.run(["git", "-C", str(home.clone), *words], check=True)
    subprocess.run(["git", "-C", str(home.clone), "push", "-q", str(home.bare), "main"], check=True)

    def run() -> dict[str, Any]:
        page: Page = update(
            UpdateArguments(file=home.clone / "mmlock.toml", forge=ForgeKind.GITHUB, jobs=1),
            environ=home.environ(GITHUB_TOKEN=TOKEN),
            clock=home.clock(),
            decide=world.decide,
            lookup=NoAdvisories(),
            refresh=refresh,
            transport=FakeGitHub(home.forge).transport,
        )
        assert isinstance(page.data, dict)
        return {row["branch"]: row["fate"] for row in page.data["proposals"]}

    assert run() == {"mmlock/facts": "open"}
    [pull] = home.forge.open_ones()
    assert "Changed facts: 1" in pull.body
    assert home.forge.git("diff", "--name-only", "main", "mmlock/facts") == "matrices/torch/builds.json"
    assert "pypi: timed out" in home.forge.issues[0].body
    assert run() == {"mmlock/facts": "keep"}
    home.forge.merge(pull.number)
    assert run() == {}
