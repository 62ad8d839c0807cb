"""Why there is no solution: a second program, run only then.

First a minimal set of the user's asks that cannot hold together: clingo's core, then one is left out
at a time until none can be. Then, for these asks alone, a minimal set of facts between them, found the
same way. Last, for each ask, what would hold if it were given up, as near as possible to what was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.names import Confidence
from mmlock.core.versions import InvalidVersion, version
from mmlock.resolve.core_solver.conflict import Claim, Conflict
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.problem import Instance, make_instance
from mmlock.resolve.core_solver.solution import CoreSolution, describe
from mmlock.resolve.graph.rows import Ask, Group, Rejection, Rows, Term, mask

MOST = 8
"""How many options of one ask a chain goes through one by one."""


class ChainLink(Struct, frozen=True, kw_only=True):
    """One fact of the conflict."""

    text: str
    source: tuple[str, ...]
    confidence: str


class Nearest(Struct, frozen=True, kw_only=True):
    """What holds when one ask is given up."""

    dropped: Ask
    solution: CoreSolution


class Explanation(Struct, frozen=True, kw_only=True):
    """A conflict a person can follow."""

    asks: tuple[Ask, ...]
    """Minimal: without any one of them the others hold. Empty: the facts alone forbid it."""
    chain: tuple[ChainLink, ...]
    nearest: tuple[Nearest, ...]


def explain(rows: Rows, terms: Sequence[Term]) -> Explanation:
    """Why the asks of a graph cannot hold together. Call only when they cannot."""
    if rows.missing:
        about = tuple(ask for ask in rows.asks if any(slot == "torch" for slot, _ in ask.parts))[:1]
        told = (ChainLink(text=text, source=(), confidence="captured") for text in rows.missing)
        return Explanation(asks=about, chain=tuple(told), nearest=())
    conflict = Conflict(rows)
    asks = conflict.minimal_asks()
    claims = conflict.minimal_claims(asks)
    chosen = [rows.asks[i] for i in asks]
    return Explanation(
        asks=tuple(chosen),
        chain=(*_rejections(rows, chosen), *(_told(claim) for claim in claims)),
        nearest=tuple(_nearest(rows, terms, asks)),
    )


def _rejections(rows: Rows, asks: Sequence[Ask]) -> list[ChainLink]:
    """For asks on the same slot: why the options of the narrower one are none of the other's."""
    links: list[ChainLink] = []
    for first, second in combinations(asks, 2):
        for slot in sorted({s for s, _ in first.parts} & {s for s, _ in second.parts}):
            narrow, other = sorted((first, second), key=lambda ask: len(_members(ask, slot)))
            links += _between(rows, narrow, other, slot)
    for ask in asks:
        if ask.unless:
            links.append(_where(rows, ask))
        for slot, members in ask.parts:
            if not members:
                text = f"nothing known fulfils {ask.name}" + (f"; {ask.nothing}" if ask.nothing else "")
                # That nobody recorded one is no proof, but for an index that was read whole.
                known = Confidence.CAPTURED if ask.listed else Confidence.INFERRED
                links.append(ChainLink(text=text, source=ask.listed, confidence=known.value))
                if not ask.nothing:
                    links += _told_off(rows, ask, rows.slots[slot])
    return list(dict.fromkeys(links))


def _where(rows: Rows, ask: Ask) -> ChainLink:
    """On which Pythons a wish with a marker is one."""
    names = [rows.options[i].version or "" for i in rows.slots["python"] if i not in ask.unless]
    text = f"`{ask.name}` is asked for on Python {', '.join(reversed(names)) or 'none that is known'}"
    return ChainLink(text=text, source=("the request",), confidence="measured")


def _members(ask: Ask, slot: str) -> Group:
    return frozenset[int]().union(*(members for s, members in ask.parts if s == slot))


def _between(rows: Rows, narrow: Ask, other: Ask, slot: str) -> list[ChainLink]:
    return _told_off(rows, other, sorted(_members(narrow, slot) - _members(other, slot)))


def _told_off(rows: Rows, ask: Ask, options: Sequence[int]) -> list[ChainLink]:
    """Why these options do not fulfil an ask, the first of them one by one."""
    told: dict[str, Rejection] = {}
    for index in options:
        if rows.options[index].version is not None:
            rejection = ask.reject(rows.options[index])
            told.setdefault(rejection.text, rejection)
    links = [ChainLink(text=r.text, source=r.source, confidence=r.confidence.value) for r in told.values()]
    rest = len(links) - MOST
    if rest <= 0:
        return links
    order = [one.value for one in Confidence]
    weakest = max((link.confidence for link in links[MOST:]), key=order.index)
    more = ChainLink(text=f"and {rest} more like these", source=(), confidence=weakest)
    return [*links[:MOST], more]


def _told(claim: Claim) -> ChainLink:
    return ChainLink(text=claim.text, source=claim.source, confidence=claim.confidence.value)


def _nearest(rows: Rows, terms: Sequence[Term], asks: Sequence[int]) -> list[Nearest]:
    """For each ask, the solution nearest to it when it is given up: its version alone, else all of it."""
    engine = ClingoEngine()
    found = []
    for dropped in asks:
        ask = rows.asks[dropped]
        kept = [i for i in range(len(rows.asks)) if i != dropped]
        instance = _closest(rows, ask, make_instance(rows, terms, asks=kept))
        loose = tuple(mask(group | ask.unless) for _, group in ask.loose)
        picked = engine.solve(replace(instance, musts=(*instance.musts, *loose))) if loose else None
        if picked is None:
            picked = engine.solve(instance)
        if picked is not None:
            found.append(Nearest(dropped=ask, solution=describe(rows, frozenset(picked), terms)))
    return found


def _closest(rows: Rows, ask: Ask, instance: Instance) -> Instance:
    """The same problem with nearness to an ask as its first aim."""
    distance = _distance(rows, ask)
    if not distance:
        return instance
    return instance.preceded(distance)


def _distance(rows: Rows, ask: Ask) -> dict[int, int]:
    """How far each option is from what was asked: places between versions; nothing at all is farthest."""
    distance: dict[int, int] = {}
    for slot, members in ask.parts:
        texts = {text for i in rows.slots[slot] if (text := rows.options[i].version) is not None}
        wanted = {text for i in members if (text := rows.options[i].version) is not None}
        if not wanted and ask.wanted is not None and _is_version(ask.wanted):
            wanted = {ask.wanted}  # no such release: its place among those there are
        if not wanted:
            continue
        order = {text: place for place, text in enumerate(sorted(texts | wanted, key=version))}
        places = [order[text] for text in wanted]
        for index in rows.slots[slot]:
            text = rows.options[index].version
            far = len(order) if text is None else min(abs(order[text] - p) for p in places)
            distance[index] = far
    return distance


def _is_version(text: str) -> bool:
    try:
        version(text)
    except InvalidVersion:
        return False
    return True
