"""The graph as networkx sees it, and as text."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from solved import facts, solved

from mmlock.resolve.graph.draw import draw
from mmlock.resolve.graph.network import network, node_name
from mmlock.resolve.graph.rows import Rows

if TYPE_CHECKING:
    from mmlock.resolve.graph.network import Network

nx = pytest.importorskip("networkx")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return solved("mmdet", gpu="rtx5090").rows


@pytest.fixture(scope="module")
def whole(rows: Rows) -> Network:
    return network(facts(), rows)


@pytest.mark.slow
def test_every_edge_carries_a_reason_and_a_source(whole: Network) -> None:
    assert whole.number_of_edges() > 1000
    for tail, head, data in whole.edges(data=True):
        assert tail != head
        assert set(data) == {"kind", "reason", "source", "confidence", "hard"}
        assert data["reason"]
        assert data["source"]


@pytest.mark.slow
def test_every_node_says_what_it_is(whole: Network) -> None:
    for _, data in whole.nodes(data=True):
        assert set(data) == {"slot", "package", "version", "form"}
        assert data["form"] != "left-out"


def test_a_solution_is_a_path_through_it(whole: Network) -> None:
    one = solved("mmdet", gpu="rtx5090")
    names = {slot: node_name(option) for slot, option in one.solution.picked.items() if option.version}
    for link in one.solution.links:
        tail = node_name(one.rows.options[link.option])
        if link.hard:
            assert whole.has_edge(tail, names[link.slot]), link.reason


def test_edges_are_told_once(whole: Network) -> None:
    seen = [(a, b, d["reason"]) for a, b, d in whole.edges(data=True)]
    assert len(set(seen)) == len(seen)


def test_wishes_point_at_what_fulfils_them(whole: Network) -> None:
    heads = {head for _, head, data in whole.out_edges("--gpu rtx5090", data=True)}
    assert "torch 2.11.0+cu130" in heads
    assert "torch 2.4.1+cu121" not in heads


@pytest.mark.slow
def test_one_package_and_its_neighbours(rows: Rows, whole: Network) -> None:
    part = network(facts(), rows, package="MMDet")
    assert 0 < part.number_of_nodes() < whole.number_of_nodes()
    names = {data["package"] for _, data in part.nodes(data=True)}
    assert {"mmdet", "mmcv", "mmengine"} <= names
    assert {n for n, d in part.nodes(data=True) if d["package"] == "mmdet"} == {
        n for n, d in whole.nodes(data=True) if d["package"] == "mmdet"
    }


@pytest.mark.slow
def test_json_is_read_back_as_the_same_graph(whole: Network) -> None:
    text = draw(whole, "json")
    data = json.loads(text)
    again = nx.node_link_graph(data, edges="edges", source="from", target="to", multigraph=True)
    assert nx.utils.graphs_equal(again, whole)
    assert all(edge["source"] not in whole for edge in data["edges"]), "who says so, not where it starts"
    assert draw(whole, "json") == text


@pytest.mark.slow
def test_graphml_is_read_back_as_the_same_graph(rows: Rows) -> None:
    part = network(facts(), rows, package="mmengine")
    text = draw(part, "graphml")
    assert ET.fromstring(text).tag.endswith("graphml")  # noqa: S314 - our own text
    again = nx.parse_graphml(text)
    assert dict(again.nodes(data=True)) == dict(part.nodes(data=True))
    assert sorted((a, b, d["reason"]) for a, b, d in again.edges(data=True)) == sorted(
        (a, b, d["reason"]) for a, b, d in part.edges(data=True)
    )


@pytest.mark.slow
def test_dot_has_every_node_and_edge(rows: Rows) -> None:
    pytest.importorskip("pydot")  # its writer; its reader takes seconds
    part = network(facts(), rows, package="mmengine")
    lines = draw(part, "dot").splitlines()
    nodes = {m[1]: m[2] for line in lines if (m := re.match(r'(n\d+) \[.*label="([^"]*)"', line))}
    edges = [(nodes[m[1]], nodes[m[2]]) for line in lines if (m := re.match(r"(n\d+) -> (n\d+) ", line))]
    assert sorted(nodes.values()) == sorted(part.nodes)
    assert sorted(edges) == sorted(part.edges())
