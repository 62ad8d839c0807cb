"""A plan done on a remote and a forge, in an order in which a crash never misleads the next run.

The branch is pushed first, then statuses, then the pull request, whose text names the commit: a text that
names another one is an unfinished run, and the next one finishes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct, field

from mmlock.core.progress import Progress
from mmlock.upkeep.forges.model import CommitStatus, Forge, NewPull, Pull
from mmlock.upkeep.update.body import RECREATE
from mmlock.upkeep.update.dashboard import Numbered
from mmlock.upkeep.update.git import Git, PushRejected
from mmlock.upkeep.update.plan import (
    Action,
    Close,
    CloseReason,
    Fate,
    Publish,
    PullProposal,
    SayEdited,
    UpdatePlan,
)
from mmlock.upkeep.update.policy import Policy
from mmlock.upkeep.update.state import PullState, marker, without_state

__all__ = ["CarryOut", "Done"]

BodyOf = Callable[[PullProposal, PullState], str]
StatusesOf = Callable[[PullProposal], Iterable[CommitStatus]]


class Done(Struct):
    """What was done."""

    numbers: dict[str, Numbered] = field(default_factory=dict)
    """By branch: pull requests that are open now."""
    lines: list[str] = field(default_factory=list)
    """For people, in order."""
    rejected: list[str] = field(default_factory=list)
    """Branches that another run or a person pushed to meanwhile."""
    pushed: int = 0
    opened: int = 0
    closed: int = 0


class CarryOut(Struct, frozen=True, kw_only=True):
    """What is needed to do a plan."""

    forge: Forge
    git: Git
    base: str
    policy: Policy
    body_of: BodyOf
    statuses_of: StatusesOf
    may_merge: Callable[[PullProposal], bool]
    progress: Progress
    said: frozenset[str] = frozenset()
    """Commits of others of which their pull requests are known to tell."""

    def do(self, plan: UpdatePlan) -> Done:
        """Do it. Raises ForgeFault or GitFault; what was done by then is whole."""
        done = Done()
        for outcome in plan.outcomes:
            if outcome.pull is not None:
                done.numbers[outcome.proposal.branch] = _numbered(outcome.pull)
        for action in sorted(plan.actions, key=lambda one: not isinstance(one, Publish)):
            self._one(action, done)
        for outcome in plan.outcomes:
            if outcome.fate is Fate.KEEP and outcome.pull is not None and self.may_merge(outcome.proposal):
                self._merge(outcome.proposal, outcome.pull, outcome.pull.head, done)
        return done

    def _one(self, action: Action, done: Done) -> None:
        if isinstance(action, Publish):
            self._publish(action, done)
        elif isinstance(action, Close):
            self._close(action, done)
        elif isinstance(action, SayEdited):
            self._say_edited(action.pull, done)

    # ------------------------------------------------------------ publish

    def _publish(self, action: Publish, done: Done) -> None:
        proposal = action.proposal
        head = proposal.commit if action.push else (action.expected or "")
        if action.push:
            self.progress(f"pushing {proposal.branch}")
            try:
                self.git.push(self.forge.remote, proposal.commit, proposal.branch, action.expected)
            except PushRejected as error:
                # Nothing is half done: without its branch there is no pull request.
                done.rejected.append(proposal.branch)
                done.lines.append(
                    f"{proposal.branch}: not pushed: {error.causes[0] if error.causes else error}"
                )
                return
            done.pushed += 1
        for status in self.statuses_of(proposal):
            self.forge.set_status(head, status)
        state = PullState(key=proposal.key, branch=proposal.branch, head=head, pairs=proposal.pairs)
        body = self.body_of(proposal, state)
        if action.pull is None:
            pull = self._open(proposal, body, done)
        else:
            pull = action.pull
            self.forge.edit_pull(pull.number, title=proposal.title, body=body)
            if action.drop_label:
                self.forge.drop_label(pull.number, RECREATE)
            done.lines.append(
                f"{proposal.branch}: {'made again' if action.push else 'text updated'}{_at(pull)}"
            )
        done.numbers[proposal.branch] = _numbered(pull)
        if self.may_merge(proposal):
            self._merge(proposal, pull, head, done)

    def _open(self, proposal: PullProposal, body: str, done: Done) -> Pull:
        new = NewPull(
            branch=proposal.branch,
            base=self.base,
            title=proposal.title,
            body=body,
            labels=self.policy.labels,
            reviewers=self.policy.reviewers,
        )
        pull = self.forge.open_pull(new)
        if pull.body != body:  # one that was opened meanwhile
            self.forge.edit_pull(pull.number, title=proposal.title, body=body)
        done.opened += 1
        done.lines.append(f"{proposal.branch}: opened{_at(pull)}")
        return pull

    def _merge(self, proposal: PullProposal, pull: Pull, head: str, done: Done) -> None:
        if self.forge.merge_pull(pull.number, head):
            done.lines.append(f"{proposal.branch}: merged{_at(pull)}")
            done.numbers.pop(proposal.branch, None)

    # ------------------------------------------------------------ close

    def _close(self, action: Close, done: Done) -> None:
        pull = action.pull
        heirs = [done.numbers[name] for name in action.by if name in done.numbers]
        if action.reason is CloseReason.SUPERSEDED and not heirs:
            return  # what replaces it could not be opened: it stays
        self._say(pull.number, marker("closed", pull.branch), _WORDS[action.reason](heirs))
        self.forge.close_pull(pull.number, body=without_state(pull.body))
        done.closed += 1
        done.numbers.pop(pull.branch, None)
        done.lines.append(f"{pull.branch}: closed{_at(pull)}")
        if action.branch is not None:
            try:
                self.git.delete(self.forge.remote, pull.branch, action.branch.head)
            except PushRejected:
                done.rejected.append(pull.branch)

    def _say_edited(self, pull: Pull, done: Done) -> None:
        if pull.head in self.said:
            return
        said = (
            "Somebody else pushed to this branch, so mmlock leaves it alone. To have it made again, tick the "
            f"box in the description or add the label `{RECREATE}`: what was pushed is lost then."
        )
        if self._say(pull.number, marker("edited", pull.head), said):
            done.lines.append(f"{pull.branch}: somebody else pushed to it; left alone{_at(pull)}")

    def _say(self, number: int, mark: str, words: str) -> bool:
        """Say something once; whether it was said now."""
        if any(mark in comment for comment in self.forge.comments(number)):
            return False
        self.forge.comment(number, f"{words}\n\n{mark}\n")
        return True


_WORDS: Mapping[CloseReason, Callable[[list[Numbered]], str]] = {
    CloseReason.SUPERSEDED: lambda heirs: (
        f"Superseded by {', '.join(f'#{one.number}' for one in heirs)}: a later update has these locks."
    ),
    CloseReason.NOT_NEEDED: lambda heirs: (  # noqa: ARG005
        "Not needed any more: solved today, the base branch has these locks already or they move otherwise."
    ),
    CloseReason.POLICY: lambda heirs: (  # noqa: ARG005
        "The policy in `mmlock.toml` does not propose this any more: see `ignore` and `allowed` there."
    ),
}


def _numbered(pull: Pull) -> Numbered:
    return Numbered(number=pull.number, url=pull.url)


def _at(pull: Pull) -> str:
    return f" (#{pull.number} {pull.url})" if pull.url else f" (#{pull.number})"
