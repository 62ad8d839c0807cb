"""The loop between the core and the closure: ask, listen, exclude, ask again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.arguments import torch_variant
from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress
from mmlock.core.target import Target
from mmlock.facts.matrix.load import Matrix
from mmlock.net.fetching import hints
from mmlock.resolve.closure.model import (
    Closed,
    Closer,
    ClosureRequest,
    Refused,
    Unreachable,
)
from mmlock.resolve.core_solver.alternatives import Newer, not_newer
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.problem import Engine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph, core_packages
from mmlock.resolve.graph.extras import asked_extras
from mmlock.resolve.graph.request import CoreWish, GraphRequest
from mmlock.resolve.graph.rows import Rows
from mmlock.resolve.loop.breakages import Outcome, always_there, learn_breakages
from mmlock.resolve.loop.minimal_refusal import Dispute, blame
from mmlock.resolve.loop.nogoods import Refusal, State
from mmlock.resolve.plan.closure_inputs import closure_request, core_node
from mmlock.resolve.request.interpret import Interpreted, mistaken

__all__ = ["ROUNDS", "Decided", "State", "Unsolved", "decide", "graph_request"]

Wheelless = Callable[[PackageName, "str | None"], bool]
"""Whether a version (None: every version) of an ordinary package has sources and no wheel at all."""

_NOT_FOUND = re.compile(r"(?<![A-Za-z0-9._-])([A-Za-z0-9._-]+) was not found in the package registry")
_NO_WHEEL = re.compile(r"(?<![A-Za-z0-9._-])([A-Za-z0-9._-]+)(?:==([^\s=]+))? ha(?:s|ve) no usable wheels")

ROUNDS = 48
"""How many answers of the core are put to the closure before giving up."""


MOST_TOLD = 6
"""How many different refusals an error tells."""


class Decided(Struct, frozen=True, kw_only=True):
    """A core and a closure that fit each other."""

    rows: Rows
    solution: CoreSolution
    closed: Closed
    refusals: tuple[Refusal, ...]
    newer: tuple[Newer, ...]
    """What was newer and not taken."""


class Unsolved(Struct, frozen=True, kw_only=True):
    """No core fulfils the request; the graph in which there is none, and what the closure refused."""

    rows: Rows
    refusals: tuple[Refusal, ...]


def graph_request(asked: Interpreted, state: State) -> GraphRequest:
    """The request to the graph, with what the loop has learned."""
    arguments = asked.arguments
    return GraphRequest(
        target=asked.target,
        device_words=asked.device_words,
        wishes=(*asked.wishes, *state.needed.values()),
        python=arguments.python,
        requires_python=arguments.requires_python,
        torch=arguments.torch,
        variant=_foreign_variant(asked.target, arguments.torch),
        cuda=arguments.cuda,
        no_build=arguments.no_build,
        allow_lite=arguments.allow_lite,
        allow_torch_ops=arguments.allow_torch_ops,
        prerelease=arguments.prerelease,
        validations=asked.validations,
        present=state.present | always_there(asked.wanted),
        held=tuple(state.held.values()),
        refused=tuple(refusal.groups for refusal in state.refusals),
    )


def _foreign_variant(target: Target, torch: str | None) -> str | None:
    """The CUDA build of torch that was asked for by name, for a target that has no CUDA."""
    found = torch_variant(torch)
    return found if found and found.startswith("cu") and not target.cuda else None


def _untold(solution: CoreSolution) -> None:
    """Nobody wants to know which cores are tried."""


def decide(
    matrix: Matrix,
    asked: Interpreted,
    closer: Closer,
    *,
    progress: Progress,
    wheelless: Wheelless,
    engine: Engine | None = None,
    state: State | None = None,
    told: Callable[[CoreSolution], object] = _untold,
) -> Decided | Unsolved:
    """A core with its closure; `told` hears of each core before its closure is asked for.

    Raises EnvironmentFault when the closure cannot be asked.
    """
    state = state or State()
    state.present |= always_there(asked.wanted)
    solver = engine or ClingoEngine()
    for _ in range(ROUNDS):
        rows = build_graph(matrix, graph_request(asked, state))
        solution = solve_core(rows, solver, asked.terms)
        if solution is None:
            return Unsolved(rows=rows, refusals=tuple(state.refusals))
        progress(f"core: {', '.join(option.label for option in solution.packages())}")
        ask = partial(_question, matrix, asked, state=state)
        told(solution)
        answer = closer.close(ask(solution))
        if isinstance(answer, Unreachable):
            raise _unreachable(answer)
        if isinstance(answer, Closed):
            outcome = Outcome(matrix=matrix, target=asked.target, solution=solution, closed=answer, ask=ask)
            if not _learn(state, outcome, closer):
                return Decided(
                    rows=rows,
                    solution=solution,
                    closed=answer,
                    refusals=tuple(state.refusals),
                    newer=not_newer(rows, solution, solver, asked.terms),
                )
            continue
        _known_at_all(answer, mistaken(matrix, asked.wanted))
        if new := frozenset(_sources_only(answer, wheelless)) - state.sdists:
            state.sdists |= new
            continue
        refusal = blame(_dispute(matrix, asked, rows, solution, answer, closer, state))
        progress(f"the closure refuses {' with '.join(refusal.labels)}")
        state.refusals.append(refusal)
    raise _given_up(state)


def _given_up(state: State) -> NoAnswer:
    """What was tried, the same words once."""
    told: dict[str, list[str]] = {}
    for refusal in state.refusals:
        told.setdefault(" ".join(refusal.reason.split()), []).append(" with ".join(refusal.labels))
    causes = [f"refused: {'; '.join(tried)}: {reason}" for reason, tried in told.items()]
    return NoAnswer(
        f"{ROUNDS} answers of the core were tried and the ordinary packages fit none of them",
        causes=causes[-MOST_TOLD:],
        hints=["pin the Python, the torch or the package that is named above, so that fewer are open"],
    )


def _dispute(
    matrix: Matrix,
    asked: Interpreted,
    rows: Rows,
    solution: CoreSolution,
    answer: Refused,
    closer: Closer,
    state: State,
) -> Dispute:
    question = _question(matrix, asked, solution, state)

    def extras(python: str) -> Mapping[str, tuple[str, ...]]:
        return asked_extras(matrix, asked.wishes, asked.target.platform, python)

    own = extras(solution.python)
    return Dispute(
        rows=rows,
        solution=solution,
        question=question,
        refused=answer,
        closer=closer,
        node_of=lambda option: core_node(
            matrix, solution, option, asked.target, question.drop, own.get(option.slot, ())
        ),
        droppable=frozenset(name for breakage in matrix.breaks for name in breakage.drop),
        same_on=lambda python: extras(python) == own,
        repeats=state.repeats,
    )


def _known_at_all(answer: Refused, mistakes: Sequence[str]) -> None:
    """Raises NoAnswer when the index has no such package: no other core will change that."""
    if missing := sorted(set(_NOT_FOUND.findall(answer.reason))):
        names = ", ".join(f"`{name}`" for name in missing)
        raise NoAnswer(
            f"{names} {'is' if len(missing) == 1 else 'are'} not on the package index",
            causes=[" ".join(answer.reason.split())],
            hints=[*mistakes, "check the spelling, or name the index that has it with `--extra-index-url`"],
        )


def _sources_only(answer: Refused, wheelless: Wheelless) -> Iterator[PackageName]:
    """Packages refused for want of a wheel of which none exists on any platform."""
    for name, pinned in _NO_WHEEL.findall(answer.reason):
        if wheelless(normalize(name), pinned or None):
            yield normalize(name)


def _question(matrix: Matrix, asked: Interpreted, solution: CoreSolution, state: State) -> ClosureRequest:
    arguments = asked.arguments
    question = closure_request(
        matrix,
        solution,
        asked.target,
        wanted=asked.wanted,
        constraints=asked.constraints,
        extras=asked_extras(matrix, asked.wishes, asked.target.platform, solution.python),
    )
    return replace(
        question,
        index=arguments.index,
        allow_sdist=tuple(sorted({*arguments.allow_sdist, *state.sdists})),
        exclude_newer=arguments.exclude_newer,
        prerelease=arguments.prerelease,
        offline=arguments.offline,
    )


def _unreachable(answer: Unreachable) -> EnvironmentFault:
    if answer.offline:
        return EnvironmentFault(
            "the ordinary packages could not be resolved offline",
            causes=[answer.reason],
            hints=["run the same command once without `--offline`: what it reads is kept"],
        )
    return EnvironmentFault(
        "the ordinary packages could not be resolved: the package index cannot be used",
        causes=[answer.reason],
        hints=[*hints(answer.problem), "name another index or a mirror with `--index-url`"],
    )


def _learn(state: State, outcome: Outcome, closer: Closer) -> bool:
    """Take in what the closure brought that the core must know of. Says whether to solve again."""
    names = {package.name: package for package in outcome.closed.packages}
    core = core_packages(outcome.matrix)
    found = [name for name in names if name in core and name not in state.needed]
    for name in found:
        who = ", ".join(names[name].via) or "an ordinary package"
        state.needed[name] = CoreWish(name=name, specifier="", text=f"{name} (needed by {who})")
    # Its own part of the closure may go away with the package, so breakages are looked at afterwards.
    return bool(found) or learn_breakages(state, outcome, closer)
