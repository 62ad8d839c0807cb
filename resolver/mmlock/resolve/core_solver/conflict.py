"""The minimal conflict of a graph: which asks, and which facts between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from mmlock.core.names import Confidence, Form
from mmlock.core.versions import version
from mmlock.resolve.core_solver.program import rules
from mmlock.resolve.graph.rows import Group, Link, LinkKind, Option, Rows

if TYPE_CHECKING:
    import clingo


class Claim(Struct, frozen=True, kw_only=True):
    """Facts of one kind between two slots, told as one sentence."""

    text: str
    source: tuple[str, ...]
    confidence: Confidence


class Conflict:
    """Asks clingo which switches cannot be on together."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._claims = _claim_links(rows)
        self._control = _ground(rows, self._claims)

    def minimal_asks(self) -> tuple[int, ...]:
        """Asks that cannot hold together, none of them needless; all facts count."""
        asks = range(len(self.rows.asks))
        every = range(len(self._claims))
        first = self._core(asks, every)
        if first is None:
            return ()
        # Asks later in the list were said more deliberately; the target is given up last.
        return _shrink(first[0], lambda kept: self._core(kept, every) is not None)

    def minimal_claims(self, asks: Sequence[int]) -> tuple[Claim, ...]:
        """Facts that, with these asks, cannot hold together, none of them needless."""
        found = self._core(asks, range(len(self._claims)))
        if found is None:
            return ()
        kept = _shrink(found[1], lambda claims: self._core(asks, claims) is not None)
        open_ = _still_open(self.rows, asks)
        return tuple(_claim(self.rows, self._claims[i], open_) for i in kept)

    def _core(self, asks: Iterable[int], claims: Iterable[int]) -> tuple[list[int], list[int]] | None:
        """The switches of a conflict among these, None when they can all be on."""
        import clingo

        on = [("asked", i) for i in asks] + [("claimed", i) for i in claims]
        literal_of: dict[int, tuple[str, int]] = {}
        assumptions: list[int] = []
        for name, number in on:
            atom = self._control.symbolic_atoms[clingo.Function(name, [clingo.Number(number)])]
            if atom is not None:
                literal_of[atom.literal] = (name, number)
                assumptions.append(atom.literal)
        core: list[int] = []
        result = self._control.solve(assumptions=assumptions, on_core=core.extend)
        if result.satisfiable:
            return None
        found = [literal_of[literal] for literal in core if literal in literal_of]
        return (
            sorted(n for name, n in found if name == "asked"),
            sorted(n for name, n in found if name == "claimed"),
        )


def _shrink(items: Sequence[int], still: Callable[[Sequence[int]], bool]) -> tuple[int, ...]:
    """Leave out one item at a time while the conflict stays."""
    kept = list(items)
    for item in list(kept):
        rest = [k for k in kept if k != item]
        if still(rest):
            kept = rest
    return tuple(kept)


def _claim_links(rows: Rows) -> list[list[Link]]:
    """Hard links grouped into what one sentence can say: same package, kind, slot and form."""
    groups: dict[tuple[object, ...], list[Link]] = {}
    for link in rows.links:
        if link.hard:
            option = rows.options[link.option]
            key = (option.slot, option.package, option.form, link.kind, link.slot)
            groups.setdefault(key, []).append(link)
    return list(groups.values())


def _ground(rows: Rows, claims: Sequence[Sequence[Link]]) -> clingo.Control:
    import clingo

    groups: dict[Group, int] = {}
    lines: list[str] = []

    def number(group: Group) -> int:
        found = groups.get(group)
        if found is None:
            found = groups[group] = len(groups)
            if group:
                lines.append(f"member({found},({';'.join(map(str, sorted(group)))})).")
        return found

    for slot, (_, options) in enumerate(rows.slots.items()):
        lines.append(f"slot({slot}).")
        if options:
            lines.append(f"option({slot},({';'.join(map(str, options))})).")
    for index, links in enumerate(claims):
        lines.extend(f"need({index},{link.option},{number(link.members)})." for link in links)
    for index, ask in enumerate(rows.asks):
        lines.extend(f"demand({index},{number(group)})." for group in ask.groups)
    for index, nogood in enumerate(rows.nogoods):
        lines.append(f"nogood({index}).")
        lines.extend(f"refused({index},{number(group)})." for group in nogood)
    control = clingo.Control(["--warn=none"])
    control.add("base", [], rules("explain"))
    control.add("base", [], "\n".join(lines))
    control.ground([("base", [])])
    return control


def _still_open(rows: Rows, asks: Sequence[int]) -> Group:
    """Options that these asks, each on its own slot, leave open: only they need to be told about."""
    open_ = {slot: frozenset(options) for slot, options in rows.slots.items()}
    # Those that a marker can lift come last: they close nothing while such a Python is open.
    for ask in sorted((rows.asks[i] for i in asks), key=lambda ask: bool(ask.unless)):
        if not (ask.unless and ask.unless & open_["python"]):
            for slot, members in ask.parts:
                open_[slot] &= members
    return frozenset[int]().union(*open_.values())


def _claim(rows: Rows, links: Sequence[Link], open_: Group) -> Claim:
    """One sentence for facts of one kind, builds and releases collapsed into ranges."""
    told = [link for link in links if link.option in open_] or list(links)
    if len({link.reason for link in told}) == 1:
        text = told[0].reason
    else:
        members = frozenset[int]().union(*(link.members for link in told))
        subject = _subject([rows.options[link.option] for link in told])
        text = f"{subject} {_VERB[told[0].kind]} {_range(rows, told[0].slot, members)}"
    source = tuple(dict.fromkeys(s for link in told for s in link.source))
    worst = max((link.confidence for link in told), key=list(Confidence).index)
    return Claim(text=text, source=source, confidence=worst)


_VERB = {
    LinkKind.ASSERTS: "can be imported only with",
    LinkKind.REQUIRES: "requires",
    LinkKind.DECLARES: "declares",
    LinkKind.WHEEL: "is compiled for",
    LinkKind.PYTHON: "exists for",
    LinkKind.BUILD: "can be compiled against",
    LinkKind.TOOLCHAIN: "goes with",
    LinkKind.CUDA: "goes with",
}

_FORM = {Form.WHEEL: "wheels", Form.BUILD: "builds", Form.TORCH_OPS: "ops in plain PyTorch"}


def _subject(options: Sequence[Option]) -> str:
    name = str(options[0].package or options[0].slot)
    return f"{name} {_span(options)} ({_FORM.get(options[0].form, options[0].form)})"


def _range(rows: Rows, slot: str, members: Group) -> str:
    options = [o for i in sorted(members) if (o := rows.options[i]).version and o.slot == slot]
    if not options:
        return f"nothing that is known of {slot}"
    names = sorted({str(o.package or o.slot) for o in options})
    return f"{' or '.join(names)} {_span(options)}"


def _span(options: Sequence[Option]) -> str:
    versions = sorted({o.version for o in options if o.version}, key=version)
    if not versions:
        return ""
    return versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
