"""The core: graph, ground and solve, in one process and in fresh ones.

    python benchmarks/core_solve.py [--rounds 7] [--count 1000] [--json]

*first* is a fresh process: imports, reading the matrix and the first solve. *warm* is the same question again
in a process that has answered it before. The thousand questions go over GPU x Python x stack in one process;
the profile is taken in a second pass over a third of them, so that it slows nothing that is timed.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from questions import NAMED, Question, asked, spread
from report import Cell, Table, parser_of, show
from sampling import core_stage, sampled

from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.solution import solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.request import GraphRequest
from mmlock.resolve.request.objectives import Objective

FIRST = 3
"""Fresh processes per question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Milliseconds of one core solve, those of the processor, and whether there was an answer."""

    graph: float
    solve: float
    cpu: float
    options: int
    answered: bool


def once(matrix: Matrix, request: GraphRequest, objectives: tuple[Objective, ...]) -> Timed:
    start, cpu = time.perf_counter(), time.process_time()
    rows = build_graph(matrix, request)
    middle = time.perf_counter()
    solution = solve_core(rows, ClingoEngine(), objectives)
    end = time.perf_counter()
    return Timed(
        graph=(middle - start) * 1000,
        solve=(end - middle) * 1000,
        cpu=(time.process_time() - cpu) * 1000,
        options=len(rows.options),
        answered=solution is not None,
    )


def first(question: Question) -> dict[str, float]:
    """The first solve of this process, told to the parent as JSON."""
    start = time.perf_counter()
    matrix = open_matrix()
    found = asked(matrix, question)
    assert found is not None
    read = (time.perf_counter() - start) * 1000
    timed = once(matrix, *found)
    return {"read": read, "graph": timed.graph, "solve": timed.solve}


def fresh(question: Question) -> dict[str, float]:
    words = [sys.executable, __file__, "--first", question.gpu, question.stack]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def named(matrix: Matrix, rounds: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    sums = []
    for question in NAMED:
        found = asked(matrix, question)
        assert found is not None, question
        runs = [fresh(question) for _ in range(FIRST)]
        once(matrix, *found)
        warm = [once(matrix, *found) for _ in range(rounds)]
        cold = [statistics.median(run[part] for run in runs) for part in ("read", "graph", "solve")]
        graph = statistics.median(run.graph for run in warm)
        solve = statistics.median(run.solve for run in warm)
        answer = "yes" if warm[0].answered else "none"
        sums.append(graph + solve)
        rows.append((question.words(), warm[0].options, answer, *cold, graph, solve, sums[-1]))
    first = ("first: read", "first: graph", "first: solve")
    return Table(
        title=f"core solve, median ms ({FIRST} fresh processes, {rounds} warm rounds)",
        columns=("question", "options", "answer", *first, "graph", "solve", "sum"),
        rows=tuple(rows),
        notes=(
            "read: opening the matrix and reading the request; solve: reduce, ground, solve and describe",
            f"median of the warm sums: {statistics.median(sums):.1f} ms",
        ),
    )


def many(matrix: Matrix, count: int) -> Iterator[Table]:
    found = [asked(matrix, question) for question in spread(matrix, count)]
    served = [one for one in found if one is not None]
    start = time.perf_counter()
    runs = [once(matrix, *one) for one in served]
    seconds = time.perf_counter() - start
    rows = []
    kinds = {
        "all": runs,
        "answered": [run for run in runs if run.answered],
        "no answer": [run for run in runs if not run.answered],
    }
    for kind, some in kinds.items():
        sums = sorted(run.graph + run.solve for run in some)
        if not sums:
            continue
        graph = statistics.median(run.graph for run in some)
        solve = statistics.median(run.solve for run in some)
        high = sums[int(len(sums) * 0.95)]
        rate, ideal = (1000 * len(sums) / total for total in (sum(sums), sum(run.cpu for run in some)))
        rows.append((kind, len(sums), graph, solve, sums[len(sums) // 2], high, rate, ideal))
    yield Table(
        title=f"{len(runs)} core solves over GPU x Python x stack in one process: {seconds:.1f} s",
        columns=("kind", "solves", "graph ms", "solve ms", "median ms", "95 % ms", "solves / s", "per CPU s"),
        rows=tuple(rows),
        notes=(f"{count - len(served)} of {count} questions name a GPU that no public build serves",),
    )
    with sampled(core_stage) as profile:
        for one in served[:: max(1, len(served) // (count // 3 or 1))]:
            once(matrix, *one)
    yield Table(
        title="where the time of those solves goes",
        columns=("stage", "%"),
        rows=tuple(row for row in profile.shares() if row[1] >= 1),
    )
    yield Table(
        title="functions, with what they call outside of mmlock",
        columns=("function", "%"),
        rows=tuple(profile.hottest(14)),
    )


def tables(rounds: int, count: int) -> Iterator[Table]:
    matrix = open_matrix()
    yield named(matrix, rounds)
    yield from many(matrix, count)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", nargs=2, metavar=("GPU", "STACK"), help="one solve, as JSON")
    arguments = parser.parse_args()
    if arguments.first:
        gpu, stack = arguments.first
        print(json.dumps(first(Question(gpu=gpu, stack=stack))))
        return
    show(tables(arguments.rounds, arguments.count), as_json=arguments.json)


if __name__ == "__main__":
    main()
