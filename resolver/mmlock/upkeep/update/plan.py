"""What is there and what is proposed → what to do. Pure: time and everything seen are passed in.

Rules, in the order of their force:
- a branch that someone else pushed to is left alone, unless a person asks to have it made again;
- what a person closed stays closed, until something newer is proposed or a person asks for it;
- a lock is in at most one open pull request of ours;
- outside the schedule, or beyond a limit, nothing new is opened; a tick on the dashboard goes before both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from mmlock.core.names import StrEnum
from mmlock.upkeep.forges.model import Pull, PullStanding
from mmlock.upkeep.update.body import RECREATE
from mmlock.upkeep.update.causes import Cause
from mmlock.upkeep.update.memory import FormerPull
from mmlock.upkeep.update.policy import Policy, Rebase
from mmlock.upkeep.update.schedule import in_window
from mmlock.upkeep.update.state import PullState, read_state, ticked

__all__ = [
    "WAITING",
    "Branch",
    "Close",
    "CloseReason",
    "Fate",
    "Observed",
    "Outcome",
    "Publish",
    "PullProposal",
    "SayEdited",
    "UpdatePlan",
    "edited_pairs",
    "make_plan",
    "our_pulls",
]


class Branch(Struct, frozen=True, kw_only=True):
    """A branch below our prefix, as it is on the remote."""

    name: str
    head: str
    tree: str
    ours: bool
    """Whether its last commit is one that we made and nobody changed."""
    on_base: bool
    """Whether that commit is right on top of the base."""
    conflicts: bool
    """Whether merging it into the base needs a person."""


class PullProposal(Struct, frozen=True, kw_only=True):
    """Locks that moved for one cause, as a commit on top of the base."""

    branch: str
    key: str
    cause: Cause
    title: str
    pairs: tuple[str, ...]
    commit: str
    tree: str
    held_back: str | None = None
    """Why the policy does not propose it: `ignore` or `allowed`; None: it does."""


class Observed(Struct, frozen=True, kw_only=True):
    """What the forge and the remote hold, seen before anything is done."""

    pulls: tuple[Pull, ...]
    """Open ones of the repository."""
    earlier: Mapping[str, tuple[FormerPull, ...]]
    """By branch, newest first: what became of former pull requests."""
    branches: Mapping[str, Branch]
    ticks: frozenset[tuple[str, str]] = frozenset()
    """Of the dashboard."""


class Fate(StrEnum):
    """What becomes of a proposal."""

    OPEN = "open"  # a pull request is opened
    UPDATE = "update"  # its branch or text is made again
    KEEP = "keep"  # it is open and right
    EDITED = "edited"  # somebody else pushed to its branch
    IGNORED = "ignored"  # a person closed it
    SCHEDULE = "schedule"  # it waits for its window
    LIMIT_OPEN = "limit-open"  # too many are open
    LIMIT_HOUR = "limit-hour"  # too many were opened within the hour
    TAKEN = "taken"  # a lock of it is in another pull request, which stays open
    POLICY = "policy"  # `ignore` or `allowed` holds it back


WAITING = frozenset({Fate.SCHEDULE, Fate.LIMIT_OPEN, Fate.LIMIT_HOUR, Fate.TAKEN})


class Publish(Struct, frozen=True, kw_only=True):
    """Have a proposal on its branch and in its pull request."""

    proposal: PullProposal
    push: bool
    expected: str | None
    """The head that the branch has now; None: there is none. The push is refused when it is another one."""
    pull: Pull | None
    """The open pull request; None: one is opened."""
    drop_label: bool = False


class CloseReason(StrEnum):
    """Why a pull request of ours is no longer wanted."""

    SUPERSEDED = "superseded"
    NOT_NEEDED = "not-needed"
    POLICY = "policy"


class Close(Struct, frozen=True, kw_only=True):
    """Close a pull request of ours with a word, and remove its branch."""

    pull: Pull
    reason: CloseReason
    branch: Branch | None
    by: tuple[str, ...] = ()
    """Branches of the proposals that have its locks now."""


class SayEdited(Struct, frozen=True, kw_only=True):
    """Tell in a pull request, once for each head, that it is left alone."""

    pull: Pull


Action = Publish | Close | SayEdited


class Outcome(Struct, frozen=True, kw_only=True):
    """A proposal and what becomes of it."""

    proposal: PullProposal
    fate: Fate
    pull: Pull | None = None


class UpdatePlan(Struct, frozen=True, kw_only=True):
    """What to do, in this order."""

    actions: tuple[Action, ...]
    outcomes: tuple[Outcome, ...]
    left: tuple[Pull, ...] = ()
    """Open pull requests of ours without a proposal that are left as they are."""


def our_pulls(pulls: Iterable[Pull], prefix: str) -> tuple[Pull, ...]:
    """Those that we opened: below the prefix, and with our state in their text.

    A person may remove the state; then the pull request is theirs.
    """
    return tuple(one for one in pulls if one.branch.startswith(prefix) and read_state(one.body) is not None)


def edited_pairs(observed: Observed, prefix: str) -> dict[str, str]:
    """The locks in pull requests that someone else pushed to: pair → branch. No other may have them."""
    found: dict[str, str] = {}
    for pull in our_pulls(observed.pulls, prefix):
        branch = observed.branches.get(pull.branch)
        if branch is not None and not branch.ours and not _asked(pull, observed):
            found |= dict.fromkeys(_state(pull).pairs, pull.branch)
    return found


def make_plan(
    observed: Observed,
    proposals: Sequence[PullProposal],
    policy: Policy,
    *,
    now: datetime,
    unsure: frozenset[str] = frozenset(),
) -> UpdatePlan:
    """Decide. `unsure`: locks that could not be solved now, whose pull requests stay as they are."""
    taken: frozenset[_Place] = frozenset()
    while True:  # what waits for a pull request may keep another one open; each round takes more
        planner = _Planner(observed, proposals, policy, now, taken)
        plan = planner.plan(unsure)
        found = planner.twice(plan) - taken
        if not found:
            return plan
        taken |= found


_Place = tuple[str, str]
"""A lock, and the branch of the pull request of ours that it is in."""


class _Planner:
    def __init__(
        self,
        observed: Observed,
        proposals: Sequence[PullProposal],
        policy: Policy,
        now: datetime,
        taken: frozenset[_Place],
    ) -> None:
        self.observed = observed
        self.taken = taken
        self.policy = policy
        self.now = now
        self.open_now = in_window(policy.schedule, policy.timezone, now)
        self.proposals = sorted(proposals, key=lambda one: (one.cause.rank, one.branch))
        self.by_branch = {one.branch: one for one in self.proposals}
        self.ours = {one.branch: one for one in our_pulls(observed.pulls, policy.branch_prefix)}
        self.opened_lately = sum(now - created < timedelta(hours=1) for created in self._all_created())
        # Those whose proposal is still there; what is closed in this run makes room.
        self.count = sum(branch in self.by_branch for branch in self.ours)

    def plan(self, unsure: frozenset[str]) -> UpdatePlan:
        outcomes: list[Outcome] = []
        actions: list[Action] = []
        for proposal in self.proposals:
            outcome, made = self._of(proposal)
            outcomes.append(outcome)
            actions += made
        left: list[Pull] = []
        for pull in self.ours.values():
            if pull.branch not in self.by_branch:
                action = self._without_proposal(pull, outcomes, unsure)
                if action is None or isinstance(action, SayEdited):
                    left.append(pull)
                if action is not None:
                    actions.append(action)
        return UpdatePlan(actions=tuple(actions), outcomes=tuple(outcomes), left=tuple(left))

    def twice(self, plan: UpdatePlan) -> frozenset[_Place]:
        """Locks that stay in a pull request while the plan puts them into another one."""
        closed = {one.pull.branch for one in plan.actions if isinstance(one, Close)}
        published = [one.proposal for one in plan.actions if isinstance(one, Publish)]
        made_again = {one.branch for one in published}
        stay = [one for branch, one in self.ours.items() if branch not in closed | made_again]
        return frozenset(
            (pair, pull.branch)
            for pull in stay
            for pair in _state(pull).pairs
            if any(pair in proposal.pairs for proposal in published)
        )

    # ------------------------------------------------------------ proposals

    def _is_taken(self, proposal: PullProposal) -> bool:
        return any(pair in proposal.pairs and branch != proposal.branch for pair, branch in self.taken)

    def _of(self, proposal: PullProposal) -> tuple[Outcome, list[Action]]:
        pull = self.ours.get(proposal.branch)
        if pull is not None:
            return self._of_open(proposal, pull)
        fate = self._fate_of_new(proposal)
        if fate is not Fate.OPEN:
            return Outcome(proposal=proposal, fate=fate), []
        self.count += 1
        self.opened_lately += 1
        branch = self.observed.branches.get(proposal.branch)
        push = branch is None or self._must_push(proposal, branch)
        publish = Publish(proposal=proposal, push=push, expected=branch.head if branch else None, pull=None)
        return Outcome(proposal=proposal, fate=fate), [publish]

    def _of_open(self, proposal: PullProposal, pull: Pull) -> tuple[Outcome, list[Action]]:
        branch = self.observed.branches.get(proposal.branch)
        asked = _asked(pull, self.observed)
        if proposal.held_back:
            return self._held_back(proposal, pull, branch)
        if branch is not None and not branch.ours and not asked:
            return Outcome(proposal=proposal, fate=Fate.EDITED, pull=pull), [SayEdited(pull=pull)]
        if self._is_taken(proposal):
            return Outcome(proposal=proposal, fate=Fate.TAKEN, pull=pull), []
        push = branch is None or asked or self._must_push(proposal, branch)
        if push and not asked and not self._may_push(branch):
            return Outcome(proposal=proposal, fate=Fate.SCHEDULE, pull=pull), []
        head = proposal.commit if push else (branch.head if branch else "")
        stale = _state(pull) != _wanted(proposal, head) or pull.title != proposal.title or asked
        if not push and not stale:
            return Outcome(proposal=proposal, fate=Fate.KEEP, pull=pull), []
        publish = Publish(
            proposal=proposal,
            push=push,
            expected=branch.head if branch else None,
            pull=pull,
            drop_label=RECREATE in pull.labels,
        )
        return Outcome(proposal=proposal, fate=Fate.UPDATE, pull=pull), [publish]

    def _held_back(
        self, proposal: PullProposal, pull: Pull, branch: Branch | None
    ) -> tuple[Outcome, list[Action]]:
        """A pull request that the policy of today would not open."""
        if branch is not None and not branch.ours:
            return Outcome(proposal=proposal, fate=Fate.EDITED, pull=pull), [SayEdited(pull=pull)]
        close = Close(pull=pull, reason=CloseReason.POLICY, branch=branch)
        self.count -= 1
        return Outcome(proposal=proposal, fate=Fate.POLICY), [close]

    def _fate_of_new(self, proposal: PullProposal) -> Fate:  # noqa: PLR0911 - one rule each
        branch = self.observed.branches.get(proposal.branch)
        wanted = self._wanted_now(proposal.branch)
        if proposal.held_back:
            return Fate.POLICY
        if self._closed_by_person(proposal) and not wanted:
            return Fate.IGNORED
        if branch is not None and not branch.ours and not wanted:
            return Fate.EDITED
        if self._is_taken(proposal):
            return Fate.TAKEN
        if wanted:
            return Fate.OPEN
        if not self.open_now:
            return Fate.SCHEDULE
        if self.policy.limit_open and self.count >= self.policy.limit_open:
            return Fate.LIMIT_OPEN
        if self.policy.limit_hour and self.opened_lately >= self.policy.limit_hour:
            return Fate.LIMIT_HOUR
        return Fate.OPEN

    def _closed_by_person(self, proposal: PullProposal) -> bool:
        """Whether the newest pull request of this very proposal was closed unmerged, and not by us."""
        newest = next(
            (o for o in self.observed.earlier.get(proposal.branch, ()) if o.key == proposal.key), None
        )
        return newest is not None and newest.standing is PullStanding.CLOSED and not newest.again

    def _must_push(self, proposal: PullProposal, branch: Branch) -> bool:
        if branch.tree != proposal.tree and branch.on_base:
            return True
        if self.policy.rebase_when is Rebase.CONFLICTED:
            return branch.conflicts or _pull_key(self.ours.get(branch.name)) != proposal.key
        return not branch.on_base

    def _may_push(self, branch: Branch | None) -> bool:
        """A conflict is solved at any time; all else waits for the window."""
        return self.open_now or (branch is not None and branch.conflicts)

    def _wanted_now(self, branch: str) -> bool:
        return bool({("open", branch), ("recreate", branch)} & self.observed.ticks)

    def _all_created(self) -> Iterable[datetime]:
        """When pull requests of ours were opened, whatever became of them."""
        seen = {one.number: one.created for found in self.observed.earlier.values() for one in found}
        seen |= {one.number: one.created for one in self.ours.values()}
        return seen.values()

    # ------------------------------------------------------------ what has no proposal any more

    def _without_proposal(
        self, pull: Pull, outcomes: Sequence[Outcome], unsure: frozenset[str]
    ) -> Close | SayEdited | None:
        branch = self.observed.branches.get(pull.branch)
        pairs = set(_state(pull).pairs)
        if branch is not None and not branch.ours:
            return SayEdited(pull=pull)
        heirs = [one for one in outcomes if pairs & set(one.proposal.pairs)]
        if pairs & unsure or any(one.fate in WAITING for one in heirs):
            return None
        shown = tuple(one.proposal.branch for one in heirs if one.fate in {Fate.OPEN, Fate.UPDATE, Fate.KEEP})
        reason = CloseReason.SUPERSEDED if shown else CloseReason.NOT_NEEDED
        return Close(pull=pull, reason=reason, branch=branch, by=shown)


def _asked(pull: Pull, observed: Observed) -> bool:
    """Whether a person wants the branch made again: by a box, by a label, or on the dashboard."""
    ticks = {("rebase", pull.branch), ("rebase-all", ""), ("recreate", pull.branch)}
    return ("rebase", "") in ticked(pull.body) or RECREATE in pull.labels or bool(ticks & observed.ticks)


def _state(pull: Pull) -> PullState:
    state = read_state(pull.body)
    assert state is not None  # of `our_pulls`
    return state


def _pull_key(pull: Pull | None) -> str | None:
    return _state(pull).key if pull is not None else None


def _wanted(proposal: PullProposal, head: str) -> PullState:
    return PullState(key=proposal.key, branch=proposal.branch, head=head, pairs=proposal.pairs)
