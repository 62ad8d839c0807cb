"""Advice of the project that a lock does not keep, each part with the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.requirements import Asked
from mmlock.core.versions import allows
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.explain import Explanation, explain
from mmlock.resolve.core_solver.problem import Engine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.advised_rows import CUDA, PYTHON, by_name, follows
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.graph.rows import Option
from mmlock.resolve.loop.loop import Resolution, graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.model import CoreRequirement, InterpretedRequest

__all__ = ["Untaken", "untaken_advice"]


class Untaken(Struct, frozen=True, kw_only=True):
    """A part of the advice that is not kept."""

    advice: Asked
    chosen: str
    """What is in the lock instead: `torch 2.11.0+cu130`, `Python 3.12`."""
    reason: str
    """Why, as a clause."""


def untaken_advice(
    matrix: Matrix, request: InterpretedRequest, decided: Resolution, engine: Engine | None = None
) -> Iterator[Untaken]:
    """Every part that speaks of something in the lock and does not hold there."""
    closed = {package.name: package.version for package in decided.closed.packages}
    for name, alternatives in by_name(request.arguments.advice).items():
        option = _option(decided.solution, name)
        first = alternatives[0]
        if option is not None:
            if not any(follows(option, one) for one in alternatives):
                reason = _reason(matrix, request, decided, first, engine or ClingoEngine())
                yield Untaken(advice=first, chosen=_chosen(option, first), reason=reason)
        elif (pin := closed.get(name)) is not None and not any(
            allows(one.specifier, pin) for one in alternatives
        ):
            reason = f"the other bounds, or the wheels for Python {decided.solution.python}, rule it out"
            yield Untaken(advice=first, chosen=f"{name} {pin}", reason=reason)


def _option(solution: CoreSolution, name: str) -> Option | None:
    if name in {PYTHON, "torch"}:
        return solution.picked[name]
    if name == CUDA:
        return solution.picked["torch"] if solution.torch.cuda else None
    chosen = (option for option in solution.packages() if option.slot != "torch")
    return next((option for option in chosen if name in {option.package, option.slot}), None)


def _chosen(option: Option, advice: Asked) -> str:
    if advice.name == PYTHON:
        return f"Python {option.version}"
    return option.label if option.slot == "torch" else f"{option.package} {option.version}"


def _reason(
    matrix: Matrix, request: InterpretedRequest, decided: Resolution, advice: Asked, engine: Engine
) -> str:
    """what conflicts with it, asked of the facts as if it had been required."""
    state = LoopState(refusals=list(decided.refusals))
    rows = build_graph(matrix, _required(graph_request(request, state), advice))
    if solve_core(rows, engine, request.objectives) is not None:
        return "it holds only without other parts of the advice, or with something known to be broken"
    return _told(explain(rows, request.objectives), advice)


def _required(graph: GraphRequest, advice: Asked) -> GraphRequest:
    graph = replace(graph, advice=())
    if advice.name == PYTHON:
        both = ",".join(filter(None, (graph.requires_python, advice.specifier)))
        return replace(graph, requires_python=both)
    if advice.name == CUDA:
        return replace(graph, cuda=advice.specifier)
    wanted = CoreRequirement(
        name=advice.name, specifier=advice.specifier, text=advice.text, origin=advice.origin, constraint=True
    )
    return replace(graph, requirements=(*graph.requirements, wanted))


def _told(explanation: Explanation, advice: Asked) -> str:
    """The first fact of the chain, or what it contradicts."""
    others = [one.name for one in explanation.user_constraints if one.origin != advice.origin]
    facts: Sequence[str] = [link.text for link in explanation.chain]
    against = f"incompatible with {' and '.join(f'`{name}`' for name in others)}" if others else ""
    return ": ".join(filter(None, (against, facts[0] if facts else ""))) or "no known version satisfies it"
