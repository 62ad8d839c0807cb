"""A conflict as an error: the chain with its sources, and what would hold."""

from __future__ import annotations

from collections.abc import Sequence

from mmlock.core.errors import NoAnswer
from mmlock.core.footnotes import Footnotes
from mmlock.core.markers import parsed
from mmlock.core.names import Confidence, requirement_name
from mmlock.core.report import Page
from mmlock.core.sources import COMMAND_LINE
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.explain import Explanation, NearestSolution, explain, unsatisfied
from mmlock.resolve.core_solver.solution import CoreSolution
from mmlock.resolve.graph.build_rows import has_extension, runs_on
from mmlock.resolve.graph.builder import readable
from mmlock.resolve.graph.rows import Option
from mmlock.resolve.loop.loop import MOST_TOLD, NoResolution
from mmlock.resolve.request.interpret import mistaken
from mmlock.resolve.request.model import THE_REQUEST, InterpretedRequest, PlainRequirement
from mmlock.resolve.request.namesakes import real_ways


def no_answer(matrix: Matrix, request: InterpretedRequest, unsolved: NoResolution) -> NoAnswer:
    """Why nothing satisfies the request."""
    explanation = explain(unsolved.rows, request.objectives)
    # Where the closure refused, its words are the facts between the constraints.
    notes = Footnotes()
    causes = _refused(unsolved) or _facts(matrix, explanation, notes)
    lone = bool(unsolved.refusals) and not explanation.user_constraints
    blamed = _blamed(request, unsolved) if not lone else ()
    return NoAnswer(
        "the dependencies fit no combination of known builds" if lone else headline(explanation, blamed),
        causes=[
            *origins(explanation),
            *(f"`{one.text}`: {one.via}" for one in blamed if one.via not in _SAID_HERE),
            *causes,
        ],
        hints=[
            *mistaken(matrix, request.plain_requirements),
            *(constraint.hint for constraint in explanation.user_constraints if constraint.hint),
            *real_ways(matrix, (name for one in unsolved.refusals for name in one.packages)),
            *_sources(unsolved),
            *_unbuilt(matrix, request, explanation),
            *nearest_lines(explanation),
        ],
        sources=notes.lines(),
    )


def _sources(unsolved: NoResolution) -> list[str]:
    """Packages whose sources would do where their wheels do not."""
    names = {name: None for one in unsolved.refusals for name in one.wheels_only}
    return [f"`--allow-sdist {name}` allows `{name}` to be built from source" for name in names][:MOST_TOLD]


def _unbuilt(matrix: Matrix, request: InterpretedRequest, explanation: Explanation) -> list[str]:
    """Packages of the conflict that a recipe builds, on other systems than the target's."""
    platform = request.target.platform
    texts = {constraint.name for constraint in explanation.user_constraints}
    named = {one.name: None for one in request.core_requirements if one.text in texts}
    compiled = [recipe for recipe in matrix.recipes if has_extension(recipe)]
    return [
        f"mmlock has no steps that compile `{name}` for {platform}: compile it by hand, or build it on Linux"
        for name in named
        if (own := [recipe for recipe in compiled if recipe.package == name])
        and not any(runs_on(recipe, platform) for recipe in own)
    ]


def origins(explanation: Explanation) -> list[str]:
    """Where the incompatible constraints were written down; those of the command line are before the user."""
    return [
        f"`{constraint.name}`: {constraint.origin}"
        for constraint in explanation.user_constraints
        if constraint.origin != THE_REQUEST
    ]


_SAID_HERE = frozenset({THE_REQUEST, COMMAND_LINE})
_MOST_BLAMED = 3


def _blamed(request: InterpretedRequest, unsolved: NoResolution) -> tuple[PlainRequirement, ...]:
    """Requirements on ordinary packages that the closure refused: without them, builds would fit.

    Only those with a bound: what is requested in any version is not to blame for one that is refused.
    """
    named = {name for one in unsolved.refusals for name in one.packages}
    found = [one for one in request.plain_requirements if requirement_name(one.text) in named]
    return tuple(one for one in found if any(line.specifier for line in parsed((one.text,))))[:_MOST_BLAMED]


def headline(explanation: Explanation, blamed: Sequence[PlainRequirement] = ()) -> str:
    """What is incompatible, in one sentence. `blamed`: requirements on ordinary packages that take part."""
    constraints = explanation.user_constraints
    names = [f"`{constraint.name}`" for constraint in constraints]
    if not names:
        return "no combination of known builds satisfies the request"
    names += [f"`{one.text}`" for one in blamed]
    if len(names) == 1:
        return unsatisfied(constraints[0])
    return f"{', '.join(names[:-1])} and {names[-1]} are incompatible"


def chain_lines(matrix: Matrix, explanation: Explanation) -> list[str]:
    """One fact per line, its sources as footnotes; then the sources."""
    notes = Footnotes()
    return [*_facts(matrix, explanation, notes), *notes.lines()]


def _facts(matrix: Matrix, explanation: Explanation, notes: Footnotes) -> list[str]:
    lines = []
    for link in explanation.chain:
        marks = notes.mark(readable(matrix, link.source))
        sure = "" if link.confidence is Confidence.MEASURED else f" ({link.confidence})"
        lines.append(f"{link.text}{sure}{' ' if marks else ''}{marks}")
    return lines


def conflict_page(matrix: Matrix, explanation: Explanation) -> Page:
    """A conflict as an answer of its own, for `why-not`."""
    notes = Footnotes()
    lines = [
        headline(explanation),
        *(f"  because {fact}" for fact in _facts(matrix, explanation, notes)),
        *(f"  {line}" for line in nearest_lines(explanation)),
    ]
    if cited := notes.lines():
        lines += ["", "sources:", *(f"  {line}" for line in cited)]
    data = {
        "holds": False,
        "incompatible": [one.name for one in explanation.user_constraints],
        "chain": [
            {"text": c.text, "source": list(c.source), "confidence": c.confidence} for c in explanation.chain
        ],
        "nearest": [
            {
                "given_up": one.given_up.name,
                "near": one.near,
                "solution": [option.label for option in one.solution.packages()],
            }
            for one in explanation.nearest
        ],
    }
    return Page(text="\n".join(lines), data=data)


def _refused(unsolved: NoResolution) -> list[str]:
    """What the ordinary packages refused, the same words for several Pythons once."""
    told: dict[str, list[str]] = {}
    for refusal in unsolved.refusals:
        told.setdefault(" ".join(refusal.reason.split()), []).append(" with ".join(refusal.labels))
    lines = [
        f"no dependencies fit {' nor '.join(dict.fromkeys(labels))}: {reason}"
        for reason, labels in told.items()
    ]
    rest = len(lines) - MOST_TOLD
    return lines if rest <= 0 else [*lines[:MOST_TOLD], f"and {rest} more like these"]


def nearest_lines(explanation: Explanation) -> list[str]:
    """What holds when one constraint is given up."""
    return [_nearest(one) for one in explanation.nearest]


def _nearest(one: NearestSolution) -> str:
    solution = one.solution
    packages = ", ".join(_short(solution, option) for option in solution.packages())
    name = one.given_up.name
    start = f"nearest to `{name}` that works" if one.near else f"without `{name}`"
    return f"{start}: Python {solution.python}, {packages}"


def _short(solution: CoreSolution, option: Option) -> str:
    version = f"{solution.torch.torch}+{solution.torch.variant}" if option.slot == "torch" else option.version
    return f"{option.package} {version}" + (f" ({option.form})" if option.made else "")
