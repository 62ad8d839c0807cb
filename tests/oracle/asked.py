"""What mmlock's core answers to a request, as plain words. The only file here that knows mmlock."""

from __future__ import annotations

from typing import Any, NamedTuple

from request import Request
from solved import asked_words, facts

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import NoAnswer, UsageError
from mmlock.core.names import Platform
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.rows import BinaryChoice, BuildChoice, IndexChoice, Option
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.interpret import interpret


class Package(NamedTuple):
    """A package of the answer."""

    name: str
    version: str
    how: str
    place: str
    """Directory of OpenMMLab's index, or id of the recipe."""
    guessed: bool
    made_before: bool
    row: dict[str, Any]
    """What tells a prebuilt wheel from the others of its version."""


class Answer(NamedTuple):
    """`unusable`: the words or the device; `refused`: no environment; else `solved`."""

    outcome: str
    torch: str = ""
    variant: str = ""
    python: str = ""
    nvcc: str | None = None
    """CUDA of the toolkit that a build takes."""
    lockable: bool = False
    packages: tuple[Package, ...] = ()
    paid: tuple[int, ...] = ()
    """What it says it pays, aim by aim."""


def ask(request: Request) -> Answer:
    """The binary core alone: no index, no closure, no network."""
    arguments = SolveArguments(
        requirements=asked_words(*request.packages),
        constraints=asked_words(*request.constraints),
        gpus=request.gpus,
        stack=request.stack,
        platform=Platform(request.platform) if request.platform else None,
        python=request.python,
        requires_python=request.requires_python,
        torch=request.torch,
        cuda=request.cuda,
        driver=request.driver,
        glibc=request.glibc,
        no_build=request.no_build,
        allow_lite=request.allow_lite,
        allow_torch_ops=request.allow_torch_ops,
        prerelease=request.pre,
    )
    try:
        asked = interpret(facts(), arguments.checked())
    except (UsageError, NoAnswer):
        return Answer("unusable")
    rows = build_graph(facts(), graph_request(asked, LoopState()))
    solution = solve_core(rows, ClingoEngine(), asked.objectives)
    return Answer("refused") if solution is None else _told(solution)


def _told(solution: CoreSolution) -> Answer:
    chain = solution.toolchain
    return Answer(
        outcome="solved",
        torch=solution.torch.torch,
        variant=solution.torch.variant,
        python=solution.python,
        nvcc=chain.cuda if chain else None,
        lockable=chain.lockable if chain else False,
        packages=tuple(_package(option) for option in solution.packages() if option.package != "torch"),
        paid=tuple(term.value for term in solution.objectives),
    )


def _package(option: Option) -> Package:
    choice = option.choice
    place, guessed, row = "", False, {}
    if isinstance(choice, IndexChoice):
        place, guessed = choice.row.directory, choice.inferred_python
    elif isinstance(choice, BuildChoice):
        place = choice.recipe.id
    elif isinstance(choice, BinaryChoice):
        names = ("torch", "cuda", "cxx11_abi", "cudart", "variant")
        row = {name: getattr(choice.binary, name) for name in names}
        guessed = choice.binary.confidence == "inferred"
    return Package(
        name=str(option.package),
        version=str(option.version),
        how=str(option.form),
        place=place,
        guessed=guessed,
        made_before=isinstance(choice, BuildChoice) and choice.verified is not None,
        row=row,
    )
