"""The graph as a networkx graph, for walking and drawing. The solver does not need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Form, normalize
from mmlock.facts.matrix.load import Matrix
from mmlock.resolve.graph.builder import readable
from mmlock.resolve.graph.rows import Group, Link, Option, Rows, UserConstraint

if TYPE_CHECKING:
    import networkx as nx

    Network = nx.MultiDiGraph[str]


def network(matrix: Matrix, rows: Rows, *, package: str | None = None) -> Network:
    """Nodes are versions (`mmdet 3.3.0`, `torch 2.11.0+cu130`, `python 3.12`), edges say what needs what.

    Nodes carry `slot`, `package`, `version`, `form`; edges `kind`, `reason`, `source`, `confidence`, `hard`.

    With `package`, only its versions and what they touch. Raises EnvironmentFault without networkx.
    """
    try:
        import networkx as nx
    except ImportError as error:
        raise EnvironmentFault(
            "the graph needs networkx, which is not installed",
            hints=["install the extra: `pip install 'mmlock[graph]'`"],
        ) from error
    made: Network = nx.MultiDiGraph()
    names = {option.index: node_name(option) for option in rows.options}
    kept = _kept(rows, package)
    for option in rows.options:
        if option.index in kept and option.form is not Form.LEFT_OUT:
            made.add_node(names[option.index], **_node(option))
    seen: set[tuple[str, str, str]] = set()
    for link in rows.links:
        _add_link(made, matrix, rows, link, names, kept, seen)
    for constraint in rows.user_constraints:
        _add_constraint(made, constraint, names, kept)
    return made


def node_name(option: Option) -> str:
    """What a node is called: the several wheels of one version are one node, a build is another."""
    if option.package is None or option.package == "torch":
        return option.label
    return f"{option.package} {option.version}" + (f" ({option.form})" if option.made else "")


def _kept(rows: Rows, package: str | None) -> frozenset[int]:
    """Options to show: all, or those of a package and their neighbours."""
    if package is None:
        return frozenset(range(len(rows.options)))
    wanted = normalize(package)
    own = frozenset(
        o.index for o in rows.options if o.package == wanted or (o.package is None and o.slot == wanted)
    )
    near = set(own)
    for link in rows.links:
        if link.option in own:
            near |= _within(rows, link)
        elif not _within(rows, link).isdisjoint(own):
            near.add(link.option)
    return frozenset(near)


def _within(rows: Rows, link: Link) -> Group:
    """What a link needs, without the Pythons that lift the need."""
    return frozenset(i for i in link.members if rows.options[i].slot == link.slot)


def _node(option: Option) -> dict[str, Any]:
    return {
        "slot": option.slot,
        "package": str(option.package or option.slot),
        "version": option.version or "",
        "form": str(option.form),
    }


def _add_link(
    made: Network,
    matrix: Matrix,
    rows: Rows,
    link: Link,
    names: dict[int, str],
    kept: frozenset[int],
    seen: set[tuple[str, str, str]],
) -> None:
    if link.option not in kept:
        return
    for member in sorted(_within(rows, link) & kept):
        if rows.options[member].form is Form.LEFT_OUT:
            continue
        key = (names[link.option], names[member], link.reason)
        if key in seen:
            continue
        seen.add(key)
        made.add_edge(
            key[0],
            key[1],
            kind=str(link.kind),
            reason=link.reason,
            source="; ".join(readable(matrix, link.source)),
            confidence=str(link.confidence),
            hard=link.hard,
        )


def _add_constraint(
    made: Network, constraint: UserConstraint, names: dict[int, str], kept: frozenset[int]
) -> None:
    """A constraint of the user is a node too, with an edge to everything that satisfies it."""
    targets = sorted({names[i] for _, members in constraint.parts for i in members & kept} & set(made.nodes))
    if not targets:
        return
    made.add_node(constraint.name, slot="request", package="", version="", form="requested")
    for target in targets:
        made.add_edge(
            constraint.name,
            target,
            kind="requested",
            reason=f"satisfies {constraint.name}",
            source="the request",
            confidence="measured",
            hard=True,
        )
