"""Pairs solved anew, with facts and dates turned one at a time: what moves of the committed locks."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.catalogue import LocksArguments, Pair
from mmlock.core.progress import Progress
from mmlock.core.update_arguments import UpdateArguments
from mmlock.upkeep.catalogue.locking import DecideWith, Outcome, Solving, solve_pairs
from mmlock.upkeep.update.advisories import Lookup, led_by_security
from mmlock.upkeep.update.base import UpdateBase
from mmlock.upkeep.update.causes import Knob
from mmlock.upkeep.update.core_pins import follows_only, with_core_of
from mmlock.upkeep.update.facts import FactState, Sliced, sliced_moves
from mmlock.upkeep.update.moves import Move, Moves, differing, find_moves

__all__ = ["MoveSolver"]


class MoveSolver(Struct, frozen=True, kw_only=True):
    """What is needed to solve the pairs of a base."""

    base: UpdateBase
    facts: FactState
    solving: Solving
    decide: DecideWith
    progress: Progress

    @classmethod
    def of(
        cls,
        base: UpdateBase,
        facts: FactState,
        arguments: UpdateArguments,
        decide: DecideWith,
        progress: Progress,
    ) -> MoveSolver:
        """For one run."""
        request = LocksArguments(
            file=base.file,
            jobs=arguments.jobs,
            offline=arguments.offline,
            matrices=facts.now or arguments.matrices,
            allowed_signers=arguments.allowed_signers,
        )
        solving = Solving.of(base.catalogue, base.catalogue.pairs, request, base.trust)
        return cls(base=base, facts=facts, solving=solving, decide=decide, progress=progress)

    def moves(self) -> tuple[Moves, frozenset[str]]:
        """What moves, and all pairs that the later date alone would change."""
        base = self.base
        by_date = self._solved(self.solving, tuple(base.later.values()))
        changed = differing(base.held, by_date)
        now = self._now()
        same = {name for name in changed if base.later[name] == now[name]}
        by_facts = self._solved(self.solving, tuple(now[name] for name in changed if name not in same))
        by_facts |= {name: by_date[name] for name in same}
        moves = find_moves(base.held, by_date, by_facts, base.policy)
        dated = [move.pair for move in moves.moved if move.cause.knob is Knob.DATE]
        if self.facts.changes and dated:  # over the facts of the base, which are those of its branch
            old = replace(self.solving, matrices=self.facts.base)
            by_date |= self._solved(old, tuple(base.later[name] for name in dated))
            moves = find_moves(base.held, by_date, by_facts, base.policy)
        return moves, frozenset(name for name in changed if name not in same)

    def sliced(self, moves: Moves, place: Path) -> Sliced:
        """The same with each cause solved over the facts of the base and its own."""
        return sliced_moves(
            self.facts,
            moves.moved,
            self.base.held,
            self._now(),
            place,
            lambda pairs, folder: self._solved(replace(self.solving, matrices=folder), pairs),
        )

    def without_core(self, pairs: Collection[str], lookup: Lookup) -> tuple[Move, ...]:
        """What the later date moves of these when everything that facts decide stays as it is committed."""
        base = self.base
        held = {name: base.held[name] for name in base.later if name in pairs}
        asked = tuple(
            with_core_of(base.later[name], one.env) for name, one in held.items() if one.env is not None
        )
        old = replace(self.solving, matrices=self.facts.base) if self.facts.changes else self.solving
        moves = find_moves(held, self._solved(old, asked), {}, base.policy)
        dated = (move for move in moves.moved if follows_only(move))
        return tuple(led_by_security(dated, lookup))

    def _now(self) -> dict[str, Pair]:
        return {pair.name: pair for pair in self.base.catalogue.pairs}

    def _solved(self, solving: Solving, pairs: tuple[Pair, ...]) -> dict[str, Outcome]:
        if not pairs:
            return {}
        told = solve_pairs(solving, pairs, self.decide(solving), progress=self.progress)
        return {pair.name: outcome for pair, outcome in told}
