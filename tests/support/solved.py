"""Requests as command-line words, put to the committed facts; and small graphs made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mmlock.core.arguments import SolveArguments, parse_platform
from mmlock.core.faults import Fault
from mmlock.core.names import Platform
from mmlock.core.requirements import Asked
from mmlock.core.sources import Inputs, gather
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.rows import Rows
from mmlock.resolve.loop.breakages import always_there
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.model import InterpretedRequest, PlainRequirement


@cache
def facts() -> Matrix:
    return open_matrix(Path(__file__).parents[2] / "matrices")


def asked_words(*texts: str) -> tuple[Asked, ...]:
    return gather(Inputs(requirements=texts), lambda path: path).requirements


def request(
    *requirements: str,
    gpu: str | tuple[str, ...] = "cpu",
    platform: str | None = None,
    constraints: Iterable[str] = (),
    **more: object,
) -> SolveArguments:
    found = parse_platform(platform) if platform else None
    assert not isinstance(found, Fault)
    return SolveArguments(
        requirements=asked_words(*requirements),
        constraints=asked_words(*constraints),
        gpus=(gpu,) if isinstance(gpu, str) else gpu,
        platform=Platform(found) if found else None,
        **more,  # type: ignore[arg-type]
    ).checked()


@dataclass(frozen=True)
class Solved:
    """A request, its graph and what the core decided."""

    asked: InterpretedRequest
    rows: Rows
    found: CoreSolution | None

    @property
    def solution(self) -> CoreSolution:
        assert self.found is not None, "there is no solution"
        return self.found

    def version(self, package: str) -> str | None:
        return next((o.version for o in self.solution.packages() if o.package == package), None)


def solved(*requirements: str, present: Iterable[str] = (), **more: object) -> Solved:
    asked = interpret(facts(), request(*requirements, **more))  # type: ignore[arg-type]
    there = always_there(tuple(PlainRequirement(text=text, via="a test") for text in present))
    rows = build_graph(facts(), graph_request(asked, LoopState(present=there)))
    return Solved(asked, rows, solve_core(rows, ClingoEngine(), asked.objectives))
