"""What holds on every forge: the same story on GitHub (by its own description), Gitea and GitLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_forge import FaultPoint
from forge_story import KINDS, Story

from mmlock.core.errors import MmlockError

pytestmark = pytest.mark.slow


@pytest.fixture(params=list(KINDS))
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Story:
    return Story(request.param, tmp_path)


def test_the_whole_story_of_an_update(story: Story) -> None:
    forge = story.forge
    for place in range(3):  # of people, so that there are several pages
        forge.git("branch", f"work-{place}", "main")
        forge.add_pull(branch=f"work-{place}", base="main", title="Work", body="by hand")
    story.release("2026-11-10", "4.1.0")
    assert story.run() == {"mmlock/packages-cpu": "open", "mmlock/packages-rtx4090": "open"}
    ours = [one for one in forge.open_ones() if one.branch.startswith("mmlock/")]
    assert [(one.labels, one.reviewers) for one in ours] == [({"deps"}, ["ada"])] * 2
    assert {one.title for one in ours} == {
        "Update ordinary packages in cpu",
        "Update ordinary packages in rtx4090",
    }
    head = forge.head("mmlock/packages-cpu")
    assert forge.statuses[head or ""]["mmlock/solved"][0] == "success"
    assert len(forge.issues) == 1

    count = len(forge.requests)
    assert set(story.run().values()) == {"keep"}
    assert len(forge.requests) - count <= 10

    forge.push_file("mmlock/packages-rtx4090", "README.md", "by hand\n")
    forge.push_file("main", "OTHER", "moved\n")
    assert story.run() == {"mmlock/packages-cpu": "update", "mmlock/packages-rtx4090": "edited"}
    story.run()
    edited = next(one for one in ours if one.branch.endswith("rtx4090"))
    assert len(edited.comments) == 1

    edited.labels.add("mmlock: recreate")
    assert story.run()["mmlock/packages-rtx4090"] == "update"
    assert edited.labels == {"deps"}

    forge.close(edited.number)
    assert story.run()["mmlock/packages-rtx4090"] == "ignored"
    forge.tick_dashboard("recreate mmlock/packages-rtx4090")
    assert story.run()["mmlock/packages-rtx4090"] == "open"
    for one in list(forge.open_ones()):
        if one.branch.startswith("mmlock/"):
            try:
                forge.merge(one.number)
            except AssertionError:  # the other was merged first, and both move dates
                story.run()
                forge.merge(one.number)
    assert story.run() == {}
    assert "3 locks, 3 of them up to date" in forge.issues[0].body


def test_one_that_is_not_needed_any_more_is_closed_with_a_word(story: Story) -> None:
    story.release("2026-11-10", "4.1.0")
    story.run()
    story.world.releases.pop()
    story.run()
    assert story.forge.open_ones() == []
    assert all(one.comments[0].startswith("Not needed any more") for one in story.forge.pulls)
    assert story.forge.branches("mmlock/") == {}


def test_what_was_done_and_not_answered_is_not_done_twice(
    story: Story, tmp_path_factory: pytest.TempPathFactory
) -> None:
    story.release("2026-11-10", "4.1.0")
    story.run()
    posts = [place for place, (method, _) in enumerate(story.forge.requests) if method == "POST"]
    for place in posts:
        again = Story(story.kind, tmp_path_factory.mktemp("again"))
        again.release("2026-11-10", "4.1.0")
        again.forge.faults[place] = FaultPoint.LOST_AFTER
        again.run()
        assert (len(again.forge.pulls), len(again.forge.issues)) == (2, 1)


# ---------------------------------------------------------------- bad surroundings


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"fork": True}, "`team/locks` is a fork"),
        ({"archived": True}, "`team/locks` is archived"),
        ({"push": False}, "the token may not push to `team/locks`"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_repository_that_cannot_be_updated_is_one_error(
    story: Story, about: dict[str, bool], says: str
) -> None:
    story.release("2026-11-10", "4.1.0")
    story.forge.repository |= about
    error = failing(story.run)
    assert error.message == says
    assert len(error.hints) == 1
    assert untouched(story)


def test_a_fork_may_be_updated_by_its_name(story: Story) -> None:
    story.release("2026-11-10", "4.1.0")
    story.forge.repository["fork"] = True
    assert set(story.run(repository="team/locks").values()) == {"open"}


def test_a_wrong_token_is_one_error_that_does_not_show_it(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.release("2026-11-10", "4.1.0")
    environ = story.repository.environ
    other = environ(MMLOCK_FORGE_TOKEN="other-token")  # noqa: S106
    monkeypatch.setattr(story.repository, "environ", lambda **_: other)
    error = failing(story.run)
    assert "answered 401" in error.message
    assert "other-token" not in "\n".join(error.lines())
    assert untouched(story)


def test_a_branch_that_the_server_protects_opens_nothing(story: Story) -> None:
    story.release("2026-11-10", "4.1.0")
    hook = story.forge.bare / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho 'GH006: Protected branch' >&2\nexit 1\n")
    hook.chmod(0o755)
    story.run()
    assert story.forge.pulls == []
    assert story.forge.branches("mmlock/") == {}


def failing(run: Callable[[], object]) -> MmlockError:
    with pytest.raises(MmlockError) as raised:
        run()
    return raised.value


def untouched(story: Story) -> bool:
    return not story.forge.pulls and not story.forge.issues and not story.forge.branches("mmlock/")
