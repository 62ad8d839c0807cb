"""A graph as text: stable, so that two of them can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mmlock.resolve.graph.draw import draw

if TYPE_CHECKING:
    from mmlock.resolve.graph.network import Network

nx = pytest.importorskip("networkx")


def picture() -> Network:
    made: Network = nx.MultiDiGraph()
    for name, slot in (("mmdet 3", "mmdet"), ("grün 1", "torch")):
        made.add_node(name, slot=slot, package="", version="", form="wheel")
    for hard, kind in ((True, "asserts"), (False, "declares")):
        made.add_edge(
            "mmdet 3",
            "grün 1",
            kind=kind,
            reason=f'it "{kind}"',
            source="a",
            confidence="measured",
            hard=hard,
        )
    return made


def test_text_has_each_node_with_what_it_needs_below() -> None:
    assert draw(picture(), "text") == (
        'mmdet 3\n  asserts grün 1: it "asserts"\n  declares grün 1: it "declares"\ngrün 1\n'
    )


def test_json_is_sorted_one_value_a_line_in_plain_letters() -> None:
    text = draw(picture(), "json")
    lines = text.splitlines()
    assert lines[:3] == ["{", ' "directed": true,', ' "edges": [']
    assert [line for line in lines if line.startswith(' "')] == sorted(
        line for line in lines if line.startswith(' "')
    )
    assert '"to": "grün 1"' in text
    assert text.endswith("}\n")


def test_dot_quotes_what_it_shows_and_draws_a_wish_dashed() -> None:
    pytest.importorskip("pydot")
    text = draw(picture(), "dot")
    edges = [line for line in text.splitlines() if "->" in line]
    assert [("dashed" in line, "solid" in line) for line in edges] == [(False, True), (True, False)]
    assert 'it \\"asserts\\"' in text
    assert "lightblue" in text
    assert "honeydew" in text
