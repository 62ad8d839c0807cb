"""The facts of an update: those of the base, those after a refresh, and the part that one cause needs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from mmlock.core.catalogue import Pair
from mmlock.facts.matrix.diff import Change, diff, lines
from mmlock.upkeep.catalogue.outcome import Outcome
from mmlock.upkeep.update.causes import CauseKind, Knob
from mmlock.upkeep.update.fact_slices import about, read_documents, sliced
from mmlock.upkeep.update.moves import Held, Move, differing, remade

__all__ = [
    "NO_FACTS",
    "FactState",
    "Refresh",
    "Sliced",
    "Solve",
    "fact_lines",
    "refreshed",
    "sliced_moves",
]

FOLDER = "matrices"
Refresh = Callable[[Path], tuple[str, ...]]
"""Rewrite a folder of facts; gives the indexes that could not be read."""
Solve = Callable[[tuple[Pair, ...], Path | None], Mapping[str, Outcome]]
"""Solve pairs with the facts in a folder."""


class FactState(Struct, frozen=True, kw_only=True):
    """The facts that a run solves with."""

    base: Path | None
    """As the base branch has them; None: those that came with mmlock, or that were named."""
    now: Path | None
    """After the refresh; the same where nothing differs."""
    changes: tuple[Change, ...] = ()
    unread: tuple[str, ...] = ()
    """Indexes that could not be read."""

    def files(self, changes: tuple[Change, ...]) -> dict[str, bytes]:
        """The files of the base that these changes make others."""
        if self.base is None or self.now is None:
            return {}
        return sliced(read_documents(self.base), read_documents(self.now), changes)

    def with_changes(self, changes: tuple[Change, ...], folder: Path) -> Path:
        """A folder of facts: those of the base with these changes."""
        assert self.base is not None
        shutil.copytree(self.base, folder)
        for name, data in self.files(changes).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder


NO_FACTS = FactState(base=None, now=None)


def refreshed(tree: Path, place: Path, refresh: Refresh | None) -> FactState:
    """The facts of a checkout, before and after a refresh. `refresh`: None, they are taken as they are."""
    folder = tree / FOLDER
    if not (folder / "gpus.json").is_file():
        return NO_FACTS
    base = place / "facts-base"
    shutil.copytree(folder, base)
    if refresh is None:
        return FactState(base=base, now=base)
    now = place / "facts-now"
    shutil.copytree(folder, now)
    unread = refresh(now)
    changes = diff(read_documents(base), read_documents(now))
    return FactState(base=base, now=now if changes else base, changes=changes, unread=unread)


class Sliced(Struct, frozen=True, kw_only=True):
    """Moves that facts caused, each over the facts of the base and those of its cause alone."""

    moves: tuple[Move, ...]
    changes: Mapping[str, tuple[Change, ...]]
    """By the slug of a cause: the changed facts that go with it."""
    rest: tuple[Change, ...]
    """Changed facts that move no lock."""


def sliced_moves(
    state: FactState,
    moves: tuple[Move, ...],
    held: Mapping[str, Held],
    pairs: Mapping[str, Pair],
    place: Path,
    solve: Solve,
) -> Sliced:
    """Solve each cause over the old facts plus that cause.

    Where the facts about the packages that moved do not move the lock by themselves, the cause takes all
    changed facts.
    """
    if not state.changes:
        return Sliced(moves=moves, changes={}, rest=())
    kept = [move for move in moves if move.cause.knob is not Knob.FACTS]
    by_cause: dict[str, list[Move]] = {}
    for move in moves:
        if move.cause.knob is Knob.FACTS:
            by_cause.setdefault(move.cause.slug, []).append(move)
    changes: dict[str, tuple[Change, ...]] = {}
    for slug, members in by_cause.items():
        moved = frozenset(one.name for m in members if m.diff for one in (*m.diff.packages, *m.diff.steps))
        part = about(state.changes, moved) if members[0].cause.kind is CauseKind.CORE else state.changes
        found: Mapping[str, Outcome] = {}
        if part and part != state.changes:
            folder = state.with_changes(part, place / f"facts-{len(changes)}")
            found = solve(tuple(pairs[m.pair] for m in members), folder)
        if set(differing(held, found)) == {m.pair for m in members}:
            kept += [remade(m, found[m.pair]) for m in members]
            changes[slug] = part
        else:
            kept += members
            changes[slug] = state.changes
    used = {id(change) for part in changes.values() for change in part}
    rest = tuple(change for change in state.changes if id(change) not in used)
    return Sliced(moves=tuple(kept), changes=changes, rest=rest)


def fact_lines(changes: tuple[Change, ...]) -> tuple[str, ...]:
    """The changes for people, one line each."""
    return tuple(f"{change.path}: {line.strip()}" for change in changes for line in list(lines([change]))[1:])
