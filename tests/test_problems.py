"""Every problem of `tests/problems/` put to the core solver."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from solved import facts

from mmlock.core.arguments import SolveArguments, parse_platform
from mmlock.core.errors import NoAnswer, UsageError
from mmlock.core.faults import Fault
from mmlock.core.names import Platform, normalize
from mmlock.core.sources import Inputs, gather
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.explain import explain
from mmlock.resolve.core_solver.solution import CoreSolution, solve_core
from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.graph.rows import BuildChoice, IndexChoice, Rows
from mmlock.resolve.loop.breakages import always_there
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.loop.refusal import chain_lines, nearest_lines
from mmlock.resolve.plan.steps import arch_list
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.model import InterpretedRequest, PlainRequirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "problems"
REQUEST_KEYS = frozenset(
    {
        "gpu", "with", "stack", "python", "torch", "cuda", "driver", "platform", "glibc", "constraints",
        "prefer", "kept", "no-build", "allow-lite", "allow-torch-ops", "pre", "requires-python", "present",
    }
)  # fmt: skip
Table = dict[str, Any]


def matrix() -> Matrix:
    return facts()


def problems() -> list[Table]:
    return [
        problem
        for path in sorted(FOLDER.glob("*.toml"))
        for problem in tomllib.loads(path.read_text(encoding="utf-8"))["problem"]
    ]


def words(texts: list[str]) -> tuple[Any, ...]:
    return gather(Inputs(requirements=tuple(texts)), lambda path: path).requirements


def arguments(request: Table) -> SolveArguments:
    assert set(request) <= REQUEST_KEYS, f"unknown keys: {set(request) - REQUEST_KEYS}"
    platform = parse_platform(request["platform"]) if "platform" in request else None
    assert not isinstance(platform, Fault)
    return SolveArguments(
        requirements=words(request.get("with", [])),
        constraints=words(request.get("constraints", [])),
        requires_python=request.get("requires-python"),
        stack=request.get("stack"),
        gpus=tuple(request.get("gpu", [])),
        python=request.get("python"),
        torch=request.get("torch"),
        cuda=request.get("cuda"),
        driver=request.get("driver"),
        platform=Platform(platform) if platform else None,
        glibc=request.get("glibc"),
        no_build=request.get("no-build", False),
        allow_lite=request.get("allow-lite", False),
        allow_torch_ops=request.get("allow-torch-ops", False),
        prerelease=request.get("pre", False),
        prefer=tuple(request.get("prefer", [])),
        preferences=tuple((normalize(name), text) for name, text in request.get("kept", {}).items()),
    ).checked()


def ask(problem: Table) -> tuple[InterpretedRequest, Rows, CoreSolution | None]:
    asked = interpret(matrix(), arguments(problem["request"]))
    present = always_there(
        tuple(
            PlainRequirement(text=text, via="the problem") for text in problem["request"].get("present", [])
        )
    )
    rows = build_graph(matrix(), graph_request(asked, LoopState(present=present)))
    return asked, rows, solve_core(rows, ClingoEngine(), asked.objectives)


SHARE = 3
"""One of so many is solved with the unit tests, all of them with the slow ones."""
ALL = [
    pytest.param(problem, marks=() if number % SHARE == 0 else pytest.mark.slow, id=problem["name"])
    for number, problem in enumerate(problems())
]


@pytest.mark.parametrize("problem", ALL)
def test_problem(problem: Table) -> None:
    expect: Table = problem["expect"]
    assert len(problem["why"]) > 20, "a problem without an argument proves nothing"
    if expect["outcome"] == "usage":
        with pytest.raises((UsageError, NoAnswer)) as caught:
            ask(problem)
        told = "\n".join(caught.value.lines())
        assert [text for text in expect["message"] if text not in told] == []
        return
    asked, rows, solution = ask(problem)
    if expect["outcome"] == "conflict":
        assert solution is None, [option.label for option in solution.picked.values()]
        check_conflict(expect, asked, rows)
    else:
        assert expect["outcome"] == "solution"
        assert solution is not None, explain(rows, asked.objectives).chain
        check_solution(expect, asked, solution)


def check_conflict(expect: Table, asked: InterpretedRequest, rows: Rows) -> None:
    explanation = explain(rows, asked.objectives)
    if "incompatible" in expect:
        assert sorted(a.name for a in explanation.user_constraints) == sorted(expect["incompatible"])
    chain = "\n".join(chain_lines(matrix(), explanation))
    assert [text for text in expect.get("chain", []) if text not in chain] == [], chain
    nearest = "\n".join(nearest_lines(explanation))
    assert [text for text in expect.get("nearest", []) if text not in nearest] == [], nearest


def check_solution(expect: Table, asked: InterpretedRequest, solution: CoreSolution) -> None:
    told = observed(asked, solution)
    known = {"outcome", *told, "absent"}
    assert set(expect) <= known, f"unknown keys: {set(expect) - known}"
    for key, value in expect.items():
        if key in {"packages", "forms", "wheel-index", "environment"}:
            assert {name: told[key].get(name) for name in value} == value, key
        elif key in {"constraints", "adds", "drops"}:
            assert sorted(set(value) - set(told[key])) == [], told[key]
        elif key == "absent":
            assert sorted(set(value) & set(told["packages"])) == []
        elif key != "outcome":
            assert told[key] == value, f"{key}: {told}"


def observed(asked: InterpretedRequest, solution: CoreSolution) -> Table:
    packages = {str(o.package): o for o in solution.packages()}
    builds = [o.choice for o in packages.values() if isinstance(o.choice, BuildChoice)]
    cured = [breach.breakage for breach in solution.cured]
    return {
        "python": solution.python,
        "torch": solution.torch.torch,
        "variant": solution.torch.variant,
        "toolchain": solution.toolchain.provider if solution.toolchain else "none",
        "packages": {name: o.version for name, o in packages.items()},
        "forms": {name: str(o.form) for name, o in packages.items()},
        "verified": all(choice.verified for choice in builds),
        "wheel-index": {
            name: o.choice.row.directory for name, o in packages.items() if isinstance(o.choice, IndexChoice)
        },
        "arch-list": arch_list(matrix(), solution, asked.target),
        "environment": {k: v for b in cured for k, v in b.environment.items()},
        "constraints": [text for b in cured for text in b.constraints],
        "adds": [text for b in cured for text in b.add],
        "drops": [str(name) for b in cured for name in b.drop],
        "broken": sorted(breach.breakage.id for breach in solution.broken),
    }


def test_names_are_unique() -> None:
    names = [problem["name"] for problem in problems()]
    assert sorted(set(names)) == sorted(names)
