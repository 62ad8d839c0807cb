"""The minimal conflict of a graph: which user constraints, and which facts between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from mmlock.core.names import Confidence, Form
from mmlock.core.versions import version
from mmlock.resolve.core_solver.deletion import minimal_subset
from mmlock.resolve.core_solver.program import rules
from mmlock.resolve.graph.rows import Group, Link, LinkKind, Option, Rows

if TYPE_CHECKING:
    import clingo


class ConflictFact(Struct, frozen=True, kw_only=True):
    """Facts of one kind between two slots, told as one sentence."""

    text: str
    source: tuple[str, ...]
    confidence: Confidence


class ConflictSearch:
    """Asks clingo which switches cannot be on together."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._facts = _fact_links(rows)
        self._control = _ground(rows, self._facts)

    def minimal_constraints(self) -> tuple[int, ...]:
        """Constraints that are incompatible, none of them needless; all facts count."""
        constraints = range(len(self.rows.user_constraints))
        every = range(len(self._facts))
        core = self._core(constraints, every)
        if core is None:
            return ()
        # Constraints later in the list were said more deliberately; the target is given up last.
        kept, _ = minimal_subset(core[0], core, lambda some: self._core(some, every))
        return kept

    def minimal_facts(self, constraints: Sequence[int]) -> tuple[ConflictFact, ...]:
        """Facts that are incompatible with these constraints, none of them needless."""
        core = self._core(constraints, range(len(self._facts)))
        if core is None:
            return ()
        kept, _ = minimal_subset(core[1], core, lambda some: self._core(constraints, some))
        open_ = _still_open(self.rows, constraints)
        return tuple(_conflict_fact(self.rows, self._facts[i], open_) for i in kept)

    def _core(
        self, user_constraints: Iterable[int], facts: Iterable[int]
    ) -> tuple[list[int], list[int]] | None:
        """The switches of a conflict among these, None when they can all be on."""
        import clingo

        on = [("enforced", i) for i in user_constraints] + [("true", i) for i in facts]
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
        switches = [literal_of[literal] for literal in core if literal in literal_of]
        return (
            sorted(n for name, n in switches if name == "enforced"),
            sorted(n for name, n in switches if name == "true"),
        )


def _fact_links(rows: Rows) -> list[list[Link]]:
    """Hard links grouped into what one sentence can say: same package, kind, slot and form."""
    groups: dict[tuple[object, ...], list[Link]] = {}
    for link in rows.links:
        if link.hard:
            option = rows.options[link.option]
            key = (option.slot, option.package, option.form, link.kind, link.slot)
            groups.setdefault(key, []).append(link)
    return list(groups.values())


def _ground(rows: Rows, facts: Sequence[Sequence[Link]]) -> clingo.Control:
    import clingo

    groups: dict[Group, int] = {}
    lines: list[str] = []

    def number(group: Group) -> int:
        known = groups.get(group)
        if known is None:
            known = groups[group] = len(groups)
            if group:
                lines.append(f"member({known},({';'.join(map(str, sorted(group)))})).")
        return known

    for slot, (_, options) in enumerate(rows.slots.items()):
        lines.append(f"slot({slot}).")
        if options:
            lines.append(f"option({slot},({';'.join(map(str, options))})).")
    for index, links in enumerate(facts):
        lines.extend(f"need({index},{link.option},{number(link.members)})." for link in links)
    for index, constraint in enumerate(rows.user_constraints):
        lines.extend(f"constraint({index},{number(group)})." for group in constraint.groups)
    for index, nogood in enumerate(rows.nogoods):
        lines.append(f"nogood({index}).")
        lines.extend(f"refused({index},{number(group)})." for group in nogood)
    control = clingo.Control(["--warn=none"])
    control.add("base", [], rules("explain"))
    control.add("base", [], "\n".join(lines))
    control.ground([("base", [])])
    return control


def _still_open(rows: Rows, user_constraints: Sequence[int]) -> Group:
    """Options that these constraints, each on its own slot, leave open: only they need to be shown."""
    open_ = {slot: frozenset(options) for slot, options in rows.slots.items()}
    # Those that a marker can lift come last: they close nothing while such a Python is open.
    for constraint in sorted(
        (rows.user_constraints[i] for i in user_constraints), key=lambda constraint: bool(constraint.unless)
    ):
        if not (constraint.unless and constraint.unless & open_["python"]):
            for slot, members in constraint.parts:
                open_[slot] &= members
    return frozenset[int]().union(*open_.values())


def _conflict_fact(rows: Rows, links: Sequence[Link], open_: Group) -> ConflictFact:
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
    return ConflictFact(text=text, source=source, confidence=worst)


_VERB = {
    LinkKind.ASSERTS: "can be imported only with",
    LinkKind.REQUIRES: "requires",
    LinkKind.NAMES: "takes names of",
    LinkKind.DECLARES: "declares",
    LinkKind.WHEEL: "is built for",
    LinkKind.PYTHON: "is available for",
    LinkKind.BUILD: "can be built against",
    LinkKind.TOOLCHAIN: "works with",
    LinkKind.CUDA: "works with",
    LinkKind.DEAD: "runs on the device only with",
}

_FORM = {Form.WHEEL: "wheels", Form.BUILD: "builds", Form.TORCH_OPS: "ops in plain PyTorch"}


def _subject(options: Sequence[Option]) -> str:
    name = str(options[0].package or options[0].slot)
    return f"{name} {_span(options)} ({_FORM.get(options[0].form, options[0].form)})"


def _range(rows: Rows, slot: str, members: Group) -> str:
    options = [o for i in sorted(members) if (o := rows.options[i]).version and o.slot == slot]
    if not options:
        return f"no known version of {slot}"
    names = sorted({str(o.package or o.slot) for o in options})
    return f"{' or '.join(names)} {_span(options)}"


def _span(options: Sequence[Option]) -> str:
    versions = sorted({o.version for o in options if o.version}, key=version)
    if not versions:
        return ""
    return versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
