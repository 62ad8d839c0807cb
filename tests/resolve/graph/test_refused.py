"""What the closure refused is kept by name, and holds in a graph that still has all of it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from solved import facts, solved

from mmlock.resolve.graph.build import build_graph
from mmlock.resolve.loop.loop import graph_request
from mmlock.resolve.loop.nogoods import LoopState


@pytest.mark.slow
def test_a_refusal_counts_where_each_of_its_groups_has_an_option() -> None:
    graph = solved("mmdet", gpu="cpu")
    asked = graph_request(graph.asked, LoopState())
    first, second = (graph.rows.options[indices[0]] for indices in list(graph.rows.slots.values())[:2])
    here = tuple(frozenset({(option.slot, option.label)}) for option in (first, second))
    gone = (here[0], frozenset({(second.slot, "no such version")}))
    rows = build_graph(facts(), replace(asked, refused=(here, gone)))
    labels = [
        tuple(frozenset((rows.options[i].slot, rows.options[i].label) for i in group) for group in groups)
        for groups in rows.nogoods
    ]
    assert labels == [here]
