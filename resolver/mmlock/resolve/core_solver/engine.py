"""The exact engine: clingo over the reduced problem."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from mmlock.resolve.core_solver.presolve import settle
from mmlock.resolve.core_solver.problem import Instance, Mask
from mmlock.resolve.core_solver.program import RULES, rules
from mmlock.resolve.core_solver.propagate import reduce

OPTIONS = ("--opt-strategy=bb,lin", "--warn=none", "--parallel-mode=1")


class ClingoEngine:
    """Reduces the problem, then lets clingo find the cheapest choice."""

    def solve(self, instance: Instance) -> tuple[int, ...] | None:
        """One option per slot in slot order, None when there is no choice. Deterministic."""
        found = _cheapest(instance)
        if found is None or instance.proven(found):
            return found
        # A choice that was validated lies within one of the combinations, where all pay alike for it; any
        # other pays at least what was found. So the cheapest of these is the cheapest of all.
        best, price = found, instance.cost(found)
        for groups in instance.validated:
            other = _cheapest(replace(instance, musts=(*instance.musts, *groups)))
            if other is not None and (cost := instance.cost(other)) < price:
                best, price = other, cost
        return best


def _cheapest(instance: Instance) -> tuple[int, ...] | None:
    """The cheapest choice, whatever was validated."""
    clear = settle(instance)
    if clear is None:
        return None
    found = _decide(clear)
    return found if found is not None else _decide(instance)


def _decide(instance: Instance) -> tuple[int, ...] | None:
    """By looking when every slot has one option left, else by clingo."""
    small = reduce(instance)
    if small is None:
        return None
    if all(len(slot) == 1 for slot in small.slots):
        only = tuple(slot[0] for slot in small.slots)
        return only if small.holds(only) else None
    return _run(small)


def _run(instance: Instance) -> tuple[int, ...] | None:
    import clingo  # 25 ms to import: only when something is left to decide

    control = clingo.Control(list(OPTIONS))
    control.add("base", [], rules(*RULES))
    control.add("base", [], facts(instance))
    control.ground([("base", [])])
    picked: tuple[int, ...] | None = None
    with control.solve(yield_=True) as handle:
        for model in handle:
            picked = tuple(symbol.arguments[0].number for symbol in model.symbols(shown=True))
    if picked is None:
        return None
    chosen = frozenset(picked)
    return tuple(next(o for o in slot if o in chosen) for slot in instance.slots)


def facts(instance: Instance) -> str:
    """The instance as clingo facts."""
    names = _Groups(options=[option for slot in instance.slots for option in slot])
    lines = [
        f"slot({slot}).option({slot},({';'.join(map(str, choices))}))."
        for slot, choices in enumerate(instance.slots)
    ]
    for option, needed in instance.needs.items():
        lines += [f"need({option},{names.number(group)})." for group in dict.fromkeys(needed)]
    for option, wanted in instance.prefers.items():
        lines += [f"prefer({option},{names.number(group)},{place})." for place, group in enumerate(wanted)]
    lines += [f"must({names.number(group)})." for group in instance.musts]
    for index, breach in enumerate((*instance.breaches, *instance.forbidden)):
        lines.append(f"breach({index}).")
        lines += [f"part({index},{names.number(group)})." for group in breach]
    first = len(instance.breaches)
    lines += [f"forbidden({first + place})." for place in range(len(instance.forbidden))]
    return "\n".join([*lines, *names.lines, *_objectives(instance)])


class _Groups(Struct):
    """Numbers for groups, and the facts that say who is in them."""

    options: list[int]
    numbers: dict[Mask, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def number(self, group: Mask) -> int:
        found = self.numbers.get(group)
        if found is None:
            found = self.numbers[group] = len(self.numbers)
            if group:
                self.lines.append(f"member({found},({self.members(group)})).")
        return found

    def members(self, group: Mask) -> str:
        return ";".join(str(option) for option in self.options if group >> option & 1)


def _objectives(instance: Instance) -> list[str]:
    top = len(instance.levels)
    lines = [
        f"breach_level({top - instance.breach_level}).",
        f"prefer_level({top - instance.prefer_level}).",
    ]
    slots = [frozenset(slot) for slot in instance.slots]
    for place, level in enumerate(instance.levels):
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
