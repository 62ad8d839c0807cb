"""Conflicts: minimal, told with sources and without repetition, and with suggestions that hold."""

from __future__ import annotations

import re

import pytest
from examples import examples
from hypothesis import assume, given
from made_rows import ask, graphs, holds, link, option, rows_of
from solved import Solved, facts, solved

from mmlock.resolve.core_solver.conflict import Conflict
from mmlock.resolve.core_solver.explain import MOST, Explanation, explain
from mmlock.resolve.core_solver.problem import make_instance
from mmlock.resolve.graph.builder import readable
from mmlock.resolve.graph.rows import DEFAULT_TERMS, LinkKind, Rows
from mmlock.resolve.loop.refusal import chain_lines, headline, nearest_lines


def numbers(rows: Rows, explanation: Explanation) -> list[int]:
    return [rows.asks.index(one) for one in explanation.asks]


@examples(100)
@given(graphs())
def test_the_asks_told_are_a_conflict_and_none_is_needless(rows: Rows) -> None:
    assume(not holds(rows, list(range(len(rows.asks)))))
    told = list(Conflict(rows).minimal_asks())
    assert not holds(rows, told)
    for one in told:
        assert holds(rows, [i for i in told if i != one]), f"wish {one} is needless"


@examples(80)
@given(graphs())
def test_the_facts_told_are_a_conflict_and_none_is_needless(rows: Rows) -> None:
    assume(not holds(rows, list(range(len(rows.asks)))))
    conflict = Conflict(rows)
    asks = list(conflict.minimal_asks())
    reasons = [claim.text for claim in conflict.minimal_claims(asks)]
    assert len(set(reasons)) == len(reasons)
    hard = [one for one in rows.links if one.hard]
    assert not holds(rows, asks, [one for one in hard if one.reason in reasons])
    for reason in reasons:
        rest = [one for one in hard if one.reason in reasons and one.reason != reason]
        assert holds(rows, asks, rest), f"`{reason}` is needless"


@examples(80)
@given(graphs())
def test_suggestions_hold_and_keep_every_other_wish(rows: Rows) -> None:
    every = range(len(rows.asks))
    assume(not holds(rows, list(every)))
    explanation = explain(rows, DEFAULT_TERMS)
    suggested = {rows.asks.index(near.dropped): near for near in explanation.nearest}
    for i in numbers(rows, explanation):
        rest = [k for k in every if k != i]
        assert (i in suggested) == holds(rows, rest)
        if i in suggested:
            picked = [o.index for o in suggested[i].solution.picked.values()]
            assert len(picked) == len(rows.slots)
            assert make_instance(rows, DEFAULT_TERMS, asks=rest).holds(picked)


def test_facts_alone_can_forbid_everything() -> None:
    only = option(0, "torch", "1.0")
    rows = rows_of({"torch": [only]}, [link(only, "torch", frozenset(), LinkKind.REQUIRES)], [])
    explanation = explain(rows, DEFAULT_TERMS)
    assert explanation.asks == ()
    assert headline(explanation) == "no combination of known builds fulfils the request"
    assert [one.text for one in explanation.chain] == ["torch wheel requires torch"]


def test_the_nearest_version_is_suggested_first() -> None:
    slots = {"torch": [option(i, "torch", f"{9 - i}.0") for i in range(6)]}
    rows = rows_of(
        slots,
        [],
        [
            ask("torch==9", "torch", frozenset({0})),
            ask("--gpu old", "torch", frozenset({2, 3, 4, 5})),
        ],
    )
    nearest = {near.dropped.name: near.solution for near in explain(rows, DEFAULT_TERMS).nearest}
    assert nearest["torch==9"].picked["torch"].version == "7.0"
    assert nearest["--gpu old"].picked["torch"].version == "9.0"


def test_long_lists_are_cut_and_say_so() -> None:
    count = MOST + 5
    slots = {"torch": [option(i, "torch", f"{count - i}.0") for i in range(count)]}
    rows = rows_of(slots, [], [ask("torch==99", "torch", frozenset(), wanted="99")])
    texts = [one.text for one in explain(rows, DEFAULT_TERMS).chain]
    assert texts[0] == "nothing known fulfils torch==99"
    assert len(texts) == 1 + MOST + 1
    assert texts[-1] == "and 5 more like these"


REFUSED = {
    "s2": (("torch==2.4.1",), {"gpu": "rtx5090"}),
    "torch against vision": (("torch==2.1.2", "torchvision==0.15.2"), {"gpu": "t4"}),
    "no wheel": (("mmcv==2.1.0", "torch==2.3.*"), {"gpu": "t4", "no_build": True}),
    "no such release": (("mmdet==9.9",), {"gpu": "t4"}),
    "python too new": (("mmcv==2.1.0",), {"gpu": "t4", "python": "3.13", "no_build": True}),
    "generations": (("mmdet==2.28.2", "mmengine"), {"gpu": "t4", "python": "3.99"}),
    "free-threaded": (("mmdet",), {"gpu": "t4", "python": "3.13t"}),
    "driver": (("torch>=2.9",), {"gpu": "t4", "driver": "450.80.02"}),
}


@pytest.fixture(params=REFUSED, scope="module")
def refused(request: pytest.FixtureRequest) -> tuple[Solved, Explanation]:
    words, more = REFUSED[request.param]
    one = solved(*words, **more)  # type: ignore[arg-type]
    assert one.found is None
    return one, explain(one.rows, one.asked.terms)


def test_real_conflicts_are_minimal(refused: tuple[Solved, Explanation]) -> None:
    one, explanation = refused
    told = numbers(one.rows, explanation)
    assert told
    conflict = Conflict(one.rows)
    claims = range(len(conflict._claims))
    assert conflict._core(told, claims) is not None
    for dropped in told:
        assert conflict._core([i for i in told if i != dropped], claims) is None


def test_real_chains_name_their_sources_and_repeat_nothing(refused: tuple[Solved, Explanation]) -> None:
    _, explanation = refused
    lines = chain_lines(facts(), explanation)
    assert len(set(lines)) == len(lines)
    texts = [one.text for one in explanation.chain]
    assert len(set(texts)) == len(texts)
    for one in explanation.chain:
        own = one.text.startswith(("nothing known fulfils", "and ")) or "not asked for" in one.text
        assert own or one.source, one.text
    for line in lines:
        assert not re.search(r"(torch-builds|toolkits|recipes|openmmlab-index|releases/\w+)#", line), line


def test_real_suggestions_hold(refused: tuple[Solved, Explanation]) -> None:
    one, explanation = refused
    told = nearest_lines(explanation)
    assert len(told) == len(explanation.nearest)
    for near in explanation.nearest:
        rest = [i for i, wish in enumerate(one.rows.asks) if wish is not near.dropped]
        picked = [o.index for o in near.solution.picked.values()]
        assert make_instance(one.rows, one.asked.terms, asks=rest).holds(picked)
        assert f"without `{near.dropped.name}`" in "\n".join(told)


def test_the_headline_names_every_ask() -> None:
    one = solved("torch==2.4.1", gpu="rtx5090")
    assert headline(explain(one.rows, one.asked.terms)) == (
        "`--gpu rtx5090` and `torch==2.4.1` cannot hold together"
    )


def test_a_refusal_of_the_closure_counts_as_a_fact() -> None:
    torch = [option(0, "torch", "2.0"), option(1, "torch", "1.0")]
    python = [option(2, "python", "3.12")]
    wishes = [ask("torch>=2", "torch", frozenset({0})), ask("--python 3.12", "python", frozenset({2}))]
    slots = {"torch": torch, "python": python}
    assert holds(rows_of(slots, [], wishes), [0, 1])
    refused = rows_of(slots, [], wishes, nogoods=((frozenset({0}), frozenset({2})),))
    explanation = explain(refused, DEFAULT_TERMS)
    assert [one.name for one in explanation.asks] == ["torch>=2"]  # Python 3.12 is all there is
    assert explanation.nearest[0].solution.picked["torch"].version == "1.0"


@pytest.mark.parametrize(
    ("wish", "confidence", "said"),
    [
        ("mmdet==9.9", "captured", "https://pypi.org/simple/mmdet/ ("),
        ("mmcv==9.9", "inferred", ""),  # OpenMMLab's own index, which was not read, may hold it
        ("torch==2.7.1+cu199", "inferred", ""),  # so may PyTorch's
        ("torchvision==9.9", "inferred", ""),
    ],
)
def test_absence_is_never_measured_and_names_a_list_only_if_it_was_read_whole(
    wish: str, confidence: str, said: str
) -> None:
    refused = solved(wish, gpu="rtx4090")
    first = explain(refused.rows, DEFAULT_TERMS).chain[0]
    assert first.text.startswith("nothing known fulfils")
    assert first.confidence == confidence
    text = "; ".join(readable(facts(), first.source))
    assert (said in text) if said else not text
