"""Why not newer: what the next step up would cost.

For a slot whose newest version was not taken, the problem is solved again with only newer versions of it. The
first objective that gets worse is the reason; when there is no solution at all, that is the reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.versions import is_prerelease, version
from mmlock.resolve.core_solver.problem import Engine, make_problem
from mmlock.resolve.core_solver.solution import CoreSolution, ObjectiveCost, describe
from mmlock.resolve.graph.rows import Option, Rows, mask
from mmlock.resolve.request.objectives import Objective


class NewerVersion(Struct, frozen=True, kw_only=True):
    """A newer version that was not taken."""

    slot: str
    taken: Option
    best: Option | None
    """The newer option that would cost least; None: no newer one fits the request at all."""
    worse: ObjectiveCost | None
    """The first objective that it pays more for."""


def not_newer(
    rows: Rows, solution: CoreSolution, engine: Engine, objectives: Sequence[Objective]
) -> tuple[NewerVersion, ...]:
    """For Python and every package: why the newest was not taken."""
    untaken = []
    packages = {option.slot for option in solution.packages()}
    for slot in sorted(packages | {"python"}):
        taken = solution.picked.get(slot)
        if taken is None or taken.version is None:
            continue
        newer = frozenset(
            i
            for i in rows.slots[slot]
            if (text := rows.options[i].version) is not None
            and not is_prerelease(text)
            and version(text) > version(taken.version)
            and version(text).public != version(taken.version).public
        )
        if newer:
            untaken.append(_newer(rows, solution, engine, objectives, taken, newer))
    return tuple(untaken)


def _newer(
    rows: Rows,
    solution: CoreSolution,
    engine: Engine,
    objectives: Sequence[Objective],
    taken: Option,
    newer: frozenset[int],
) -> NewerVersion:
    problem = make_problem(rows, objectives)
    picked = engine.solve(replace(problem, hard=(*problem.hard, mask(newer))))
    if picked is None:
        return NewerVersion(slot=taken.slot, taken=taken, best=None, worse=None)
    other = describe(rows, frozenset(picked), objectives)
    worse = next(
        (
            after
            for before, after in zip(solution.objectives, other.objectives, strict=True)
            if after.value > before.value
        ),
        None,
    )
    return NewerVersion(slot=taken.slot, taken=taken, best=other.picked[taken.slot], worse=worse)
