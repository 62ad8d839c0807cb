"""The new solutions against what is committed → which locks move, and for which cause. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import normalize
from mmlock.lock.model import LockedEnv
from mmlock.lock.refused import Refused
from mmlock.upkeep.catalogue.freshness import identity
from mmlock.upkeep.catalogue.outcome import Failed, Outcome
from mmlock.upkeep.lock_diff import LockDiff, diff_locks
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob, cause_of
from mmlock.upkeep.update.policy import Policy, Split

__all__ = ["Held", "Move", "MoveGroup", "Moves", "differing", "find_moves", "grouped", "held_back", "remade"]


class Held(Struct, frozen=True, kw_only=True):
    """What is committed for a pair."""

    pair: str
    env: LockedEnv | None
    refused: Refused | None


class Move(Struct, frozen=True, kw_only=True):
    """One lock that is another one now."""

    pair: str
    stack: str
    target: str
    old: LockedEnv | None
    new: LockedEnv
    diff: LockDiff | None
    cause: Cause


class Moves(Struct, frozen=True, kw_only=True):
    """What a run found of all pairs."""

    moved: tuple[Move, ...]
    waiting: tuple[str, ...]
    """Pairs that facts move now, and for which later releases of ordinary packages wait until that is in."""
    refused: tuple[tuple[str, str, bool], ...]
    """Pair, reason, whether a lock is committed."""
    failed: tuple[tuple[str, str], ...]

    @property
    def unsure(self) -> frozenset[str]:
        """Pairs of which nothing can be said now."""
        return frozenset(pair for pair, _ in self.failed)


def differing(held: Mapping[str, Held], outcomes: Mapping[str, Outcome]) -> tuple[str, ...]:
    """The pairs whose solution is another one than what is committed."""
    return tuple(name for name, outcome in outcomes.items() if _differs(held[name], outcome))


def _differs(held: Held, outcome: Outcome) -> bool:
    if isinstance(outcome, Failed):
        return False
    if isinstance(outcome, Refused):
        return held.env is not None
    return held.env is None or identity(held.env) != identity(outcome)


def find_moves(
    held: Mapping[str, Held], by_date: Mapping[str, Outcome], by_facts: Mapping[str, Outcome], policy: Policy
) -> Moves:
    """Facts go before the date: what the date alone adds waits until they are in.

    `by_date`: with the facts of today and the later date, for every pair. `by_facts`: with the facts of today
    and the date that is committed, for the pairs that differ.
    """
    moved: list[Move] = []
    waiting: list[str] = []
    refused: list[tuple[str, str, bool]] = []
    failed: list[tuple[str, str]] = []
    for pair, later in by_date.items():
        own = held[pair]
        today = by_facts.get(pair)
        if isinstance(later, Failed) or isinstance(today, Failed):
            bad = later if isinstance(later, Failed) else today
            assert isinstance(bad, Failed)
            failed.append((pair, bad.lines[0].removeprefix("error: ") if bad.lines else "no answer"))
            continue
        if today is not None and not isinstance(today, Refused) and _differs(own, today):
            moved.append(_move(own, today, Knob.FACTS, policy))
            if isinstance(later, LockedEnv) and identity(later) != identity(today):
                waiting.append(pair)
        elif isinstance(later, Refused):
            refused.append((pair, later.error, own.env is not None))
        elif _differs(own, later):
            moved.append(_move(own, later, Knob.DATE, policy))
    return Moves(moved=tuple(moved), waiting=tuple(waiting), refused=tuple(refused), failed=tuple(failed))


def _move(held: Held, new: LockedEnv, knob: Knob, policy: Policy) -> Move:
    diff = diff_locks(held.env, new) if held.env is not None else None
    stack, _, target = held.pair.partition("/")
    if held.env is None or diff is None:
        cause = Cause(kind=CauseKind.NEW, knob=knob)
    else:
        cause = cause_of(held.env, new, diff, knob=knob, groups=policy.groups)
    return Move(pair=held.pair, stack=stack, target=target, old=held.env, new=new, diff=diff, cause=cause)


def remade(move: Move, outcome: Outcome) -> Move:
    """The same move to another solution; its cause stays what it was."""
    assert isinstance(outcome, LockedEnv)
    diff = diff_locks(move.old, outcome) if move.old is not None else None
    return replace(move, new=outcome, diff=diff)


# ---------------------------------------------------------------- groups


class MoveGroup(Struct, frozen=True, kw_only=True):
    """What becomes one pull request."""

    cause: Cause
    apart: str
    """The stack or target that it is for; empty: for all."""
    moves: tuple[Move, ...]
    about: str = ""
    """Of a group without locks: what makes it another proposal."""

    @property
    def branch(self) -> str:
        """Without the prefix."""
        slug = f"{self.cause.slug}-{self.apart}" if self.apart else self.cause.slug
        return "".join(c if c.isalnum() or c in "-." else "-" for c in slug.lower()).strip("-.")

    @property
    def pairs(self) -> tuple[str, ...]:
        return tuple(move.pair for move in self.moves)

    @property
    def key(self) -> str:
        """What is proposed: the versions that the locks move to, whatever the base and the day."""
        told = self.about
        if self.cause.kind is not CauseKind.CORE:  # a release is its own name, whatever else moves with it
            told += "\0".join(f"{move.pair} {identity(move.new)}" for move in self.moves)
        return hashlib.sha256(f"{self.cause.slug}\0{self.apart}\0{told}".encode()).hexdigest()[:32]


def grouped(moves: Iterable[Move], policy: Policy, claimed: Mapping[str, str]) -> tuple[MoveGroup, ...]:
    """One group per cause, and per stack or target as the policy says.

    `claimed`: pairs in pull requests that are left alone: pair → branch. They stay where they are.
    """
    found: dict[tuple[Cause, str], list[Move]] = {}
    for move in moves:
        apart = {Split.CAUSE: "", Split.STACK: move.stack, Split.TARGET: move.target}[policy.split]
        found.setdefault((move.cause, apart), []).append(move)
    groups = []
    for (cause, apart), members in found.items():
        group = MoveGroup(cause=cause, apart=apart, moves=tuple(members))
        branch = policy.branch_prefix + group.branch
        free = tuple(m for m in members if claimed.get(m.pair, branch) == branch)
        if free:
            groups.append(MoveGroup(cause=cause, apart=apart, moves=free))
    return tuple(sorted(groups, key=lambda one: (one.cause.rank, one.apart)))


def held_back(group: MoveGroup, policy: Policy) -> str | None:
    """What of the policy forbids the group: `ignore` or `allowed`; None: nothing."""
    for move in group.moves:
        changes: Sequence[object] = () if move.diff is None else (*move.diff.packages, *move.diff.steps)
        for change in changes:
            name, new = normalize(getattr(change, "name", "")), getattr(change, "new", None)
            if name in policy.ignore:
                return f"`ignore` names {name}"
            if new and (outside := policy.leaves_range(name, new.partition(" ")[0])):
                return f"`allowed` says {outside}, and it would be {new}"
    return None
