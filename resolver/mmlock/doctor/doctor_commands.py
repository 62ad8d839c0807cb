"""Commands the doctor proposes: solved by the core first, so that each has a solution."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from msgspec.structs import replace

from mmlock.core.arguments import AUTO, SolveArguments, parse_platform
from mmlock.core.errors import MmlockError
from mmlock.core.faults import Fault
from mmlock.core.sources import Inputs, gather
from mmlock.core.versions import version
from mmlock.doctor.model import Proposal, ProposedSolve
from mmlock.doctor.proposals import same_major
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.request.interpret import interpret

OUT = "lock"


def prove(matrix: Matrix, proposed: ProposedSolve) -> Proposal | None:
    """The command of a proposed solve; what is incompatible is given up, and the note says so.

    None: nothing that keeps the packages has a solution, so there is no command to tell.
    """
    if proposed.gpu == AUTO:
        return _on_some_gpu(matrix, proposed)
    for attempt in _ladder(proposed):
        if solution := core(matrix, attempt):
            return Proposal(
                command=command(attempt),
                when=proposed.when,
                gives=gives(solution),
                note=". ".join(text for text in (attempt.note, proposed.note) if text),
            )
    return None


def _on_some_gpu(matrix: Matrix, proposed: ProposedSolve) -> Proposal | None:
    """The same for the card of the machine that a text comes from: it is not at hand, others stand in for it.

    The command is not tried thereby; but what has no solution on any of them is not worth a try.
    """
    for arch in _stand_ins(matrix):
        for attempt in _ladder(replace(proposed, gpu=arch)):
            if solution := core(matrix, attempt):
                told = f"on {arch}, for example, it gives {gives(solution)}"
                notes = (attempt.note, told, proposed.note)
                return Proposal(
                    command=command(replace(attempt, gpu=AUTO)),
                    when=proposed.when,
                    note=". ".join(text for text in notes if text),
                )
    return None


def _stand_ins(matrix: Matrix) -> tuple[str, ...]:
    """Archs that the newest torch of PyPI is built for: one in the middle, the oldest and the newest."""
    builds = [row for row in matrix.torch_builds if row.on_pypi and row.archs]
    newest = max(builds, key=lambda row: version(row.torch), default=None)
    archs = [arch for arch in (newest.archs or ()) if arch.startswith("sm_")] if newest else []
    return tuple(dict.fromkeys((archs[len(archs) // 2], archs[0], archs[-1]))) if archs else ()


def _ladder(proposed: ProposedSolve) -> Iterator[ProposedSolve]:
    """The solve, then with one thing after the other given up."""
    yield replace(proposed, note="")
    loose = tuple(same_major(text) for text in proposed.packages)
    if loose != proposed.packages:
        yield replace(proposed, packages=loose, note="the exact releases in the text are incompatible")
    bare = tuple(text.partition("==")[0] for text in proposed.packages)
    if proposed.torch or proposed.cuda:
        proposed = replace(proposed, torch=None, cuda=None)
        yield replace(proposed, packages=loose, note="the torch in the text is incompatible")
    if proposed.python:
        anyhow = replace(proposed, python=None)
        note = f"no solution for Python {proposed.python}"
        yield replace(anyhow, packages=loose, note=f"{note}, so another Python was chosen")
        yield replace(anyhow, packages=bare, note=f"{note} and these releases")
    elif bare != loose:
        yield replace(proposed, packages=bare, note="the releases in the text are incompatible")


def arguments_of(proposed: ProposedSolve) -> SolveArguments:
    """The request that the command makes. Raises UsageError."""
    said = dict(word.split("=", 1) for word in proposed.options if "=" in word)
    platform = said.get("--platform")
    named = parse_platform(platform) if platform else None
    assert not isinstance(named, Fault)
    asked = gather(Inputs(requirements=proposed.packages), lambda path: Fault(where=path, text="is no file"))
    return SolveArguments(
        requirements=asked.requirements,
        gpus=(proposed.gpu,),
        python=proposed.python,
        torch=proposed.torch,
        cuda=proposed.cuda,
        driver=said.get("--driver"),
        platform=named,
        no_build="--no-build" in proposed.options,
    ).checked()


def core(matrix: Matrix, proposed: ProposedSolve) -> CoreSolution | None:
    """What the core solver picks; None when there is no solution, or no such request."""
    try:
        asked = interpret(matrix, arguments_of(proposed))
    except MmlockError:
        return None
    rows = build_graph(matrix, graph_request(asked, LoopState()))
    return solve_core(rows, ClingoEngine(), asked.objectives)


def command(proposed: ProposedSolve) -> str:
    """The command line of a proposed solve."""
    words = ["mmlock", "solve", "--gpu", proposed.gpu]
    for option, value in (
        ("--python", proposed.python),
        ("--torch", proposed.torch),
        ("--cuda", proposed.cuda),
    ):
        if value:
            words += [option, value]
    words += [word for option in proposed.options for word in option.split("=", 1)]
    words += [word for package in proposed.packages for word in ("--with", package)]
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
