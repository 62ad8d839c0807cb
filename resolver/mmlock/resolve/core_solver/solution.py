"""What the core decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from mmlock.facts.matrix.model import Toolchain, TorchBuild
from mmlock.resolve.core_solver.problem import Engine, make_problem
from mmlock.resolve.graph.rows import (
    Incompatibility,
    Link,
    Option,
    PythonChoice,
    Rows,
    ToolchainChoice,
    TorchBuildChoice,
    ValidatedSet,
)
from mmlock.resolve.request.objectives import DEFAULT_OBJECTIVES, MEANING, Objective


class ObjectiveCost(Struct, frozen=True, kw_only=True):
    """One objective, what the solution pays for it, and who pays."""

    objective: Objective
    meaning: str
    value: int
    detail: tuple[str, ...]


class CoreSolution(Struct, frozen=True, kw_only=True):
    """One option per slot, the cheapest there is."""

    picked: Mapping[str, Option]
    """Slot -> option; slots left empty are in it with form `left-out`."""
    objectives: tuple[ObjectiveCost, ...]
    links: tuple[Link, ...]
    """Every edge out of the picked options: the argument for the solution."""
    cured: tuple[Incompatibility, ...]
    """Known breakages that would happen and that the lock itself removes."""
    broken: tuple[Incompatibility, ...]
    """Known breakages that remain."""
    validated: tuple[ValidatedSet, ...] = ()
    """Validations on such a target of this very choice."""

    @property
    def torch(self) -> TorchBuild:
        choice = self.picked["torch"].choice
        assert isinstance(choice, TorchBuildChoice)
        return choice.build

    @property
    def python(self) -> str:
        choice = self.picked["python"].choice
        assert isinstance(choice, PythonChoice)
        return choice.python

    @property
    def toolchain(self) -> Toolchain | None:
        choice = self.picked["toolchain"].choice
        assert isinstance(choice, ToolchainChoice)
        return choice.toolchain

    def packages(self) -> Iterator[Option]:
        """Picked distributions, torch among them, in slot order."""
        return (option for option in self.picked.values() if option.package is not None)


def solve_core(
    rows: Rows, engine: Engine, objectives: Sequence[Objective] = DEFAULT_OBJECTIVES
) -> CoreSolution | None:
    """The cheapest choice that satisfies every constraint, or None."""
    chosen = engine.solve(make_problem(rows, objectives))
    if chosen is None:
        return None
    return describe(rows, frozenset(chosen), objectives)


def describe(rows: Rows, chosen: frozenset[int], objectives: Sequence[Objective]) -> CoreSolution:
    """A choice with its argument and its price."""
    links = tuple(link for o in sorted(chosen) for link in rows.links_of(o))
    happening = [b for b in rows.incompatibilities if all(group & chosen for group in b.groups)]
    broken = tuple(b for b in happening if not b.breakage.cured)
    return CoreSolution(
        picked={rows.options[o].slot: rows.options[o] for o in sorted(chosen)},
        objectives=tuple(_paid(rows, chosen, links, broken, objective) for objective in objectives),
        links=links,
        cured=tuple(b for b in happening if b.breakage.cured),
        broken=broken,
        validated=tuple(one for one in rows.validated if all(group & chosen for group in one.groups)),
    )


def _paid(
    rows: Rows,
    chosen: frozenset[int],
    links: Sequence[Link],
    broken: Sequence[Incompatibility],
    objective: Objective,
) -> ObjectiveCost:
    level = rows.weights(objective)
    parts = [(level[o], rows.options[o].label) for o in sorted(chosen) if level.get(o)]
    if objective is Objective.BROKEN:
        parts += [(1, incompatibility.breakage.title) for incompatibility in broken]
    if objective is Objective.VALIDATED and rows.validated:
        held = any(all(group & chosen for group in one.groups) for one in rows.validated)
        parts += [] if held else [(1, "another combination was validated on such a target")]
    if objective is Objective.DECLARED:
        unmet = [link for link in links if not link.hard and not link.members & chosen]
        # Two links that want the same of one option are one preference, as for the engine.
        told = {(link.option, link.members): link.reason for link in reversed(unmet)}
        parts += [(1, reason) for reason in reversed(told.values())]
    return ObjectiveCost(
        objective=objective,
        meaning=MEANING[objective],
        value=sum(weight for weight, _ in parts),
        detail=tuple(f"{text} ({weight})" if weight > 1 else text for weight, text in parts),
    )
