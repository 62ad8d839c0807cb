"""`why`, `why-not` and `graph`: questions about locks, requests and facts."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

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
from mmlock.resolve.graph.build import build_graph, core_packages
from mmlock.resolve.loop.loop import State, Unsolved, graph_request
from mmlock.resolve.loop.refusal import chain_lines, headline, nearest_lines
from mmlock.resolve.request.interpret import interpret

SOME = 12
"""How many names a hint lists."""


def why(lock_dir: Path, package: str) -> Page:
    """The argument for one package of a lock. Raises UsageError when it is not in it."""
    from mmlock.app.json_twins import why_data
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
    """What stands against one requirement on the request's target, and what would hold."""
    arguments = request.checked()
    matrix = open_matrix(arguments.matrices)
    if asked.name not in core_packages(matrix):
        raise UsageError(
            f"`{asked.name}` is an ordinary package; `why-not` explains only torch and compiled extensions",
            hints=["solve with it, and mmlock explains what is in the way: `mmlock solve --with ...`"],
        )
    base = interpret(matrix, arguments)
    wished = interpret(matrix, _with(arguments, asked, base.stack), _validations(arguments))
    progress(f"looking for a solution with {asked.text}")
    rows = build_graph(matrix, graph_request(wished, State()))
    solution = solve_core(rows, ClingoEngine(), wished.terms)
    if solution is not None:
        picked = ", ".join(option.label for option in solution.packages())
        text = f"`{asked.text}` is possible: Python {solution.python}, {picked}"
        if not holds(asked.marker, wished.target.platform, solution.python):
            text += f"; but its marker is false on Python {solution.python}"
        return Page(text=text, data={"holds": True, "solution": [o.label for o in solution.packages()]})
    unsolved = Unsolved(rows=rows, refusals=())
    explanation = explain(unsolved.rows, wished.terms)
    chain, nearest = chain_lines(matrix, explanation), nearest_lines(explanation)
    lines = [headline(explanation), *(f"  because {c}" for c in chain), *(f"  {n}" for n in nearest)]
    return Page(
        text="\n".join(lines),
        data={
            "holds": False,
            "asks": [ask.name for ask in explanation.asks],
            "chain": [
                {"text": c.text, "source": list(c.source), "confidence": c.confidence}
                for c in explanation.chain
            ],
            "nearest": [
                {"without": n.dropped.name, "solution": [o.label for o in n.solution.packages()]}
                for n in explanation.nearest
            ],
        },
    )


def _validations(arguments: SolveArguments) -> tuple[Validation, ...]:
    """What the verdicts prove that the request names."""
    if not arguments.verdicts:
        return ()
    from mmlock.app.evidence import evidence

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

    arguments = request.checked()
    matrix = open_matrix(arguments.matrices)
    request_read = interpret(matrix, arguments, _validations(arguments))
    rows = build_graph(matrix, graph_request(request_read, State()))
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
