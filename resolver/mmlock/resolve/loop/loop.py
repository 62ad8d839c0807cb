"""The loop between the core and the closure: ask, listen, exclude, ask again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments, torch_variant
from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.names import AdvisorySeverity, PackageName
from mmlock.core.progress import Progress
from mmlock.core.target import Target
from mmlock.core.versions import is_version
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.packages import OnPyPI
from mmlock.net.fetching import hints
from mmlock.resolve.closure.model import (
    Closed,
    Closer,
    ClosureConflict,
    ClosureRequest,
    Unreachable,
)
from mmlock.resolve.core_solver.alternatives import NewerVersion, not_newer
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.problem import Engine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.extras import asked_extras
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.graph.rows import Rows
from mmlock.resolve.loop.breakages import ClosureOutcome, always_there, learn_breakages
from mmlock.resolve.loop.minimal_refusal import RefusedClosure, minimal_refusal
from mmlock.resolve.loop.nogoods import LoopState, Refusal, UnfitWheel
from mmlock.resolve.plan.closure_inputs import closure_request, core_node
from mmlock.resolve.plan.name_requirements import NameBound, closed_bounds
from mmlock.resolve.request.interpret import mistaken
from mmlock.resolve.request.model import CoreRequirement, InterpretedRequest
from mmlock.resolve.request.namesakes import real_ways
from mmlock.resolve.request.packages import core_packages

__all__ = ["ROUNDS", "NoResolution", "Resolution", "decide", "graph_request"]

Wheelless = Callable[[PackageName, "str | None"], bool]
"""Whether a version (None: every version) of an ordinary package has sources and no wheel at all."""

ROUNDS = 48
"""How many answers of the core are put to the closure before giving up."""


MOST_TOLD = 6
"""How many different refusals an error tells."""


class Resolution(Struct, frozen=True, kw_only=True):
    """A core and a closure that fit each other."""

    rows: Rows
    solution: CoreSolution
    closed: Closed
    refusals: tuple[Refusal, ...]
    newer: tuple[NewerVersion, ...]
    """What was newer and not taken."""
    unfit: tuple[UnfitWheel, ...] = ()
    """Ordinary packages whose wheels were read and do not go with this torch."""
    name_bounds: tuple[NameBound, ...] = ()
    """What ordinary packages take of others by name, and what that bounds."""


class NoResolution(Struct, frozen=True, kw_only=True):
    """No core satisfies the request; the graph in which there is none, and what the closure refused."""

    rows: Rows
    refusals: tuple[Refusal, ...]


def graph_request(request: InterpretedRequest, state: LoopState) -> GraphRequest:
    """The request to the graph, with what the loop has learned."""
    arguments = request.arguments
    return GraphRequest(
        target=request.target,
        device_words=request.device_words,
        requirements=(*request.core_requirements, *state.needed.values()),
        python=arguments.python,
        requires_python=arguments.requires_python,
        torch=arguments.torch,
        variant=_foreign_variant(request.target, arguments.torch),
        cuda=arguments.cuda,
        no_build=arguments.no_build,
        allow_lite=arguments.allow_lite,
        allow_torch_ops=arguments.allow_torch_ops,
        prerelease=arguments.prerelease,
        no_known_cve=AdvisorySeverity(arguments.no_known_cve) if arguments.no_known_cve else None,
        providers=arguments.providers,
        validations=request.validations,
        advice=arguments.advice,
        preferences=arguments.preferences,
        present=state.present | always_there(request.plain_requirements),
        late_breakages=tuple(state.late_breakages.values()),
        refused=tuple(refusal.groups for refusal in state.refusals),
    )


def _foreign_variant(target: Target, torch: str | None) -> str | None:
    """The CUDA build of torch that was requested by name, for a target that has no CUDA."""
    variant = torch_variant(torch)
    return variant if variant and variant.startswith("cu") and not target.cuda else None


def _ignore(solution: CoreSolution) -> None:
    """Nobody wants to know which cores are tried."""


def decide(
    matrix: Matrix,
    request: InterpretedRequest,
    closer: Closer,
    *,
    progress: Progress,
    wheelless: Wheelless,
    engine: Engine | None = None,
    state: LoopState | None = None,
    on_core: Callable[[CoreSolution], object] = _ignore,
) -> Resolution | NoResolution:
    """A core with its closure; `on_core` is called with each core before its closure is solved.

    Raises EnvironmentFault when the closure cannot be solved.
    """
    state = state or LoopState()
    state.present |= always_there(request.plain_requirements)
    solver = engine or ClingoEngine()
    for _ in range(ROUNDS):
        rows = build_graph(matrix, graph_request(request, state))
        if (solution := solve_core(rows, solver, request.objectives)) is None:
            return NoResolution(rows=rows, refusals=tuple(state.refusals))
        progress(f"core: {', '.join(option.label for option in solution.packages())}")
        on_core(solution)
        ask = partial(_question, matrix, request, state=state)
        answer = closer.close(ask(solution))
        if isinstance(answer, Unreachable):
            raise _unreachable(answer)
        if isinstance(answer, Closed):
            seen = ClosureOutcome(
                matrix=matrix, target=request.target, solution=solution, closed=answer, ask=ask
            )
            if not _learn(state, seen, closer):
                return _resolution(request, rows, solution, answer, solver, state)
            continue
        if _only_the_core_has(state, matrix, solution, answer):
            continue
        _known_at_all(matrix, request, answer)
        _readable_sources(matrix, answer)
        if _has_new_sources(state, answer, wheelless) or state.shun():
            continue
        refused = _refused_closure(matrix, request, rows, solution, answer, closer, state)
        refusal = minimal_refusal(
            replace(refused, for_sources=partial(_for_sources, wheelless=wheelless, state=state))
        )
        progress(f"dependencies conflict with {' and '.join(refusal.labels)}")
        state.refusals.append(refusal)
    raise _given_up(state)


def _has_new_sources(state: LoopState, answer: ClosureConflict, wheelless: Wheelless) -> bool:
    """Whether the conflict is about packages that have sources only, which may be used from here on."""
    new = frozenset(_sources_only(answer, wheelless)) - state.sdists
    state.sdists |= new
    state.wheelless |= frozenset(name for name in new if wheelless(name, None))
    return bool(new)


def _resolution(
    request: InterpretedRequest,
    rows: Rows,
    solution: CoreSolution,
    closed: Closed,
    solver: Engine,
    state: LoopState,
) -> Resolution:
    return Resolution(
        rows=rows,
        solution=solution,
        closed=closed,
        refusals=tuple(state.refusals),
        newer=not_newer(rows, solution, solver, request.objectives),
        unfit=state.unfit_beside(solution.picked["torch"]),
        name_bounds=tuple(state.name_bounds.values()),
    )


def _given_up(state: LoopState) -> NoAnswer:
    """What was tried, the same words once."""
    tried: dict[str, list[str]] = {}
    for refusal in state.refusals:
        tried.setdefault(" ".join(refusal.reason.split()), []).append(" with ".join(refusal.labels))
    causes = [f"{'; '.join(labels)}: {reason}" for reason, labels in tried.items()]
    return NoAnswer(
        f"gave up after {ROUNDS} combinations: the dependencies fit none of them",
        causes=causes[-MOST_TOLD:],
        hints=["pin Python, torch or the package named above to leave fewer combinations"],
    )


def _refused_closure(
    matrix: Matrix,
    request: InterpretedRequest,
    rows: Rows,
    solution: CoreSolution,
    answer: ClosureConflict,
    closer: Closer,
    state: LoopState,
) -> RefusedClosure:
    question = _question(matrix, request, solution, state)

    def extras(python: str) -> Mapping[str, tuple[str, ...]]:
        return asked_extras(matrix, request.core_requirements, request.target.platform, python)

    own = extras(solution.python)
    return RefusedClosure(
        rows=rows,
        solution=solution,
        question=question,
        refused=answer,
        closer=closer,
        node_of=lambda option: core_node(
            matrix, solution, option, request.target, question.drop, own.get(option.slot, ())
        ),
        droppable=frozenset(name for breakage in matrix.breaks for name in breakage.drop),
        same_on=lambda python: extras(python) == own,
        for_sources=lambda _: False,
        repeats=state.repeats,
        proofs=state.proofs,
        bounds={
            one.word: (one.constraint.text, solution.picked["torch"].index)
            for one in state.unfit_beside(solution.picked["torch"])
        },
    )


def _known_at_all(matrix: Matrix, request: InterpretedRequest, answer: ClosureConflict) -> None:
    """Raises NoAnswer when the index has no such package: no other core will change that."""
    if missing := answer.unknown:
        mistakes = [*mistaken(matrix, request.plain_requirements), *real_ways(matrix, missing)]
        names = ", ".join(f"`{name}`" for name in missing)
        raise NoAnswer(
            f"{names} {'is' if len(missing) == 1 else 'are'} not on the package index",
            causes=[" ".join(answer.reason.split())],
            hints=mistakes or ["check the spelling, or pass the index that has it with `--extra-index-url`"],
        )


def _for_sources(answer: ClosureConflict, *, wheelless: Wheelless, state: LoopState) -> bool:
    """Whether the main question would be put again with the sources of what is refused."""
    return bool(answer.unbuilt) or bool(frozenset(_sources_only(answer, wheelless)) - state.sdists)


def _readable_sources(matrix: Matrix, answer: ClosureConflict) -> None:
    """Raises NoAnswer when sources do not tell what they require: no other core will change that."""
    if answer.unbuilt:
        one = answer.unbuilt[0]
        raise NoAnswer(
            f"what `{one.name}` requires cannot be read: it has sources only, and their build fails",
            causes=[answer.reason],
            hints=real_ways(matrix, [one.name])
            or [f"add a wheel of it with `--find-links`, or leave it out: `--allow-missing {one.name}`"],
        )


def _sources_only(answer: ClosureConflict, wheelless: Wheelless) -> Iterator[PackageName]:
    """Packages refused for want of a wheel of which none exists on any platform."""
    return (one.name for one in answer.no_wheels if wheelless(one.name, one.version))


def _question(
    matrix: Matrix, request: InterpretedRequest, solution: CoreSolution, state: LoopState
) -> ClosureRequest:
    arguments = request.arguments
    question = closure_request(
        matrix,
        solution,
        request.target,
        requirements=request.plain_requirements,
        constraints=(
            *request.plain_constraints,
            *state.name_constraints(),
            *(one.constraint for one in state.unfit_beside(solution.picked["torch"])),
        ),
        extras=asked_extras(matrix, request.core_requirements, request.target.platform, solution.python),
    )
    return replace(
        question,
        index=arguments.index,
        allow_sdist=tuple(sorted({*arguments.allow_sdist, *state.sdists})),
        wheelless=tuple(sorted(state.wheelless)),
        exclude_newer=arguments.exclude_newer,
        prerelease=arguments.prerelease,
        offline=arguments.offline,
        preferences=_preferred(arguments),
    )


def _preferred(arguments: SolveArguments) -> tuple[tuple[PackageName, str], ...]:
    """Versions that the closure prefers: of an existing lock, else what the project's guide names exactly.

    Where it names none, those of an environment that the project exported.
    """
    exact = {
        one.name: one.specifier.removeprefix("==")
        for one in (*reversed(arguments.snapshot), *reversed(arguments.advice))
        if one.specifier.startswith("==") and is_version(one.specifier.removeprefix("=="))
    }
    return tuple(sorted({**exact, **dict(arguments.preferences)}.items()))


def _unreachable(answer: Unreachable) -> EnvironmentFault:
    if answer.offline:
        return EnvironmentFault(
            "the dependencies could not be resolved offline",
            causes=[answer.reason],
            hints=["run the same command once without `--offline` to fill the cache"],
        )
    return EnvironmentFault(
        "the dependencies could not be resolved: the package index is not available",
        causes=[answer.reason],
        hints=[*hints(answer.problem), "name another index or a mirror with `--index-url`"],
    )


def _only_the_core_has(
    state: LoopState, matrix: Matrix, solution: CoreSolution, refused: ClosureConflict
) -> bool:
    """Take in packages that a refusal names and of which no index has a wheel: the core decides them.

    Says whether there is one, so that it is worth to solve again.
    """
    filled = {option.slot for option in solution.packages()}
    found = [
        name
        for name in refused.packages
        if name not in state.needed and (row := matrix.described.get(name)) is not None
        if row.pypi is not OnPyPI.WHEELS and row.module not in filled
    ]
    for name in found:
        state.needed[name] = CoreRequirement(
            name=name, specifier="", text=f"{name} (required by another package)"
        )
    return bool(found)


def _learn(state: LoopState, outcome: ClosureOutcome, closer: Closer) -> bool:
    """Take in what the closure brought that the core must know of. Says whether to solve again."""
    names = {package.name: package for package in outcome.closed.packages}
    core = core_packages(outcome.matrix)
    needed = [name for name in names if name in core and name not in state.needed]
    for name in needed:
        who = ", ".join(names[name].via) or "an ordinary package"
        state.needed[name] = CoreRequirement(name=name, specifier="", text=f"{name} (required by {who})")
    # Its own part of the closure may go away with the package, so breakages are looked at afterwards.
    return bool(needed) or learn_breakages(state, outcome, closer) or _learn_names(state, outcome)


def _learn_names(state: LoopState, outcome: ClosureOutcome) -> bool:
    """Bound what ordinary packages take of each other by name."""
    found = {
        (one.needer, one.version, one.provider): one
        for one in closed_bounds(outcome.matrix, outcome.closed.packages)
    }
    new = {key: one for key, one in found.items() if key not in state.name_bounds}
    state.name_bounds.update(new)
    return bool(new)
