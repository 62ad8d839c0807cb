"""Groups of moved locks → commits on top of the base, in a work tree apart from the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from mmlock.core.catalogue import Catalogue, Pair
from mmlock.files.atomic import write_aside
from mmlock.upkeep.catalogue.state import entries, write_entry
from mmlock.upkeep.catalogue.table import put_table
from mmlock.upkeep.update.body import title
from mmlock.upkeep.update.causes import Knob
from mmlock.upkeep.update.dates import moved
from mmlock.upkeep.update.git import Git
from mmlock.upkeep.update.moves import MoveGroup, held_back
from mmlock.upkeep.update.plan import Proposal
from mmlock.upkeep.update.policy import Policy
from mmlock.upkeep.update.state import trailer
from mmlock.validate.attest.trust import Trust

__all__ = ["Made", "Workshop"]


class Made(Struct, frozen=True, kw_only=True):
    """A group with its commit."""

    group: MoveGroup
    proposal: Proposal
    ran: Mapping[str, str]
    """What was run of its locks: pair → in words."""


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
    validate: Callable[[Pair], str | None]
    """Build, install and run a lock that was written; what ran, None where the policy wants nothing.

    Raises MmlockError when it fails."""

    def make(self, group: MoveGroup) -> Made:
        """Write its locks, facts and date onto the base and commit that. Raises MmlockError."""
        self.tree.reset(self.base)
        paths = [*self.put_facts(group)]
        if group.cause.knob is Knob.DATE and group.moves:
            whole = self.others <= set(group.pairs)
            text = moved(self.file.read_text(encoding="utf-8"), self.date, group.pairs, whole=whole)
            write_aside(self.file, text.encode(), mode=None)
            paths.append(str(self.file))
        ran: dict[str, str] = {}
        for move in group.moves:
            pair = self.pairs[move.pair]
            if group.cause.knob is Knob.FACTS:
                pair = next(one for one in self.catalogue.pairs if one.name == move.pair)
            write_entry(pair, move.new, self.trust)
            if (told := self.validate(pair)) is not None:
                ran[move.pair] = told
            assert pair.request.out is not None
            paths.append(str(pair.request.out))
        if self.catalogue.table is not None and group.moves:
            put_table(self.catalogue.table, entries(self.catalogue, self.trust), self.catalogue.folder)
            paths.append(str(self.catalogue.table))
        return Made(group=group, proposal=self._proposal(group, self.tree.stage(paths)), ran=ran)

    def _proposal(self, group: MoveGroup, tree: str) -> Proposal:
        branch = f"{self.policy.branch_prefix}{group.branch}"
        said = title(group.cause, group.pairs, apart=group.apart)
        head = self.policy.commit_message.replace("{title}", said).replace("{cause}", group.cause.title)
        message = f"{head}\n\n{_listed(group)}{trailer(tree, branch)}\n"
        return Proposal(
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
