"""A conflict as an error: the chain with its sources, and what would hold."""

from __future__ import annotations

from mmlock.core.errors import NoAnswer
from mmlock.core.names import Form
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.explain import Explanation, NearestSolution, explain
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.builder import readable
from mmlock.resolve.graph.rows import Option
from mmlock.resolve.loop.loop import MOST_TOLD, NoResolution
from mmlock.resolve.request.interpret import mistaken
from mmlock.resolve.request.model import THE_REQUEST, InterpretedRequest

SOURCES = 1
"""How many sources one line names; the JSON form has all."""


def no_answer(matrix: Matrix, request: InterpretedRequest, unsolved: NoResolution) -> NoAnswer:
    """Why nothing fulfils the request."""
    explanation = explain(unsolved.rows, request.objectives)
    # Where the closure refused, its words are the facts between the constraints.
    causes = _refused(unsolved) or chain_lines(matrix, explanation)
    lone = bool(unsolved.refusals) and not explanation.user_constraints
    return NoAnswer(
        "the ordinary packages fit no combination of known builds" if lone else headline(explanation),
        causes=[*origins(explanation), *causes],
        hints=[
            *mistaken(matrix, request.plain_requirements),
            *(constraint.hint for constraint in explanation.user_constraints if constraint.hint),
            *_sources(unsolved),
            *nearest_lines(explanation),
        ],
    )


def _sources(unsolved: NoResolution) -> list[str]:
    """Packages whose sources would do where their wheels do not."""
    names = {name: None for one in unsolved.refusals for name in one.wheels_only}
    return [f"`--allow-sdist {name}` lets `{name}` be built from its sources" for name in names][:MOST_TOLD]


def origins(explanation: Explanation) -> list[str]:
    """Where the incompatible constraints were written down; those of the command line are before the user."""
    return [
        f"`{constraint.name}`: {constraint.origin}"
        for constraint in explanation.user_constraints
        if constraint.origin != THE_REQUEST
    ]


def headline(explanation: Explanation) -> str:
    """What cannot hold, in one sentence."""
    names = [f"`{constraint.name}`" for constraint in explanation.user_constraints]
    if not names:
        return "no combination of known builds fulfils the request"
    if len(names) == 1:
        return f"{names[0]} cannot be fulfilled"
    return f"{', '.join(names[:-1])} and {names[-1]} cannot hold together"


def chain_lines(matrix: Matrix, explanation: Explanation) -> list[str]:
    """One fact per line, with who says so."""
    lines = []
    for link in explanation.chain:
        texts = readable(matrix, link.source)
        more = f"; and {len(texts) - SOURCES} more" if len(texts) > SOURCES else ""
        sources = f": {'; '.join(texts[:SOURCES])}{more}" if texts else ""
        lines.append(f"{link.text} [{link.confidence}{sources}]")
    return lines


def _refused(unsolved: NoResolution) -> list[str]:
    """What the ordinary packages refused, the same words for several Pythons once."""
    told: dict[str, list[str]] = {}
    for refusal in unsolved.refusals:
        told.setdefault(" ".join(refusal.reason.split()), []).append(" with ".join(refusal.labels))
    lines = [
        f"no ordinary packages fit {' nor '.join(dict.fromkeys(labels))}: {reason}"
        for reason, labels in told.items()
    ]
    rest = len(lines) - MOST_TOLD
    return lines if rest <= 0 else [*lines[:MOST_TOLD], f"and {rest} more like these"]


def nearest_lines(explanation: Explanation) -> list[str]:
    """What holds when one constraint is given up."""
    return [_nearest(near) for near in explanation.nearest]


def _nearest(near: NearestSolution) -> str:
    solution = near.solution
    picked = ", ".join(_short(solution, option) for option in solution.packages())
    return f"without `{near.given_up.name}`: Python {solution.python}, {picked}"


def _short(solution: CoreSolution, option: Option) -> str:
    version = f"{solution.torch.torch}+{solution.torch.variant}" if option.slot == "torch" else option.version
    made = option.form in {Form.BUILD, Form.TORCH_OPS}
    return f"{option.package} {version}" + (f" ({option.form})" if made else "")
