"""Verdicts: on one environment, and on all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from facts import Row
from prices import Price, add, price
from problem import Env, Problem
from world import Need, Way, lifted

MOST = 1500
"""Steps of a search. What needs more is left undecided, and counted."""


class TooMany(Exception):
    """The search was given up."""


def python_order(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.rstrip("t").split("."))


def objections(problem: Problem, env: Env) -> Iterator[str]:
    """Why an environment is no answer; nothing where it is one."""
    yield from problem.objections_to_torch(env.build, env.python)
    needed = set(problem.wanted(env.python))
    for way in env.ways.values():
        yield from problem.objections_to_way(way)
        yield from problem.objections_to_pair(way, env.build, env.python)
        for need in way.needs:
            if need.module == "torch" or lifted(need, problem.machine.platform, env.python):
                continue
            needed.add(need.module)
            other = env.ways.get(need.module)
            if other is None or not problem.need_met(need, other, env.python):
                there = f"{other.package} {other.version}" if other else "nothing"
                yield f"{way.package} {way.version} needs {need}, there is {there}"
    for module in sorted(needed - set(env.ways)):
        yield f"nothing fills {module}"
    for module in sorted(set(env.ways) - needed):
        yield f"nobody needs {module}"


def cost(problem: Problem, env: Env) -> Price:
    """What an environment pays, aim by aim."""
    walk = Walk(problem, env.build, env.python)
    paid = walk.start
    for way in env.ways.values():
        paid = add(paid, walk.step(way))
        walk.put(way)
    return paid


@dataclass(eq=False)
class Walk:
    """An environment that grows by one way after another."""

    problem: Problem
    build: int
    python: str
    ways: dict[str, Way] = field(default_factory=dict)
    validated: list[list[Row]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.validated.append(self.problem.validated_with(self.build, self.python))
        self.start = self.problem.cost_of_torch(self.build, self.python)

    def step(self, way: Way, own: Price | None = None) -> Price:
        """What a way pays beside what is there already."""
        problem = self.problem
        paid = own or problem.cost_of_way(way)
        there = {**self.ways, way.module: way}
        broken = sum(
            1
            for row in problem.breakages_of(way.package)
            if problem.breaks(row, self.build, self.python, there)
        )
        unmet = problem.torch_unlike(way, self.build)
        for other in self.ways.values():
            unmet += problem.unmet_wishes(way, other) + problem.unmet_wishes(other, way)
        toolchain = 0
        if way.nvcc and not any(other.nvcc for other in self.ways.values()):
            chains = problem.toolchains(problem.world.builds[self.build]["cuda"])
            toolchain = 0 if any(row["lockable"] for row in chains) else 1
        lost = self.validated[-1] and not any(problem.validated_as(row, way) for row in self.validated[-1])
        if not (broken or unmet or toolchain or lost):
            return paid
        return add(
            paid,
            price(
                nothing_broken=broken,
                declared_bounds=unmet,
                lockable_toolchain=toolchain,
                validated=1 if lost else 0,
            ),
        )

    def put(self, way: Way) -> None:
        self.ways[way.module] = way
        self.validated.append([row for row in self.validated[-1] if self.problem.validated_as(row, way)])

    def take(self, way: Way) -> None:
        del self.ways[way.module]
        self.validated.pop()


@dataclass(eq=False)
class Search:
    """Looks at every torch build, Python and way; leaves out what cannot be better than the best so far."""

    problem: Problem
    below: Price | None = None
    """None: anything will do."""
    most: int = MOST
    looked: int = 0
    found: tuple[Price, Env] | None = None

    def run(self) -> tuple[Price, Env] | None:
        """An admissible environment that pays less than `below`; any one, where there is no `below`."""
        problem = self.problem
        vain: dict[object, Price] = {}
        for place in range(len(problem.world.builds)):
            for python in sorted(problem.world.builds[place]["pythons"], key=python_order, reverse=True):
                if any(problem.objections_to_torch(place, python)):
                    continue
                walk = Walk(problem, place, python)
                if not self._worth_it(walk):
                    continue
                # What another torch offered alike, at no higher price and in vain, this one offers in vain.
                offer = problem.offer(place, python)
                if offer in vain and (self.below is None or vain[offer] <= walk.start):
                    continue
                self._fill(walk, walk.start, dict.fromkeys(problem.wanted(python), ()))
                if self.found is not None:
                    return self.found
                vain[offer] = min(walk.start, vain.get(offer, walk.start))
        return None

    def _worth_it(self, walk: Walk) -> bool:
        """Whether all that is asked for is there, each on its own, and cheap enough."""
        least = walk.start
        for module in self.problem.wanted(walk.python):
            usable = self.problem.usable(module, walk.build, walk.python)
            if not usable:
                return False
            least = add(least, usable[0][0])
        return not self._too_dear(least)

    def _fill(self, walk: Walk, paid: Price, open_: Mapping[str, tuple[Need, ...]]) -> None:
        """Fill the modules that are still open, each with the needs that others have of it."""
        self.looked += 1
        if self.looked > self.most:
            raise TooMany
        if not open_:
            if self.below is None or paid < self.below:
                self.found = paid, Env(walk.build, walk.python, dict(walk.ways))
            return
        choices = self._choices(walk, paid, open_)
        if choices is None:
            return
        module = min(choices, key=lambda name: len(choices[name]))
        rest = paid  # and the cheapest of every other module
        for name, good in choices.items():
            rest = rest if name == module else add(rest, good[0][0])
        for step, way in choices[module]:
            if self._too_dear(add(rest, step)):
                return  # the others pay more still
            more = self._opened(walk, way, open_)
            if more is not None:
                walk.put(way)
                self._fill(walk, add(paid, step), more)
                walk.take(way)
            if self.found is not None:
                return

    def _choices(
        self, walk: Walk, paid: Price, open_: Mapping[str, tuple[Need, ...]]
    ) -> dict[str, list[tuple[Price, Way]]] | None:
        """For each open module what can fill it, cheapest first; None where nothing can."""
        problem = self.problem
        found = {}
        for module, needs in open_.items():
            good = [
                (walk.step(way, own), way)
                for own, way in problem.usable(module, walk.build, walk.python)
                if all(problem.need_met(need, way, walk.python) for need in needs)
                if not self._too_dear(add(paid, own))
            ]
            if not good:
                return None
            found[module] = sorted(good, key=_price_of)
        return found

    def _too_dear(self, paid: Price) -> bool:
        return self.below is not None and paid >= self.below

    def _opened(
        self, walk: Walk, way: Way, open_: Mapping[str, tuple[Need, ...]]
    ) -> dict[str, tuple[Need, ...]] | None:
        """What is open once a way is taken; None where it does not go with what is there."""
        found = {module: needs for module, needs in open_.items() if module != way.module}
        for need in way.needs:
            if need.module == "torch" or lifted(need, self.problem.machine.platform, walk.python):
                continue
            there = way if need.module == way.module else walk.ways.get(need.module)
            if there is None:
                found[need.module] = (*found.get(need.module, ()), need)
            elif not self.problem.need_met(need, there, walk.python):
                return None
        return found


def _price_of(pair: tuple[Price, Way]) -> Price:
    return pair[0]


def first(problem: Problem) -> Env | None:
    """Some admissible environment."""
    found = Search(problem).run()
    return found[1] if found else None


def better(problem: Problem, than: Price) -> tuple[Price, Env] | None:
    """An admissible environment that pays less."""
    return Search(problem, below=than).run()
