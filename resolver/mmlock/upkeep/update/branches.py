"""Groups of moved locks → commits on top of the base, in a work tree apart from the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from mmlock.core.catalogue import Catalogue, Pair
from mmlock.core.errors import EnvironmentFault, MmlockError
from mmlock.files.atomic import write_aside
from mmlock.upkeep.catalogue.state import entries, write_entry
from mmlock.upkeep.catalogue.table import put_table
from mmlock.upkeep.catalogue.table import run as verdict_words
from mmlock.upkeep.update.body import title
from mmlock.upkeep.update.causes import Knob
from mmlock.upkeep.update.dates import moved
from mmlock.upkeep.update.git import Git
from mmlock.upkeep.update.moves import Move, MoveGroup, held_back
from mmlock.upkeep.update.plan import PullProposal
from mmlock.upkeep.update.policy import Policy
from mmlock.upkeep.update.state import trailer
from mmlock.validate.attest.trust import Trust
from mmlock.validate.model import Result
from mmlock.validate.own_verdict import own_verdict
from mmlock.validate.store import NAME as VERDICT

__all__ = ["BranchRun", "LockRunError", "MadeBranch", "Workshop"]


class LockRunError(EnvironmentFault):
    """A lock that is to be run before it is proposed could not be, or its kernels fail."""

    def __init__(self, pair: str, error: MmlockError) -> None:
        super().__init__(error.message, causes=error.causes, hints=error.hints, sources=error.sources)
        self.pair = pair


class BranchRun(Struct, frozen=True, kw_only=True):
    """What a validation of a lock showed."""

    text: str
    passed: bool
    """All that the lock promises was shown; False: nothing failed, and something was not shown."""


class MadeBranch(Struct, frozen=True, kw_only=True):
    """A group with its commit."""

    group: MoveGroup
    proposal: PullProposal
    ran: Mapping[str, BranchRun]
    """What was run of its locks, by pair."""


class Workshop(Struct, frozen=True, kw_only=True):
    """Where commits are made: a checkout of the base."""

    tree: Git
    file: Path
    """`mmlock.toml` in it."""
    catalogue: Catalogue
    pairs: Mapping[str, Pair]
    """As they are solved: with the date that they move to."""
    base: str
    """Commit."""
    date: str
    others: frozenset[str]
    """All pairs that would be another lock with that date."""
    policy: Policy
    trust: Trust
    now: datetime
    put_facts: Callable[[MoveGroup], tuple[str, ...]]
    """Write the facts that go with a group; gives their paths."""
    run_lock: Callable[[Path], BranchRun]
    """Build, install and run the lock in a folder; gives what ran. Raises MmlockError when it fails."""

    def make(self, group: MoveGroup, *, run: bool = False) -> MadeBranch:
        """Write its locks, facts and date onto the base and commit that. Raises MmlockError.

        `run`: build and run the locks that the policy wants validated; without it, verdicts of the branch are
        kept.
        """
        self.tree.reset(self.base)
        paths = [*self.put_facts(group)]
        if group.cause.knob is Knob.DATE and group.moves:
            whole = self.others <= set(group.pairs)
            text = moved(self.file.read_text(encoding="utf-8"), self.date, group.pairs, whole=whole)
            write_aside(self.file, text.encode(), mode=None)
            paths.append(str(self.file))
        ran: dict[str, BranchRun] = {}
        for move in group.moves:
            pair = self.pairs[move.pair]
            if group.cause.knob is Knob.FACTS:
                pair = next(one for one in self.catalogue.pairs if one.name == move.pair)
            write_entry(pair, move.new, self.trust)
            if move.target in self.policy.validate and (told := self._ran(group, pair, move, run=run)):
                ran[move.pair] = told
                write_entry(pair, move.new, self.trust)  # the lock names its verdict
            assert pair.request.out is not None
            paths.append(str(pair.request.out))
        if self.catalogue.table is not None and group.moves:
            put_table(self.catalogue.table, entries(self.catalogue, self.trust), self.catalogue.folder)
            paths.append(str(self.catalogue.table))
        return MadeBranch(group=group, proposal=self._proposal(group, self.tree.stage(paths)), ran=ran)

    def _ran(self, group: MoveGroup, pair: Pair, move: Move, *, run: bool) -> BranchRun | None:
        """What ran of a lock that was written: earlier, as the branch has it, or now."""
        folder = pair.request.out
        assert folder is not None
        held = self.tree.file_of(f"{self.policy.branch_prefix}{group.branch}", folder / VERDICT)
        if held is not None:
            write_aside(folder / VERDICT, held, mode=None)
            own = own_verdict(folder, move.new, self.trust)
            if own.counts and own.record is not None and own.record.verdict.result is not Result.FAILED:
                found = own.record.verdict
                return BranchRun(text=verdict_words(found), passed=found.result is Result.PASSED)
            (folder / VERDICT).unlink()
        if not run:
            return None
        try:
            return self.run_lock(folder)
        except MmlockError as error:
            raise LockRunError(move.pair, error) from error

    def _proposal(self, group: MoveGroup, tree: str) -> PullProposal:
        branch = f"{self.policy.branch_prefix}{group.branch}"
        said = title(group.cause, group.pairs, apart=group.apart)
        head = self.policy.commit_message.replace("{title}", said).replace("{cause}", group.cause.title)
        message = f"{head}\n\n{_listed(group)}{trailer(tree, branch)}\n"
        return PullProposal(
            branch=branch,
            key=group.key,
            cause=group.cause,
            title=said,
            pairs=group.pairs,
            commit=self.tree.commit(tree, self.base, message, self.now),
            tree=tree,
            held_back=held_back(group, self.policy),
        )


def _listed(group: MoveGroup) -> str:
    lines = "\n".join(group.pairs)
    return f"{lines}\n\n" if lines else ""
