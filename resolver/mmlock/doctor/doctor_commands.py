"""Commands the doctor proposes: asked of the core solver first, so that none is told that cannot hold."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from msgspec.structs import replace

from mmlock.core.arguments import AUTO, SolveArguments, parse_platform
from mmlock.core.errors import MmlockError
from mmlock.core.faults import Fault
from mmlock.core.sources import Inputs, gather
from mmlock.doctor.model import Proposal, Wish
from mmlock.doctor.proposals import same_major
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.interpret import interpret

OUT = "lock"


def prove(matrix: Matrix, wish: Wish) -> Proposal:
    """The command of a wish as far as it holds: what does not fit is given up, and that is said."""
    if wish.gpu == AUTO:  # the card of the machine that the text comes from, which is not at hand
        return Proposal(command=command(wish), when=wish.when, note=wish.note)
    tried = list(_ladder(wish))
    for attempt in tried:
        if solution := core(matrix, attempt):
            return Proposal(
                command=command(attempt),
                when=wish.when,
                gives=gives(solution),
                note=". ".join(text for text in (attempt.note, wish.note) if text),
            )
    return Proposal(
        command=command(tried[-1]), when=wish.when, note="no combination holds: the command tells why"
    )


def _ladder(wish: Wish) -> Iterator[Wish]:
    """The wish, then with one thing after the other given up."""
    yield replace(wish, note="")
    loose = tuple(same_major(text) for text in wish.packages)
    if loose != wish.packages:
        yield replace(wish, packages=loose, note="the very releases of the text do not fit together")
    bare = tuple(text.partition("==")[0] for text in wish.packages)
    if wish.torch or wish.cuda:
        wish = replace(wish, torch=None, cuda=None)
        yield replace(wish, packages=loose, note="the torch of the text does not fit")
    if wish.python:
        yield replace(
            wish, packages=loose, python=None, note=f"nothing fits Python {wish.python}: another is taken"
        )
        yield replace(
            wish, packages=bare, python=None, note=f"nothing fits Python {wish.python} and those releases"
        )
    elif bare != loose:
        yield replace(wish, packages=bare, note="the releases of the text do not fit")


def arguments_of(wish: Wish) -> SolveArguments:
    """The request that the command makes. Raises UsageError."""
    said = dict(word.split("=", 1) for word in wish.options if "=" in word)
    platform = said.get("--platform")
    named = parse_platform(platform) if platform else None
    assert not isinstance(named, Fault)
    asked = gather(Inputs(requirements=wish.packages), lambda path: Fault(where=path, text="is no file"))
    return SolveArguments(
        requirements=asked.requirements,
        gpus=(wish.gpu,),
        python=wish.python,
        torch=wish.torch,
        cuda=wish.cuda,
        driver=said.get("--driver"),
        platform=named,
        no_build="--no-build" in wish.options,
    ).checked()


def core(matrix: Matrix, wish: Wish) -> CoreSolution | None:
    """What the core solver picks; None when nothing holds, or the wish cannot be asked at all."""
    try:
        asked = interpret(matrix, arguments_of(wish))
    except MmlockError:
        return None
    rows = build_graph(matrix, graph_request(asked, LoopState()))
    return solve_core(rows, ClingoEngine(), asked.objectives)


def command(wish: Wish) -> str:
    """The command line of a wish."""
    words = ["mmlock", "solve", "--gpu", wish.gpu]
    for option, value in (("--python", wish.python), ("--torch", wish.torch), ("--cuda", wish.cuda)):
        if value:
            words += [option, value]
    words += [word for option in wish.options for word in option.split("=", 1)]
    words += [word for package in wish.packages for word in ("--with", package)]
    return shlex.join([*words, "--out", OUT])


def gives(solution: CoreSolution) -> str:
    """What a solution holds, as a list for a person."""
    told = [f"Python {solution.python}"]
    for option in solution.packages():
        how = {"build": " (built)", "torch-ops": " (ops in plain PyTorch)", "sdist": " (from source)"}.get(
            str(option.form), ""
        )
        if option.package == "torch":
            told.append(f"torch {solution.torch.torch}+{solution.torch.variant}")
        else:
            told.append(f"{option.package} {option.version}{how}")
    return ", ".join(told)
