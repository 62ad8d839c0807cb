"""`mmlock locks`: the pairs of a catalogue, each solved as `mmlock solve` solves it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from mmlock.app.solving import locked_with_wishes
from mmlock.core.catalogue import LocksArguments, Pair
from mmlock.core.errors import MmlockError, NoAnswer
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.facts.matrix.model import Validation
from mmlock.lock.refused import refused
from mmlock.upkeep.catalogue.locking import DecideWith, Solving, matrix_at
from mmlock.upkeep.catalogue.locking import locks as solve_locks
from mmlock.upkeep.catalogue.outcome import Failed, Outcome

__all__ = ["PairSolver", "locks"]


def locks(request: LocksArguments, *, progress: Progress = silent, decide: DecideWith | None = None) -> Page:
    """Solve every pair and write what differs. Raises UsageError or EnvironmentFault."""
    return solve_locks(request, decide or PairSolver.of, progress=progress)


class PairSolver(Struct, frozen=True, kw_only=True):
    """Solves one pair. It goes to other processes, so it holds plain values only."""

    offline: bool
    matrices: Path | None
    validations: tuple[Validation, ...]
    """What the verdicts of all locks prove."""
    own: Mapping[str, tuple[Validation, ...]]
    """What those prove that a pair names itself, by the pair."""

    @classmethod
    def of(cls, solving: Solving) -> PairSolver:
        """With the facts and the proofs of a run."""
        return cls(
            offline=solving.offline,
            matrices=solving.matrices,
            validations=solving.proven.rows,
            own={name: one.rows for name, one in solving.own.items()},
        )

    def __call__(self, pair: Pair) -> Outcome:
        """The lock, the reason why there is none, or what failed."""
        try:
            arguments = replace(pair.request, offline=self.offline, matrices=self.matrices).checked()
            matrix = matrix_at(self.matrices)
            try:
                rows = (*self.validations, *self.own.get(pair.name, ()))
                env = locked_with_wishes(matrix, arguments, progress=silent, validations=rows)
                return replace(env, stack=pair.stack)
            except NoAnswer as error:
                return refused(pair.stack, arguments.words(), error, matrix.digest)
        except MmlockError as error:
            return Failed(lines=tuple(error.lines()))
