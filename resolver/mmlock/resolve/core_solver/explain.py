"""Why there is no solution: a second program, run only then.

First a minimal set of the user's constraints that are incompatible: clingo's core, then one is left out
at a time until none can be. Then, for these alone, a minimal set of facts between them, found the
same way. Last, for each of them, what would hold if it
were given up: the version nearest to it, or the solution without it where nothing can be near.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import Confidence
from mmlock.core.versions import is_version, version
from mmlock.resolve.core_solver.conflict import ConflictFact, ConflictSearch
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.problem import Problem, make_problem
from mmlock.resolve.core_solver.solution import CoreSolution, describe
from mmlock.resolve.graph.rows import ConstraintKind, Group, Rejection, Rows, UserConstraint, mask
from mmlock.resolve.request.objectives import Objective

MOST = 8
"""How many options of one constraint a chain goes through one by one."""


class ChainLink(Struct, frozen=True, kw_only=True):
    """One fact of the conflict."""

    text: str
    source: tuple[str, ...]
    confidence: Confidence


class NearestSolution(Struct, frozen=True, kw_only=True):
    """What holds when one constraint is given up."""

    given_up: UserConstraint
    solution: CoreSolution
    near: bool
    """True: what it asks for is there, in the version nearest to it. False: as if it had not been said."""


class Explanation(Struct, frozen=True, kw_only=True):
    """A conflict a person can follow."""

    user_constraints: tuple[UserConstraint, ...]
    """Minimal: without any one of them the others hold. Empty: the facts alone forbid it."""
    chain: tuple[ChainLink, ...]
    nearest: tuple[NearestSolution, ...]


def explain(rows: Rows, objectives: Sequence[Objective]) -> Explanation:
    """Why the constraints of a graph are incompatible. Call only when they are."""
    if rows.missing:
        about = tuple(
            constraint
            for constraint in rows.user_constraints
            if any(slot == "torch" for slot, _ in constraint.parts)
        )[:1]
        told = (ChainLink(text=text, source=(), confidence=Confidence.CAPTURED) for text in rows.missing)
        return Explanation(user_constraints=about, chain=tuple(told), nearest=())
    conflict = ConflictSearch(rows)
    user_constraints = conflict.minimal_constraints()
    facts = conflict.minimal_facts(user_constraints)
    chosen = [rows.user_constraints[i] for i in user_constraints]
    return Explanation(
        user_constraints=tuple(chosen),
        chain=(*_rejections(rows, chosen), *(_told(fact) for fact in facts)),
        nearest=tuple(_nearest(rows, objectives, user_constraints)),
    )


def _rejections(rows: Rows, user_constraints: Sequence[UserConstraint]) -> list[ChainLink]:
    """For constraints on the same slot: why the options of the narrower one are none of the other's."""
    links: list[ChainLink] = []
    for first, second in combinations(user_constraints, 2):
        for slot in sorted({s for s, _ in first.parts} & {s for s, _ in second.parts}):
            narrow, other = sorted((first, second), key=lambda constraint: len(_members(constraint, slot)))
            # The narrower one may admit no more than that nothing is there, which tells nobody anything.
            links += _between(rows, narrow, other, slot) or _between(rows, other, narrow, slot)
    for constraint in user_constraints:
        if constraint.unless:
            links.append(_where(rows, constraint))
        for slot, members in constraint.parts:
            if not members:
                # Of a lone constraint the headline says that nothing satisfies it.
                known = [constraint.available] if constraint.available else []
                texts = (
                    known if len(user_constraints) == 1 else ["; ".join([unsatisfied(constraint), *known])]
                )
                # That nobody recorded one is no proof, but for an index that was read whole.
                sure = Confidence.CAPTURED if constraint.listed else Confidence.INFERRED
                links += [ChainLink(text=text, source=constraint.listed, confidence=sure) for text in texts]
                if not constraint.available:
                    links += _told_off(rows, constraint, rows.slots[slot])
    return list(dict.fromkeys(links))


def _where(rows: Rows, constraint: UserConstraint) -> ChainLink:
    """On which Pythons a requirement with a marker is one."""
    names = [rows.options[i].version or "" for i in rows.slots["python"] if i not in constraint.unless]
    text = f"`{constraint.name}` applies on Python {', '.join(reversed(names)) or 'none that is known'}"
    return ChainLink(text=text, source=("the request",), confidence=Confidence.MEASURED)


def _members(constraint: UserConstraint, slot: str) -> Group:
    return frozenset[int]().union(*(members for s, members in constraint.parts if s == slot))


def _between(rows: Rows, narrow: UserConstraint, other: UserConstraint, slot: str) -> list[ChainLink]:
    return _told_off(rows, other, sorted(_members(narrow, slot) - _members(other, slot)))


def _told_off(rows: Rows, constraint: UserConstraint, options: Sequence[int]) -> list[ChainLink]:
    """Why these options do not satisfy a constraint, the first of them one by one."""
    told: dict[str, Rejection] = {}
    for index in options:
        if rows.options[index].version is not None:
            rejection = constraint.reject(rows.options[index])
            told.setdefault(rejection.text, rejection)
    links = [ChainLink(text=r.text, source=r.source, confidence=r.confidence) for r in told.values()]
    rest = len(links) - MOST
    if rest <= 0:
        return links
    order = list(Confidence)
    weakest = max((link.confidence for link in links[MOST:]), key=order.index)
    more = ChainLink(text=f"and {rest} more like these", source=(), confidence=weakest)
    return [*links[:MOST], more]


def _told(fact: ConflictFact) -> ChainLink:
    return ChainLink(text=fact.text, source=fact.source, confidence=fact.confidence)


def unsatisfied(constraint: UserConstraint) -> str:
    """That nothing satisfies a constraint, as a sentence."""
    what = "version" if constraint.kind.bounds_version else "build of torch"
    return f"no known {what} satisfies `{constraint.name}`"


def _nearest(
    rows: Rows, objectives: Sequence[Objective], user_constraints: Sequence[int]
) -> list[NearestSolution]:
    """For each constraint: the solution nearest to it, or the one without it where nothing can be near."""
    engine = ClingoEngine()
    solutions = []
    for dropped in user_constraints:
        constraint = rows.user_constraints[dropped]
        kept = [i for i in range(len(rows.user_constraints)) if i != dropped]
        without = make_problem(rows, objectives, user_constraints=kept)
        near = _near(rows, constraint, without)
        picked = engine.solve(near) if near is not None else None
        solution = picked or engine.solve(without)
        if solution is not None:
            described = describe(rows, frozenset(solution), objectives)
            solutions.append(
                NearestSolution(given_up=constraint, solution=described, near=picked is not None)
            )
    return solutions


def _near(rows: Rows, constraint: UserConstraint, without: Problem) -> Problem | None:
    """The problem of what is nearest to a constraint; None where nothing is near or far."""
    if not constraint.kind.bounds_version:
        return None
    loose = tuple(mask(group | constraint.unless) for _, group in constraint.loose)
    if constraint.kind is ConstraintKind.PACKAGE and not loose:
        return None
    distance = _distance(rows, constraint)
    return replace(without, hard=(*without.hard, *loose)).preceded(distance) if distance else None


def _distance(rows: Rows, constraint: UserConstraint) -> dict[int, int]:
    """How far each option is from what is required: places between versions; nothing at all is farthest."""
    distance: dict[int, int] = {}
    for slot, members in constraint.parts:
        texts = {text for i in rows.slots[slot] if (text := rows.options[i].version) is not None}
        wanted = {text for i in members if (text := rows.options[i].version) is not None}
        if not wanted and constraint.version is not None and is_version(constraint.version):
            wanted = {constraint.version}  # no such release: its place among those there are
        if not wanted:
            continue
        order = {text: place for place, text in enumerate(sorted(texts | wanted, key=version))}
        places = [order[text] for text in wanted]
        for index in rows.slots[slot]:
            text = rows.options[index].version
            far = len(order) if text is None else min(abs(order[text] - p) for p in places)
            distance[index] = far
    return distance
