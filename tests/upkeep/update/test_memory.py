"""What a run tells the next: read as written, believed only as far as that can do no harm."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmlock.upkeep.forges.model import Forge, Pull, PullStanding
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob
from mmlock.upkeep.update.former_pulls import FormerPulls
from mmlock.upkeep.update.memory import (
    FormerPull,
    RunMemory,
    SeenProposal,
    read_memory,
    with_memory,
    without_memory,
)
from mmlock.upkeep.update.plan import Fate, Outcome, PullProposal
from mmlock.upkeep.update.state import PullState, with_state

WHEN = datetime(2026, 11, 28, tzinfo=timezone.utc)
BRANCH = "mmlock/torch-2.13.0"


def one(key: str = "k", *, standing: PullStanding = PullStanding.CLOSED, again: bool = False) -> FormerPull:
    return FormerPull(7, key, standing, WHEN, again)


def proposal(key: str = "k", branch: str = BRANCH) -> PullProposal:
    cause = Cause(kind=CauseKind.CORE, knob=Knob.FACTS, name="torch", version="2.13.0")
    return PullProposal(branch=branch, key=key, cause=cause, title="t", pairs=("a/b",), commit="c", tree="t")


class Asked:
    """A forge that notes what it is asked."""

    def __init__(self, *pulls: Pull, labelled: Iterable[int] = ()) -> None:
        self.pulls = pulls
        self.labelled = frozenset(labelled)
        self.calls: list[str] = []

    def pulls_of(self, branch: str) -> tuple[Pull, ...]:
        self.calls.append(branch)
        return tuple(pull for pull in self.pulls if pull.branch == branch)

    def closed_with(self, label: str) -> frozenset[int]:
        self.calls.append(label)
        return self.labelled


def former_pulls(forge: Asked, *seen: SeenProposal) -> FormerPulls:
    return FormerPulls(cast("Forge", forge), RunMemory(seen))


CLOSED = Pull(
    number=7,
    branch=BRANCH,
    head="h",
    base="main",
    title="t",
    body=with_state("x", PullState(key="k", branch=BRANCH, head="h", pairs=("a/b",))),
    standing=PullStanding.CLOSED,
    created=WHEN,
)


@given(st.lists(st.text("abc/", min_size=1), max_size=4), st.booleans())
def test_it_is_read_as_it_was_written_and_people_do_not_see_it(branches: list[str], known: bool) -> None:  # noqa: FBT001
    memory = RunMemory(tuple(SeenProposal(b, "k", one() if known else None) for b in branches), ("c",))
    body = with_memory("# Text\n", memory)
    assert read_memory(body) == memory
    assert without_memory(body) == "# Text\n"


@pytest.mark.parametrize(
    "comment",
    ["", "<!-- mmlock-memory:2 W10= -->", "<!-- mmlock-memory:1 W10 -->", "<!-- mmlock-memory:1 AAAA -->"],
)
def test_what_cannot_be_read_is_an_empty_memory(comment: str) -> None:
    assert read_memory(f"text\n{comment}\n") == RunMemory()


def test_what_is_remembered_is_not_asked_again_but_for_its_label() -> None:
    forge = Asked(CLOSED)
    former = former_pulls(forge, SeenProposal(BRANCH, "k", one()))
    assert former.of([proposal()]) == {BRANCH: (one(),)}
    assert forge.calls == ["mmlock: recreate"]


def test_a_label_that_a_person_put_on_a_closed_one_is_seen() -> None:
    former = former_pulls(Asked(CLOSED, labelled=[7]), SeenProposal(BRANCH, "k", one()))
    assert former.of([proposal()]) == {BRANCH: (one(again=True),)}


def test_another_proposal_of_the_same_branch_is_asked_for() -> None:
    forge = Asked(CLOSED)
    former = former_pulls(forge, SeenProposal(BRANCH, "older", None))
    assert former.of([proposal()]) == {BRANCH: (one(),)}
    assert forge.calls == [BRANCH]


def test_nothing_is_opened_on_the_word_of_memory_alone() -> None:
    forge = Asked(CLOSED)  # it was opened, that run was killed, and a person closed it
    former = former_pulls(forge, SeenProposal(BRANCH, "k", None))
    assert former.of([proposal()]) == {BRANCH: ()}
    assert former.confirm([BRANCH, "mmlock/other"])
    assert former.known == {BRANCH: (one(),)}
    assert not former.confirm([BRANCH])
    assert forge.calls == [BRANCH]


def test_a_second_look_in_the_same_run_asks_nothing_again() -> None:
    forge = Asked(CLOSED)
    other = "mmlock/other"
    former = former_pulls(forge, SeenProposal(BRANCH, "k", one()), SeenProposal(other, "k", None))
    first = dict(former.of([proposal(), proposal(branch=other)]))
    calls = list(forge.calls)
    assert former.of([proposal(), proposal(branch=other)]) == first
    assert forge.calls == calls
    former.of([proposal(), proposal("newer", other)])  # another proposal than memory speaks of
    assert forge.calls == [*calls, other]


def test_what_has_no_pull_request_is_remembered_and_what_has_one_is_not() -> None:
    former = former_pulls(Asked(CLOSED))
    former.of([proposal(), proposal(branch="mmlock/new")])
    outcomes = [
        Outcome(proposal=proposal(), fate=Fate.IGNORED),
        Outcome(proposal=proposal(branch="mmlock/new"), fate=Fate.LIMIT_OPEN),
        Outcome(proposal=proposal(branch="mmlock/open"), fate=Fate.KEEP, pull=CLOSED),
    ]
    assert former.remember(outcomes, ["c", "b", "c"]) == RunMemory(
        (SeenProposal(BRANCH, "k", one()), SeenProposal("mmlock/new", "k", None)), ("b", "c")
    )
