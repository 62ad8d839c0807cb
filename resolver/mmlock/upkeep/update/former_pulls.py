"""What became of the pull requests of proposals that have none now, with as few questions as it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from mmlock.upkeep.forges.model import Forge, PullStanding
from mmlock.upkeep.update.body import RECREATE
from mmlock.upkeep.update.memory import MOST, FormerPull, RunMemory, SeenProposal, former
from mmlock.upkeep.update.plan import WAITING, Fate, Outcome, PullProposal

__all__ = ["FormerPulls"]

_WITHOUT_PULL = WAITING | {Fate.EDITED, Fate.IGNORED}


class FormerPulls:
    """Asks the forge for what the last run did not remember, and for what something is opened upon."""

    def __init__(self, forge: Forge, memory: RunMemory) -> None:
        self.forge = forge
        self.seen = memory.seen()
        self.known: dict[str, tuple[FormerPull, ...]] = {}
        self.unsure: set[str] = set()
        """Branches that are known from memory alone."""
        self.asked: set[str] = set()
        """Branches that the forge was asked about: once in a run."""
        self.again: frozenset[int] | None = None
        """Closed ones with the label that asks for another; None: nobody looked yet."""

    def of(self, proposals: Iterable[PullProposal]) -> Mapping[str, tuple[FormerPull, ...]]:
        """By branch, newest first. Raises ForgeFault."""
        remembered: dict[str, FormerPull | None] = {}
        for proposal in proposals:
            seen = self.seen.get(proposal.branch)
            if proposal.branch in self.asked:
                continue
            if seen is not None and seen.key == proposal.key:
                remembered[proposal.branch] = seen.pull
            else:
                self._ask(proposal.branch)
        closed = [one for one in remembered.values() if one and one.standing is PullStanding.CLOSED]
        if closed and self.again is None:
            self.again = self.forge.closed_with(RECREATE)
        again = self.again or frozenset()
        for branch, pull in remembered.items():
            self.known[branch] = (replace(pull, again=pull.number in again),) if pull is not None else ()
            self.unsure.add(branch)
        return self.known

    def confirm(self, branches: Iterable[str]) -> bool:
        """Ask about those of these branches that are known from memory alone; whether there were any."""
        asked = sorted(self.unsure & set(branches))
        for branch in asked:
            self._ask(branch)
        return bool(asked)

    def _ask(self, branch: str) -> None:
        self.asked.add(branch)
        self.unsure.discard(branch)
        pulls = self.forge.pulls_of(branch)
        self.known[branch] = tuple(former(pull, again=RECREATE in pull.labels) for pull in pulls)

    def remember(self, outcomes: Iterable[Outcome], said: Iterable[str]) -> RunMemory:
        """What the next run need not ask. `said`: commits of others that their pull requests tell of."""
        proposals = (
            SeenProposal(one.proposal.branch, one.proposal.key, self._newest(one.proposal))
            for one in outcomes
            if one.pull is None and one.fate in _WITHOUT_PULL and one.proposal.branch in self.known
        )
        return RunMemory(tuple(proposals)[:MOST], tuple(sorted(set(said)))[:MOST])

    def _newest(self, proposal: PullProposal) -> FormerPull | None:
        return next((one for one in self.known[proposal.branch] if one.key == proposal.key), None)
