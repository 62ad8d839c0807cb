"""The loop between the core and the closure: ask, listen, exclude, ask again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, replace

from packaging.requirements import Requirement

from mmlock.app.interpret import Interpreted
from mmlock.core.arguments import torch_variant
from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.names import PackageName, normalize
from mmlock.core.progress import Progress
from mmlock.core.target import Target
from mmlock.core.values import dataclass
from mmlock.graph.build import build_graph, core_packages
from mmlock.graph.extras import asked_extras
from mmlock.graph.request import CoreWish, GraphRequest
from mmlock.graph.rows import Rows
from mmlock.matrix.curated import Breakage
from mmlock.matrix.load import Matrix
from mmlock.plan.closure_inputs import closure_request
from mmlock.solve.alternatives import Newer, not_newer
from mmlock.solve.closure_model import (
    Closed,
    Closer,
    ClosureRequest,
    CoreNode,
    Refused,
    Unreachable,
)
from mmlock.solve.engine import ClingoEngine
from mmlock.solve.instance import Engine
from mmlock.solve.solution import CoreSolution, solve_core

Wheelless = Callable[[PackageName, "str | None"], bool]
"""Whether a version (None: every version) of an ordinary package has sources and no wheel at all."""

_NOT_FOUND = re.compile(r"([A-Za-z0-9._-]+) was not found in the package registry")
_NO_WHEEL = re.compile(r"([A-Za-z0-9._-]+?)(?:==(\S+))? ha(?:s|ve) no usable wheels")

ROUNDS = 24
"""How many core combinations are tried before giving up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A combination the closure refused, with its words."""

    options: frozenset[tuple[str, str]]
    reason: str


@dataclass(slots=True)
class State:
    """What the loop has learned so far."""

    refusals: list[Refusal] = field(default_factory=list)
    needed: dict[PackageName, CoreWish] = field(default_factory=dict)
    """Core packages that ordinary ones turned out to need."""
    present: frozenset[PackageName] = frozenset()
    sdists: frozenset[PackageName] = frozenset()
    """Ordinary packages of which no wheel exists anywhere, so that only their sources can be taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A core and a closure that fit each other."""

    rows: Rows
    solution: CoreSolution
    closed: Closed
    refusals: tuple[Refusal, ...]
    newer: tuple[Newer, ...]
    """What was newer and not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsolved:
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
        prerelease=arguments.prerelease,
        validations=asked.validations,
        present=state.present | {_name(one.text) for one in asked.wanted},
        refused=tuple(refusal.options for refusal in state.refusals),
    )


def _foreign_variant(target: Target, torch: str | None) -> str | None:
    """The CUDA build of torch that was asked for by name, for a target that has no CUDA."""
    found = torch_variant(torch)
    return found if found and found.startswith("cu") and not target.cuda else None


def decide(
    matrix: Matrix,
    asked: Interpreted,
    closer: Closer,
    *,
    progress: Progress,
    wheelless: Wheelless,
    engine: Engine | None = None,
    state: State | None = None,
) -> Decided | Unsolved:
    """A core with its closure. Raises EnvironmentFault when the closure cannot be asked."""
    state = state or State()
    state.present |= {_name(one.text) for one in asked.wanted}
    solver = engine or ClingoEngine()
    for _ in range(ROUNDS):
        rows = build_graph(matrix, graph_request(asked, state))
        solution = solve_core(rows, solver, asked.terms)
        if solution is None:
            return Unsolved(rows=rows, refusals=tuple(state.refusals))
        progress(f"core: {', '.join(option.label for option in solution.packages())}")
        question = _question(matrix, asked, solution, state)
        answer = closer.close(question)
        if isinstance(answer, Unreachable):
            raise _unreachable(answer)
        if isinstance(answer, Closed):
            if not _learn(matrix, state, answer):
                return Decided(
                    rows=rows,
                    solution=solution,
                    closed=answer,
                    refusals=tuple(state.refusals),
                    newer=not_newer(rows, solution, solver, asked.terms),
                )
            continue
        _known_at_all(answer)
        if new := frozenset(_sources_only(answer, wheelless)) - state.sdists:
            state.sdists |= new
            continue
        refusal = _blame(closer, question, answer, solution)
        progress(f"the closure refuses {' with '.join(sorted(label for _, label in refusal.options))}")
        state.refusals.append(refusal)
    raise NoAnswer(
        f"{ROUNDS} combinations were tried and the ordinary packages fit none of them",
        causes=[refusal.reason for refusal in state.refusals[-3:]],
        hints=["pin the Python or the torch you want, so that fewer combinations are open"],
    )


def _known_at_all(answer: Refused) -> None:
    """Raises NoAnswer when the index has no such package: no other core will change that."""
    if missing := sorted(set(_NOT_FOUND.findall(answer.reason))):
        names = ", ".join(f"`{name}`" for name in missing)
        raise NoAnswer(
            f"{names} {'is' if len(missing) == 1 else 'are'} not on the package index",
            causes=[" ".join(answer.reason.split())],
            hints=["check the spelling, or name the index that has it with `--extra-index-url`"],
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
        hints=["check the network, or name a mirror with `--index-url`"],
    )


def _learn(matrix: Matrix, state: State, closed: Closed) -> bool:
    """Take in what the closure brought that the core must know of. Says whether to solve again."""
    names = {package.name: package for package in closed.packages}
    core = core_packages(matrix)
    found = [name for name in names if name in core and name not in state.needed]
    for name in found:
        who = ", ".join(names[name].via) or "an ordinary package"
        state.needed[name] = CoreWish(name=name, specifier="", text=f"{name} (needed by {who})")
    known = state.present | names.keys()
    told = (_ordinary(breakage) - core for breakage in matrix.breaks)
    new = frozenset(name for others in told if others <= known for name in others) - state.present
    state.present |= new
    return bool(found or new)


def _ordinary(breakage: Breakage) -> frozenset[PackageName]:
    """The packages it speaks of, without what the target and the graph always know."""
    return frozenset(when.package for when in breakage.when if when.package not in {"gpu", "python", "torch"})


def _blame(closer: Closer, question: ClosureRequest, answer: Refused, solution: CoreSolution) -> Refusal:
    """The smallest part of the core that the closure is found to refuse.

    Each decided package is tried with its own requirements alone; when none is refused alone, the whole
    core is. The Python always belongs to it, since the files that exist depend on it.
    """
    bare = tuple(replace(node, requires=()) for node in question.core)
    for index, node in enumerate(question.core):
        core = (*bare[:index], node, *bare[index + 1 :])
        alone = replace(question, core=core, wanted=())
        if node.requires and isinstance(found := closer.close(alone), Refused):
            return Refusal(
                options=_guilty(solution, {node.name, *_cores(found, question.core)}, found),
                reason=found.reason,
            )
    if isinstance(found := closer.close(replace(question, core=bare)), Refused):
        return Refusal(options=_guilty(solution, _cores(found, question.core), found), reason=found.reason)
    return Refusal(
        options=frozenset((option.slot, option.label) for option in solution.picked.values()),
        reason=answer.reason,
    )


def _cores(refused: Refused, core: Iterable[CoreNode]) -> set[PackageName]:
    names = {node.name for node in core}
    return {name for name in refused.packages if name in names}


def _guilty(solution: CoreSolution, names: set[PackageName], refused: Refused) -> frozenset[tuple[str, str]]:
    """The Python, the options of these packages, and those whose known breakage bounds what was refused."""
    python = solution.picked["python"]
    guilty = {(python.slot, python.label)}
    guilty |= {(o.slot, o.label) for o in solution.packages() if o.package in names}
    for breach in solution.cured:
        if any(_name(text) in refused.packages for text in breach.breakage.constraints):
            for option in solution.picked.values():
                if any(option.index in group for group in breach.groups):
                    guilty.add((option.slot, option.label))
    return frozenset(guilty)


def _name(text: str) -> PackageName:
    return normalize(Requirement(text).name)
