"""`mmlock update` against a GitHub that remembers: what opens, stays, closes, and what a crash leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_forge import TOKEN, FakeForge, FaultPoint, Killed
from fake_github import FakeGitHub
from lock_repository import TEXT, LockRepository, World

from mmlock.app.proposing import update
from mmlock.core.errors import EnvironmentFault
from mmlock.core.report import Page
from mmlock.core.update_arguments import ForgeKind, UpdateArguments
from mmlock.upkeep.update.branches import BranchRun
from mmlock.upkeep.update.index_advisories import NoAdvisories
from mmlock.upkeep.update.state import read_state

pytestmark = pytest.mark.slow  # each runs git some dozens of times

Home = tuple[World, LockRepository, FakeForge]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Home]:
    def made(policy: str = "", text: str = TEXT) -> Home:
        world = World()
        repository = LockRepository(tmp_path, world, text + policy)
        return world, repository, repository.forge

    return made


def run(
    home: Home, *, strict: bool = False, run_lock: Callable[[Path], BranchRun] | None = None, **more: Any
) -> Page:
    world, repository, forge = home
    fake = FakeGitHub(forge, strict=strict)
    arguments = UpdateArguments(
        file=repository.clone / "mmlock.toml", forge=ForgeKind.GITHUB, jobs=1, refresh=False, **more
    )
    return update(
        arguments,
        environ=repository.environ(GITHUB_TOKEN=TOKEN),
        clock=repository.clock(),
        decide=world.decide,
        run_lock=run_lock,
        lookup=NoAdvisories(),
        transport=fake.transport,
        sleep=forge.sleep,
    )


def fates(page: Page) -> dict[str, str]:
    assert isinstance(page.data, dict)
    return {row["branch"]: row["fate"] for row in page.data["proposals"]}


def release(world: World) -> None:
    world.releases.append(("2026-11-10T00:00:00Z", "4.1.0"))


def test_a_release_that_is_old_enough_opens_one_pull_request_for_all_locks(make: Callable[..., Home]) -> None:
    home = world, _repository, forge = make('[update]\nlabels = ["deps"]\nreviewers = ["ada"]\n')
    release(world)
    assert fates(run(home)) == {"mmlock/packages": "open"}
    [pull] = forge.open_ones()
    assert (pull.title, pull.labels, pull.reviewers) == (
        "Update ordinary packages in 3 locks",
        {"deps"},
        ["ada"],
    )
    assert "`4.0.0` → [`4.1.0`](https://pypi.org/project/filelock/4.1.0/)" in pull.body
    assert 'exclude-newer = "2026-11-25T00:00:00Z"' in forge.git("show", "mmlock/packages:mmlock.toml")
    assert "4.1.0" in forge.git("show", "mmlock/packages:lockfiles/detection/cpu/pylock.toml")
    head = forge.head("mmlock/packages")
    assert head is not None
    assert {name: state for name, (state, _) in forge.statuses[head].items()} == {
        "mmlock/solved": "success",
        "mmlock/judged": "success",
        "mmlock/built": "pending",
        "mmlock/validated": "pending",
    }


def test_a_second_run_changes_nothing_and_asks_little(make: Callable[..., Home]) -> None:
    home = world, _repository, forge = make()
    release(world)
    run(home)
    before = (forge.branches("mmlock/"), [p.body for p in forge.pulls], forge.issues[0].body)
    forge.requests.clear()
    assert fates(run(home)) == {"mmlock/packages": "keep"}
    assert (forge.branches("mmlock/"), [p.body for p in forge.pulls], forge.issues[0].body) == before
    assert len(forge.requests) <= 10
    assert {method for method, _ in forge.requests} == {"GET"}
    assert len(forge.issues) == 1


def test_a_release_that_is_too_young_waits(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    world.releases.append(("2026-11-26T00:00:00Z", "5"))
    assert fates(run(home)) == {}
    assert forge.pulls == []


def test_facts_and_the_date_are_two_causes_and_a_lock_waits_for_the_first(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    release(world)
    world.torch["openmmlab/cpu"] = "9.0.0"
    page = run(home)
    assert fates(page) == {"mmlock/torch-9.0.0": "open", "mmlock/packages": "open"}
    torch, packages = sorted(forge.open_ones(), key=lambda one: one.branch, reverse=True)
    assert forge.git("show", f"{torch.branch}:mmlock.toml") + "\n" == TEXT  # its date stays
    text = forge.git("show", f"{packages.branch}:mmlock.toml")
    assert '[pairs."detection/cpu"]' in text  # the other lock would move with that date, too
    assert '[pairs."openmmlab/cpu"]' not in text
    waits = f"Later releases of ordinary packages wait until [`#{torch.number}`]"
    assert waits in forge.issues[0].body


def test_after_both_are_merged_the_date_is_one_again(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    release(world)
    world.torch["openmmlab/cpu"] = "9.0.0"
    run(home)
    for pull in forge.open_ones():
        forge.merge(pull.number)
    run(home)
    [pull] = forge.open_ones()
    text = forge.git("show", f"{pull.branch}:mmlock.toml")
    assert "pairs" not in text
    assert 'exclude-newer = "2026-11-25T00:00:00Z"' in text
    forge.merge(pull.number)
    assert fates(run(home)) == {}


def test_a_moved_base_has_the_branch_made_again(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    release(world)
    run(home)
    base = forge.push_file("main", "README.md", "more\n")
    assert fates(run(home)) == {"mmlock/packages": "update"}
    assert forge.git("rev-parse", "mmlock/packages^") == base


def test_a_branch_that_somebody_pushed_to_is_left_alone_and_that_is_said_once(
    make: Callable[..., Home],
) -> None:
    home = world, _, forge = make()
    release(world)
    run(home)
    theirs = forge.push_file("mmlock/packages", "README.md", "by hand\n")
    forge.push_file("main", "OTHER", "moved\n")
    for _ in range(2):
        assert fates(run(home)) == {"mmlock/packages": "edited"}
    assert forge.head("mmlock/packages") == theirs
    [pull] = forge.open_ones()
    [comment] = pull.comments
    assert "leaves it alone" in comment
    assert "left alone" in forge.issues[0].body


@pytest.mark.parametrize("how", ["box", "label", "dashboard"])
def test_a_person_may_have_it_made_again_all_the_same(make: Callable[..., Home], how: str) -> None:
    home = world, _, forge = make()
    release(world)
    run(home)
    theirs = forge.push_file("mmlock/packages", "README.md", "by hand\n")
    run(home)
    [pull] = forge.open_ones()
    if how == "box":
        forge.tick(pull.number, "rebase")
    elif how == "label":
        pull.labels.add("mmlock: recreate")
    else:
        forge.tick_dashboard("rebase mmlock/packages")
    assert fates(run(home)) == {"mmlock/packages": "update"}
    assert forge.head("mmlock/packages") != theirs
    assert "[x]" not in pull.body + forge.issues[0].body
    assert "mmlock: recreate" not in pull.labels
    assert fates(run(home)) == {"mmlock/packages": "keep"}


def test_what_a_person_closed_stays_closed_until_something_newer_comes(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    release(world)
    run(home)
    forge.close(forge.open_ones()[0].number)
    for _ in range(2):
        assert fates(run(home)) == {"mmlock/packages": "ignored"}
    assert len(forge.pulls) == 1
    world.releases.append(("2026-11-20T00:00:00Z", "4.2.0"))
    assert fates(run(home)) == {"mmlock/packages": "open"}


def test_a_torch_that_a_person_refused_does_not_hold_back_ordinary_packages(
    make: Callable[..., Home],
) -> None:
    home = world, _, forge = make()
    release(world)
    world.torch["openmmlab/cpu"] = "9.0.0"
    run(home)
    forge.close(next(one.number for one in forge.open_ones() if one.branch == "mmlock/torch-9.0.0"))
    assert fates(run(home)) == {"mmlock/torch-9.0.0": "ignored", "mmlock/packages": "update"}
    lock = forge.git("show", "mmlock/packages:lockfiles/openmmlab/cpu/pylock.toml")
    assert "filelock-4.1.0-" in lock
    assert "9.0.0" not in lock
    assert "wait until" not in forge.issues[0].body
    assert set(fates(run(home)).values()) == {"ignored", "keep"}
    forge.merge(forge.open_ones()[0].number)
    assert fates(run(home)) == {"mmlock/torch-9.0.0": "ignored"}
    world.torch["openmmlab/cpu"] = "9.1.0"
    assert fates(run(home)) == {"mmlock/torch-9.1.0": "open"}


def test_a_tick_on_the_dashboard_brings_back_what_was_closed(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    release(world)
    run(home)
    forge.close(forge.open_ones()[0].number)
    run(home)
    forge.tick_dashboard("recreate mmlock/packages")
    assert fates(run(home)) == {"mmlock/packages": "open"}
    assert fates(run(home)) == {"mmlock/packages": "keep"}
    assert len(forge.open_ones()) == 1


def test_a_superseded_one_is_closed_with_a_word_and_its_branch_is_gone(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    world.torch = {"openmmlab/cpu": "9.0.0"}
    run(home)
    world.torch = {"openmmlab/cpu": "9.1.0"}
    assert fates(run(home)) == {"mmlock/torch-9.1.0": "open"}
    old, new = forge.pulls
    assert old.standing == "closed"
    assert old.comments[0].startswith(f"Superseded by #{new.number}:")
    assert list(forge.branches("mmlock/")) == ["mmlock/torch-9.1.0"]
    # We closed it, no person did: should it be the newest again, it is proposed again.
    world.torch = {"openmmlab/cpu": "9.0.0"}
    assert fates(run(home)) == {"mmlock/torch-9.0.0": "open"}


def test_a_lock_that_cannot_be_solved_now_leaves_its_pull_request_as_it_is(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    world.torch = {"openmmlab/cpu": "9.0.0"}
    run(home)
    world.broken = {"openmmlab/cpu"}
    page = run(home)
    assert len(forge.open_ones()) == 1
    assert isinstance(page.data, dict)
    assert page.data["failed"] == [{"pair": "openmmlab/cpu", "error": "the index cannot be reached"}]
    assert "the index cannot be reached" in forge.issues[0].body


def test_a_lock_without_a_solution_stays_and_the_dashboard_says_why(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    world.unsolvable = {"openmmlab/cpu"}
    run(home)
    assert forge.pulls == []
    assert "no known version satisfies" in forge.issues[0].body
    assert "the committed lock stays" in forge.issues[0].body


def test_limits_and_schedules_hold_back_and_a_tick_goes_before_them(make: Callable[..., Home]) -> None:
    policy = '[update]\nsplit = "target"\nlimit-open = 1\nschedule = ["* 12 * * *"]\n'
    home = world, _, forge = make(policy)
    release(world)
    forge.pass_time(hours=2)
    assert set(fates(run(home)).values()) == {"schedule"}
    forge.pass_time(hours=22)
    assert sorted(fates(run(home)).values()) == ["limit-open", "open"]
    forge.tick_dashboard("open mmlock/packages-rtx4090")
    assert sorted(fates(run(home)).values()) == ["keep", "open"]
    assert len(forge.open_ones()) == 2


def test_no_more_than_the_limit_are_opened_within_an_hour(make: Callable[..., Home]) -> None:
    home = world, _, forge = make('[update]\nsplit = "target"\nlimit-hour = 1\n')
    release(world)
    run(home)
    assert sorted(fates(run(home)).values()) == ["keep", "limit-hour"]
    forge.pass_time(hours=1, minutes=1)
    assert sorted(fates(run(home)).values()) == ["keep", "open"]


@pytest.mark.parametrize("policy", ['ignore = ["filelock"]', 'allowed = ["filelock<4.1"]'])
def test_what_the_policy_does_not_want_is_not_proposed(make: Callable[..., Home], policy: str) -> None:
    home = world, _, forge = make(f"[update]\n{policy}\n")
    release(world)
    assert fates(run(home)) == {"mmlock/packages": "policy"}
    assert forge.pulls == []
    assert "filelock" in forge.issues[0].body


def test_a_stack_with_a_date_of_its_own_stays_as_old_as_that(make: Callable[..., Home]) -> None:
    text = TEXT.replace(
        "[stacks.detection]\n", '[stacks.detection]\nexclude-newer = "2026-11-01T00:00:00Z"\n'
    )
    home = world, _, forge = make(text=text)
    release(world)
    run(home)
    assert "in 2 locks" in forge.open_ones()[0].title


def test_a_pull_request_of_a_fork_with_our_words_is_nobody_s(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    release(world)
    run(home)
    forge.open_ones()[0].fork = True
    forge.git("update-ref", "-d", "refs/heads/mmlock/packages")
    world.releases.pop()
    run(home)
    assert forge.pulls[0].standing == "open"


# ---------------------------------------------------------------- crashes and faults


def settled(forge: FakeForge) -> tuple[object, ...]:
    """What people see, without what differs from run to run."""
    import re

    hidden = re.compile(r"<!-- mmlock-update:1 \S+ -->")
    pulls = [
        (p.branch, p.standing, p.title, hidden.sub("", p.body)) for p in forge.pulls if p.standing == "open"
    ]
    statuses = {p.branch: forge.statuses.get(forge.head(p.branch) or "", {}) for p in forge.open_ones()}
    return pulls, statuses, [(i.title, i.body) for i in forge.issues], sorted(forge.branches("mmlock/"))


@pytest.mark.parametrize("point", [p for p in FaultPoint if p is not FaultPoint.KILLED])
def test_a_fault_at_any_one_request_changes_nothing_in_the_end(
    make: Callable[..., Home], tmp_path_factory: pytest.TempPathFactory, point: FaultPoint
) -> None:
    home = world, _, forge = make('[update]\nlabels = ["deps"]\n')
    release(world)
    run(home)
    count, wanted = len(forge.requests), settled(forge)
    assert count >= 10
    step = 1 if point in {FaultPoint.LOST_AFTER, FaultPoint.ERROR_AFTER} else 4
    for place in range(0, count, step):
        other_world = World()
        release(other_world)
        folder = tmp_path_factory.mktemp("again")
        repository = LockRepository(folder, other_world, TEXT + '[update]\nlabels = ["deps"]\n')
        repository.forge.faults[place] = point
        run((other_world, repository, repository.forge))
        assert settled(repository.forge) == wanted, (place, repository.forge.requests[place])
        if point in {FaultPoint.LIMITED, FaultPoint.SECONDARY}:
            assert repository.forge.slept == [7.0]


def test_a_run_that_is_killed_before_any_request_is_finished_by_the_next(
    make: Callable[..., Home], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = world, _, forge = make()
    release(world)
    run(home)
    count, wanted = len(forge.requests), settled(forge)
    for place in range(count):
        other_world = World()
        release(other_world)
        repository = LockRepository(tmp_path_factory.mktemp("killed"), other_world)
        other = other_world, repository, repository.forge
        repository.forge.faults[place] = FaultPoint.KILLED
        with pytest.raises(Killed):
            run(other)
        run(other)
        assert settled(repository.forge) == wanted, place
        assert len(repository.forge.pulls) == 1


# ---------------------------------------------------------------- what is run, and merged


def test_a_target_that_is_to_be_validated_is_run_before_its_pull_request_opens(
    make: Callable[..., Home],
) -> None:
    home = world, _repository, forge = make(
        '[update]\nvalidate = ["cpu"]\nautomerge = ["cpu"]\nsplit = "target"\n'
    )
    release(world)
    ran: list[str] = []

    def run_lock(folder: Path) -> BranchRun:
        assert "4.1.0" in (folder / "pylock.toml").read_text()
        assert forge.pulls == []
        ran.append(f"{folder.parent.name}/{folder.name}")
        return BranchRun(text="40 checks passed on cpu", passed=True)

    page = run(home, run_lock=run_lock)
    assert ran == ["openmmlab/cpu", "detection/cpu"]
    cpu, gpu = forge.pulls
    assert (cpu.standing, gpu.standing) == ("merged", "open")
    assert "40 checks passed on cpu" in cpu.body
    assert "nothing of these locks was run" in gpu.body
    assert forge.statuses[cpu.last_head]["mmlock/validated"] == ("success", "all kernels ran")
    assert "merged" in page.text


def test_a_lock_whose_kernels_fail_is_not_proposed(make: Callable[..., Home]) -> None:
    home = world, _, forge = make('[update]\nvalidate = ["cpu"]\nsplit = "target"\n')
    release(world)

    def run_lock(_: Path) -> BranchRun:
        raise EnvironmentFault("its validation failed", causes=["nms differs"])

    run(home, run_lock=run_lock)
    assert [one.branch for one in forge.pulls] == ["mmlock/packages-rtx4090"]
    assert "`openmmlab/cpu`: its validation failed: nms differs" in forge.issues[0].body
    assert "`detection/cpu`: not proposed: `openmmlab/cpu`, which moves with it" in forge.issues[0].body


def test_a_lock_of_a_pull_request_that_stays_is_in_no_other_one(make: Callable[..., Home]) -> None:
    home = world, _, forge = make()
    release(world)
    run(home)
    [first] = forge.open_ones()
    world.broken |= {"openmmlab/cpu", "detection/cpu"}  # not solved now: what is open for them stays as it is
    world.torch["openmmlab/rtx4090"] = "9.1.0"
    run(home)
    assert [one.number for one in forge.open_ones()] == [first.number]
    assert "a lock of it is in another open pull request" in forge.issues[0].body
    world.broken.clear()
    run(home)
    states = [read_state(one.body) for one in forge.open_ones()]
    held = [pair for state in states if state is not None for pair in state.pairs]
    assert sorted(held) == ["detection/cpu", "openmmlab/cpu", "openmmlab/rtx4090"]
    assert len(states) == 2
