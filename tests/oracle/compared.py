"""One request, put to the solver and to the facts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asked import Answer, Package, ask
from facts import module_of
from prices import AIMS
from problem import Env, Problem
from request import Request, Unusable
from search import TooMany, better, cost, first, objections
from world import Way

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass
class Compared:
    """What both said."""

    request: Request
    outcome: str
    faults: tuple[str, ...] = ()
    """Empty where they agree."""
    known: tuple[str, ...] = ()
    """Faults that `known.toml` explains."""
    undecided: bool = False
    """The search for something better, or for anything at all, was given up."""

    def text(self) -> str:
        return "\n  ".join([self.request.command(), f"the solver: {self.outcome}", *self.faults])


def known_faults() -> Mapping[str, Any]:
    """What the solver is known to get wrong."""
    return tomllib.loads(Path(__file__).with_name("known.toml").read_text(encoding="utf-8"))


def compare(request: Request) -> Compared:
    """Ask the solver, and look for what it got wrong."""
    answer = ask(request)
    try:
        faults = tuple(faults_of(Problem(request), answer))
        spared = frozenset(known_faults()) if faults else frozenset()
        left = tuple(faults_of(Problem(request, spared), answer)) if spared else faults
    except TooMany:
        return Compared(request, answer.outcome, undecided=True)
    return Compared(request, answer.outcome, faults=left, known=() if left else faults)


def strictly(request: Request) -> tuple[str, ...]:
    """The faults of an answer, the known ones among them."""
    return tuple(faults_of(Problem(request), ask(request)))


def faults_of(problem: Problem, answer: Answer) -> Iterator[str]:
    """What is wrong with an answer. Raises TooMany where the search is given up."""
    try:
        problem.machine  # noqa: B018 - it is worked out here, and may not be
    except Unusable as error:
        if answer.outcome != "unusable":
            yield f"the request is unusable: {error}"
        return
    if answer.outcome == "unusable":
        yield "nothing is wrong with the request"
    elif answer.outcome == "solved":
        yield from _judged(problem, answer)
    elif (found := first(problem)) is not None:
        yield f"admissible all the same: {shown(problem, found)}"


def _judged(problem: Problem, answer: Answer) -> list[str]:
    env = environment(problem, answer)
    if isinstance(env, str):
        return [env]
    faults = list(objections(problem, env))
    paid = cost(problem, env)
    nvcc = any(way.nvcc for way in env.ways.values())
    if nvcc != (answer.nvcc is not None) or (nvcc and answer.nvcc != problem.world.builds[env.build]["cuda"]):
        faults.append(f"its toolkit is {answer.nvcc}")
    if not faults and (found := better(problem, paid)) is not None:
        aim = next(aim for aim, a, b in zip(AIMS, found[0], paid, strict=True) if a != b)
        faults.append(f"better by {aim}: {shown(problem, found[1])} pays {found[0]}, not {paid}")
    return [f"{text} [{shown(problem, env)}]" for text in faults]


def environment(problem: Problem, answer: Answer) -> Env | str:
    """The answer in terms of the facts; a sentence where no fact speaks of a part of it."""
    places = [
        place
        for place, build in enumerate(problem.world.builds)
        if (build["torch"], build["variant"]) == (answer.torch, answer.variant)
    ]
    if len(places) != 1:
        return f"torch {answer.torch}+{answer.variant} is not for {problem.machine}"
    ways: dict[str, Way] = {}
    for package in answer.packages:
        fitting = [way for way in problem.world.ways(module_of()[package.name]) if _is(way, package)]
        if not fitting:
            return f"no fact offers {package}"
        if fitting[0].module in ways:
            return f"two distributions provide {fitting[0].module}"
        # Of an option for a torch in general, the one for the torch that was taken.
        fitting.sort(key=lambda way: (places[0] not in way.builds, way.doubt))
        ways[fitting[0].module] = fitting[0]
    return Env(places[0], answer.python, ways)


def _is(way: Way, package: Package) -> bool:
    if (way.package, way.version, way.how) != (package.name, package.version, package.how):
        return False
    if way.binary is not None:
        return all(way.binary[name] == value for name, value in package.row.items())
    if way.place != package.place or way.guessed != package.guessed:
        return False
    return not way.place or way.how == "wheel" or (way.doubt == 0) == package.made_before


def shown(problem: Problem, env: Env) -> str:
    build = problem.world.builds[env.build]
    parts = [f"torch {build['torch']}+{build['variant']}", f"Python {env.python}"]
    parts += [f"{way.package} {way.version} {way.how} {way.place}".strip() for way in env.ways.values()]
    return ", ".join(parts)
