"""The exact engine: clingo over the reduced problem."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from mmlock.resolve.core_solver.presolve import presolve
from mmlock.resolve.core_solver.problem import Mask, Problem
from mmlock.resolve.core_solver.program import RULES, rules
from mmlock.resolve.core_solver.propagate import propagate

OPTIONS = ("--opt-strategy=bb,lin", "--warn=none", "--parallel-mode=1")


class ClingoEngine:
    """Reduces the problem, then lets clingo find the cheapest choice."""

    def solve(self, problem: Problem) -> tuple[int, ...] | None:
        """One option per slot in slot order, None when there is no choice. Deterministic."""
        picked = _cheapest(problem)
        if picked is None or problem.proven(picked):
            return picked
        # A choice that was validated lies within one of the combinations, where all pay alike for it; any
        # other pays at least what was found. So the cheapest of these is the cheapest of all.
        best, price = picked, problem.cost(picked)
        for groups in problem.validated:
            other = _cheapest(replace(problem, hard=(*problem.hard, *groups)))
            if other is not None and (cost := problem.cost(other)) < price:
                best, price = other, cost
        return best


def _cheapest(problem: Problem) -> tuple[int, ...] | None:
    """The cheapest choice, whatever was validated."""
    clear = presolve(problem)
    if clear is None:
        return None
    picked = _decide(clear)
    return picked if picked is not None else _decide(problem)


def _decide(problem: Problem) -> tuple[int, ...] | None:
    """By looking when every slot has one option left, else by clingo."""
    small = propagate(problem)
    if small is None:
        return None
    if all(len(slot) == 1 for slot in small.slots):
        only = tuple(slot[0] for slot in small.slots)
        return only if small.holds(only) else None
    return _run(small)


def _run(problem: Problem) -> tuple[int, ...] | None:
    import clingo  # 25 ms to import: only when something is left to decide

    control = clingo.Control(list(OPTIONS))
    control.add("base", [], rules(*RULES))
    control.add("base", [], facts(problem))
    control.ground([("base", [])])
    picked: tuple[int, ...] | None = None
    with control.solve(yield_=True) as handle:
        for model in handle:
            picked = tuple(symbol.arguments[0].number for symbol in model.symbols(shown=True))
    if picked is None:
        return None
    chosen = frozenset(picked)
    return tuple(next(o for o in slot if o in chosen) for slot in problem.slots)


def facts(problem: Problem) -> str:
    """The problem as clingo facts."""
    names = _Groups(options=[option for slot in problem.slots for option in slot])
    lines = [
        f"slot({slot}).option({slot},({';'.join(map(str, choices))}))."
        for slot, choices in enumerate(problem.slots)
    ]
    for option, needed in problem.needs.items():
        lines += [f"need({option},{names.number(group)})." for group in dict.fromkeys(needed)]
    for option, wanted in problem.soft.items():
        lines += [f"soft({option},{names.number(group)},{place})." for place, group in enumerate(wanted)]
    lines += [f"hard({names.number(group)})." for group in problem.hard]
    for index, incompatibility in enumerate((*problem.incompatibilities, *problem.forbidden)):
        lines.append(f"incompatibility({index}).")
        lines += [f"part({index},{names.number(group)})." for group in incompatibility]
    first = len(problem.incompatibilities)
    lines += [f"forbidden({first + place})." for place in range(len(problem.forbidden))]
    return "\n".join([*lines, *names.lines, *_objectives(problem)])


class _Groups(Struct):
    """Numbers for groups, and the facts that say who is in them."""

    options: list[int]
    numbers: dict[Mask, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def number(self, group: Mask) -> int:
        known = self.numbers.get(group)
        if known is None:
            known = self.numbers[group] = len(self.numbers)
            if group:
                self.lines.append(f"member({known},({self.members(group)})).")
        return known

    def members(self, group: Mask) -> str:
        return ";".join(str(option) for option in self.options if group >> option & 1)


def _objectives(problem: Problem) -> list[str]:
    top = len(problem.levels)
    lines = [
        f"incompatibility_level({top - problem.incompatibility_level}).",
        f"soft_level({top - problem.soft_level}).",
    ]
    slots = [frozenset(slot) for slot in problem.slots]
    for place, level in enumerate(problem.levels):
        # What every option of a slot pays alike decides nothing.
        for slot in slots:
            paid = {option: level.get(option, 0) for option in slot}
            floor = min(paid.values())
            lines.extend(
                f"pays({top - place},{option},{weight - floor})."
                for option, weight in sorted(paid.items())
                if weight > floor
            )
    return lines
