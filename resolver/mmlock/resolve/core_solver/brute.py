"""The oracle: tries every choice. Slow, short, and sharing no rule with the program."""

from __future__ import annotations

from itertools import product

from mmlock.resolve.core_solver.problem import Problem


class BruteEngine:
    """Finds the cheapest choice by looking at all of them."""

    def solve(self, problem: Problem) -> tuple[int, ...] | None:
        """One option per slot in slot order, None when there is no choice."""
        return min(
            (picked for picked in product(*problem.slots) if problem.holds(picked)),
            key=problem.cost,
            default=None,
        )
