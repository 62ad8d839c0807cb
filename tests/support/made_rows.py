"""Small graphs made by chance: a few slots, links and constraints between them."""

from __future__ import annotations

from itertools import product

from hypothesis import strategies as st

from mmlock.core.names import Confidence, Form, PackageName
from mmlock.facts.matrix.model import Breakage
from mmlock.resolve.graph.rows import (
    ConstraintKind,
    Cost,
    Group,
    Incompatibility,
    Link,
    LinkKind,
    NothingChoice,
    Option,
    Rejection,
    Rows,
    UserConstraint,
    make_tables,
)
from mmlock.resolve.request.objectives import Objective

KIND_OF = {"torch": ConstraintKind.TORCH, "python": ConstraintKind.PYTHON}
KINDS = (LinkKind.ASSERTS, LinkKind.REQUIRES)


def option(index: int, slot: str, text: str | None) -> Option:
    return Option(
        index=index,
        slot=slot,
        label=f"{slot} {text}",
        package=PackageName(slot) if text else None,
        version=text,
        form=Form.WHEEL if text else Form.LEFT_OUT,
        choice=NothingChoice(),
        source=(f"page of {slot} {text}",),
        confidence=Confidence.CAPTURED,
    )


def incompatibility(*groups: Group) -> Incompatibility:
    return Incompatibility(
        breakage=Breakage(
            id=f"break-{'-'.join(str(sorted(group)) for group in groups)}",
            title="it fails",
            when=(),
            symptom="a traceback",
            fix="do not",
            source=("seen",),
            confidence=Confidence.MEASURED,
        ),
        groups=groups,
    )


def constraint(name: str, slot: str, members: Group, **more: object) -> UserConstraint:
    return UserConstraint(
        name=name,
        kind=KIND_OF.get(slot, ConstraintKind.PACKAGE),
        parts=((slot, members),),
        reject=lambda o: Rejection(
            text=f"{o.label} is not {name}", source=("the page",), confidence=Confidence.CAPTURED
        ),
        **more,  # type: ignore[arg-type]
    )


def link(one: Option, slot: str, members: Group, kind: LinkKind, *, hard: bool = True) -> Link:
    return Link(
        option=one.index,
        slot=slot,
        members=members,
        kind=kind,
        # One reason for all links that one sentence tells of: so a test finds them by it.
        reason=f"{one.slot} {one.form} {kind} {slot}",
        source=(f"page of {one.label}",),
        confidence=Confidence.DOCUMENTED,
        hard=hard,
    )


def rows_of(
    slots: dict[str, list[Option]],
    links: list[Link],
    user_constraints: list[UserConstraint],
    *,
    incompatibilities: tuple[Incompatibility, ...] = (),
    costs: tuple[Cost, ...] = (),
    nogoods: tuple[tuple[Group, ...], ...] = (),
) -> Rows:
    indices = {slot: tuple(o.index for o in options) for slot, options in slots.items()}
    return Rows(
        options=tuple(o for options in slots.values() for o in options),
        slots=indices,
        roots=frozenset(slots),
        shared=tuple(links),
        own=(),
        user_constraints=tuple(user_constraints),
        incompatibilities=incompatibilities,
        costs=costs,
        tables=make_tables(links, costs, indices),
        nogoods=nogoods,
    )


@st.composite
def graphs(draw: st.DrawFn) -> Rows:
    names = ["torch", "python", "a", "b"][: draw(st.integers(2, 4))]
    slots: dict[str, list[Option]] = {}
    count = 0
    for name in names:
        size = draw(st.integers(1, 3))
        texts: list[str | None] = [f"{size - place}.0" for place in range(size)]
        texts += [None] * draw(st.integers(0, 1))
        slots[name] = [option(count + place, name, text) for place, text in enumerate(texts)]
        count += len(texts)
    every = [o for options in slots.values() for o in options]
    bits = st.integers(0, 2**count - 1)

    def members(slot: str, number: int) -> Group:
        return frozenset(o.index for o in slots[slot] if number >> o.index & 1)

    def links(*, hard: bool) -> list[Link]:
        ends = st.tuples(st.sampled_from(every), st.sampled_from(names), bits, st.sampled_from(KINDS))
        found = draw(st.lists(ends, max_size=8 if hard else 4))
        return [link(one, slot, members(slot, n), kind, hard=hard) for one, slot, n, kind in found]

    user_constraints = []
    for number, (slot, n) in enumerate(
        draw(st.lists(st.tuples(st.sampled_from(names), bits), min_size=1, max_size=5))
    ):
        loose = ((slot, frozenset(o.index for o in slots[slot] if o.version)),)
        user_constraints.append(
            constraint(
                f"constraint {number}", slot, members(slot, n), loose=loose if n % 2 else (), version="2.0"
            )
        )
    weights = st.builds(
        Cost,
        option=st.integers(0, count - 1),
        objective=st.sampled_from([Objective.TORCH, Objective.BUILDS, Objective.DECLARED, Objective.BROKEN]),
        weight=st.integers(1, 3),
    )
    incompatibilities = draw(
        st.lists(st.lists(st.tuples(st.sampled_from(names), bits), min_size=1, max_size=2), max_size=2)
    )
    refused = draw(
        st.lists(st.lists(st.tuples(st.sampled_from(names), bits), min_size=1, max_size=3), max_size=2)
    )
    return rows_of(
        slots,
        [*links(hard=True), *links(hard=False)],
        user_constraints,
        incompatibilities=tuple(
            incompatibility(*(members(slot, n) for slot, n in groups)) for groups in incompatibilities
        ),
        costs=tuple(draw(st.lists(weights, max_size=6))),
        nogoods=tuple(tuple(members(slot, n) for slot, n in groups) for groups in refused),
    )


def holds(rows: Rows, user_constraints: list[int], links: list[Link] | None = None) -> bool:
    """Whether some choice satisfies these constraints under these links (None: all hard ones), by trying."""
    kept = [one for one in rows.links if one.hard] if links is None else links
    return any(
        all(members & chosen for i in user_constraints for _, members in rows.user_constraints[i].parts)
        and all(one.members & chosen for one in kept if one.option in chosen)
        and not any(all(group & chosen for group in nogood) for nogood in rows.nogoods)
        for chosen in (frozenset(picked) for picked in product(*rows.slots.values()))
    )
