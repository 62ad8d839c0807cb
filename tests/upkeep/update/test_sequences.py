"""Any sequence of what time, facts and people do: what must hold after every run."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from examples import MANY
from fake_forge import TOKEN, FaultPoint, Killed
from fake_github import FakeGitHub
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from lock_repository import TEXT, LockRepository, World

from mmlock.app.proposing import update
from mmlock.core.errors import MmlockError
from mmlock.core.update_arguments import ForgeKind, UpdateArguments
from mmlock.upkeep.update.index_advisories import NoAdvisories
from mmlock.upkeep.update.state import read_state

POLICY = "[update]\nlimit-open = 2\nlimit-hour = 0\n"
FAULTS = st.sampled_from(list(FaultPoint))


class Sequences(RuleBasedStateMachine):
    """A world, a forge, people, and an update that runs now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="mmlock-sequence-")
        self.world = World()
        self.repository = LockRepository(Path(self.folder.name), self.world, TEXT + POLICY)
        self.forge = self.repository.forge
        self.fake = FakeGitHub(self.forge)
        self.edited: dict[str, str] = {}
        """Branches that a person pushed to, and their heads."""
        self.closed: set[str] = set()
        """What a person closed and did not want back."""
        self.count = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    # ------------------------------------------------------------ the world

    @initialize()
    def a_first_release(self) -> None:
        self.ordinary_packages_are_released()

    @rule()
    def ordinary_packages_are_released(self) -> None:
        self.count += 1
        self.world.releases.append((f"{self.forge.now:%Y-%m-%d}T00:00:00Z", f"4.{self.count}.0"))
        self.forge.pass_time(days=4)

    @rule(pair=st.sampled_from(["openmmlab/cpu", "openmmlab/rtx4090"]))
    def facts_bring_a_newer_torch(self, pair: str) -> None:
        self.count += 1
        self.world.torch[pair] = f"9.{self.count}.0"

    @rule(pair=st.sampled_from(["openmmlab/cpu", "detection/cpu"]), down=st.booleans())
    def an_index_goes_down_or_comes_back(self, pair: str, *, down: bool) -> None:
        (self.world.broken.add if down else self.world.broken.discard)(pair)

    @rule()
    def the_base_moves(self) -> None:
        self.count += 1
        self.forge.push_file("main", f"file-{self.count}", "moved\n")

    # ------------------------------------------------------------ people

    @precondition(lambda self: self.forge.open_ones())
    @rule(data=st.data())
    def a_person_closes_one(self, data: st.DataObject) -> None:
        pull = data.draw(st.sampled_from(self.forge.open_ones()))
        state = read_state(pull.body)
        assert state is not None
        self.closed.add(state.key)
        self.forge.close(pull.number)

    @precondition(lambda self: self.forge.open_ones())
    @rule(data=st.data())
    def a_person_merges_one(self, data: st.DataObject) -> None:
        pull = data.draw(st.sampled_from(self.forge.open_ones()))
        head, base = self.forge.head(pull.branch), self.forge.head("main")
        assert head is not None
        assert base is not None
        if self.forge.git("merge-base", base, head) == base:  # else it may conflict
            self.forge.merge(pull.number)
            self.edited.pop(pull.branch, None)

    @precondition(lambda self: self.forge.open_ones())
    @rule(data=st.data())
    def a_person_pushes_to_a_branch(self, data: st.DataObject) -> None:
        pull = data.draw(st.sampled_from(self.forge.open_ones()))
        self.count += 1
        self.edited[pull.branch] = self.forge.push_file(pull.branch, "BY_HAND", f"{self.count}\n")

    @precondition(lambda self: self.forge.open_ones())
    @rule(data=st.data())
    def a_person_ticks_the_box(self, data: st.DataObject) -> None:
        pull = data.draw(st.sampled_from(self.forge.open_ones()))
        if "- [ ] <!-- mmlock:rebase -->" in pull.body:
            self.forge.tick(pull.number, "rebase")
            self.edited.pop(pull.branch, None)

    @precondition(lambda self: self.forge.issues and "[ ] <!-- mmlock:recreate" in self.forge.issues[0].body)
    @rule()
    def a_person_wants_one_back(self) -> None:
        found = re.search(r"- \[ \] <!-- mmlock:(recreate (\S+)) -->", self.forge.issues[0].body)
        assert found is not None
        self.forge.tick_dashboard(found[1])
        self.closed.clear()  # of that branch; which key it has now is for the update to say
        self.edited.pop(found[2], None)

    # ------------------------------------------------------------ runs

    @rule(place=st.integers(0, 14), point=FAULTS)
    def an_update_with_a_fault(self, place: int, point: FaultPoint) -> None:
        self.forge.faults = {len(self.forge.requests) + place: point}
        try:
            self.run_once()
        except (Killed, MmlockError):
            pass
        finally:
            self.forge.faults = {}

    @rule()
    def an_update(self) -> None:
        self.run_once()
        self.holds()
        before = self.seen()
        count = len(self.forge.requests)
        self.run_once()
        asked = self.forge.requests[count:]
        assert {method for method, _ in asked} == {"GET"}, asked
        assert self.seen() == before

    def run_once(self) -> None:
        arguments = UpdateArguments(
            file=self.repository.clone / "mmlock.toml", forge=ForgeKind.GITHUB, jobs=1, refresh=False
        )
        update(
            arguments,
            environ=self.repository.environ(GITHUB_TOKEN=TOKEN),
            clock=self.repository.clock(),
            decide=self.world.decide,
            lookup=NoAdvisories(),
            transport=self.fake.transport,
            sleep=self.forge.sleep,
        )

    def seen(self) -> tuple[Any, ...]:
        pulls = [(p.number, p.standing, p.title, p.body, tuple(p.comments)) for p in self.forge.pulls]
        return pulls, self.forge.branches("mmlock/"), [i.body for i in self.forge.issues]

    def holds(self) -> None:
        """After a run that met no fault."""
        open_ones = self.forge.open_ones()
        states = {p.number: read_state(p.body) for p in open_ones}
        held = [pair for state in states.values() if state is not None for pair in state.pairs]
        assert len(held) == len(set(held)), "a lock is in two pull requests"
        assert len({p.branch for p in open_ones}) == len(open_ones)
        for branch, head in self.edited.items():
            assert self.forge.head(branch) == head, "what a person pushed is lost"
        for state in states.values():
            assert state is None or state.key not in self.closed, "what a person closed is open again"
        assert len(self.forge.issues) == 1
        for pull in open_ones:
            state = states[pull.number]
            if state is not None and pull.branch not in self.edited:
                assert state.head == self.forge.head(pull.branch)
        said = "".join([*(p.body + "".join(p.comments) for p in self.forge.pulls), self.forge.issues[0].body])
        assert TOKEN not in said
        assert "[x]" not in said.lower() or any(
            p.standing != "open" and "[x]" in p.body for p in self.forge.pulls
        )


TestSequences = pytest.mark.slow(Sequences.TestCase)
TestSequences.settings = settings(
    max_examples=40 if MANY else 6,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
