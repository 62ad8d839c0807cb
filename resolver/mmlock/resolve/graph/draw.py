"""A networkx graph as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mmlock.core.errors import EnvironmentFault

if TYPE_CHECKING:
    from mmlock.resolve.graph.network import Network

_COLOURS = {"request": "lightyellow", "python": "lightgrey", "torch": "lightblue", "toolchain": "bisque"}


def draw(network: Network, form: str) -> str:
    """`text`, `dot`, `json` (node-link) or `graphml`. Raises EnvironmentFault when `dot` lacks pydot."""
    if form == "text":
        return "\n".join(_lines(network)) + "\n"
    if form == "json":
        import networkx as nx

        # The ends are `from` and `to`: an edge's `source` says who states it.
        data = nx.node_link_data(network, edges="edges", source="from", target="to")
        return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if form == "graphml":
        import networkx as nx

        return "\n".join(nx.generate_graphml(network)) + "\n"
    return _dot(network)


def _lines(network: Network) -> Iterator[str]:
    """Each node, and below it what it needs or excludes, with the reason."""
    for name in network.nodes:
        yield str(name)
        for _, head, data in network.out_edges(name, data=True):
            yield f"  {data['kind']} {head}: {data['reason']}"


def _dot(network: Network) -> str:
    try:
        import pydot
    except ImportError as error:
        raise EnvironmentFault(
            "`dot` output needs pydot, which is not installed",
            hints=["install the extra: `pip install 'mmlock[graph]'`, or use `--format json`"],
        ) from error
    picture = pydot.Dot("mmlock", graph_type="digraph", rankdir="LR")
    ids = {name: f"n{place}" for place, name in enumerate(network.nodes)}
    for name, data in network.nodes(data=True):
        colour = _COLOURS.get(data["slot"], "honeydew")
        node = pydot.Node(ids[name], label=_quoted(name), shape="box", style="filled", fillcolor=colour)
        picture.add_node(node)
    for tail, head, data in network.edges(data=True):
        style = "solid" if data["hard"] else "dashed"
        edge = pydot.Edge(
            ids[tail], ids[head], label=_quoted(data["kind"]), tooltip=_quoted(data["reason"]), style=style
        )
        picture.add_edge(edge)
    text: str = picture.to_string()
    return text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
