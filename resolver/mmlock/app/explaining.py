"""`why`, `why-not` and `graph`: questions about locks, requests and facts."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from mmlock.app.answering import requested
from mmlock.app.solving import with_own_wheels
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.markers import holds
from mmlock.core.names import normalize
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.core.requirements import Asked
from mmlock.facts.matrix.load import open_matrix
from mmlock.facts.matrix.model import Validation
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.explain import explain
from mmlock.resolve.core_solver.solution import solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.loop.refusal import conflict_page
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.packages import core_packages

SOME = 12
"""How many names a hint lists."""


def why(lock_dir: Path, package: str) -> Page:
    """The argument for one package of a lock. Raises UsageError when it is not in it."""
    from mmlock.lock.json_twins import why_data
    from mmlock.lock.read import read_lock
    from mmlock.lock.text import why_package

    env = read_lock(lock_dir)
    text = why_package(env, package)
    if text is None:
        known = sorted(
            {
                *(p.name for p in env.packages),
                *(s.package for s in env.fetch),
                *(s.package for s in env.build),
            }
        )
        near = [name for name in known if normalize(package) in name or name in normalize(package)]
        raise UsageError(
            f"`{package}` is not in the lock `{lock_dir}`",
            hints=[
                f"it has {', '.join((near or known)[:SOME])}" + (", ..." if len(near or known) > SOME else "")
            ],
        )
    return Page(text=text, data=why_data(env, package))


def why_not(asked: Asked, request: SolveArguments, *, progress: Progress = silent) -> Page:
    """What one requirement conflicts with on the request's target, and what would work."""
    arguments = requested(request, progress).checked()
    matrix = with_own_wheels(open_matrix(arguments.matrices), arguments, progress)
    if asked.name not in core_packages(matrix):
        raise UsageError(
            f"`{asked.text}`: `why-not` is for packages that mmlock decides, and `{asked.name}` is none",
            hints=["solve with it: the error of `mmlock solve --with ...` says what it conflicts with"],
        )
    base = interpret(matrix, arguments)
    wished = interpret(matrix, _with(arguments, asked, base.stack), _validations(arguments))
    progress(f"looking for a solution with {asked.text}")
    rows = build_graph(matrix, graph_request(wished, LoopState()))
    solution = solve_core(rows, ClingoEngine(), wished.objectives)
    if solution is not None:
        picked = ", ".join(option.label for option in solution.packages())
        text = f"`{asked.text}` works: Python {solution.python}, {picked}"
        if not holds(asked.marker, wished.target.platform, solution.python):
            text += f"; its marker does not hold on Python {solution.python}"
        return Page(text=text, data={"holds": True, "solution": [o.label for o in solution.packages()]})
    return conflict_page(matrix, explain(rows, wished.objectives))


def _validations(arguments: SolveArguments) -> tuple[Validation, ...]:
    """What the verdicts prove that the request names."""
    if not arguments.verdicts:
        return ()
    from mmlock.validate.evidence import evidence

    return evidence(arguments).rows


def _with(arguments: SolveArguments, asked: Asked, stack: str) -> SolveArguments:
    """The request and one more requirement; the stack stays when nothing else was asked."""
    return replace(
        arguments,
        requirements=(*arguments.requirements, asked),
        stack=arguments.stack or (None if stack == "custom" else stack),
    )


def graph(request: SolveArguments, *, package: str | None = None, form: str = "dot") -> str:
    """The compatibility graph of a target as `text`, `dot`, `json` or `graphml`."""
    from mmlock.resolve.graph.draw import draw
    from mmlock.resolve.graph.network import network

    arguments = requested(request).checked()
    matrix = with_own_wheels(open_matrix(arguments.matrices), arguments, silent)
    request_read = interpret(matrix, arguments, _validations(arguments))
    rows = build_graph(matrix, graph_request(request_read, LoopState()))
    found = network(matrix, rows, package=package)
    if package is not None and not any(
        data["package"] == normalize(package) for _, data in found.nodes(data=True)
    ):
        slots = ", ".join(sorted(rows.slots))
        raise UsageError(
            f"`{package}` is not in the graph of this request",
            hints=[f"it has {slots}", f"add it: `mmlock graph {package} --with {package} --gpu ...`"],
        )
    return draw(found, form)
