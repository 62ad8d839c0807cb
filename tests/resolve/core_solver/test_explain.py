"""Conflicts: minimal, told with sources and without repetition, and with suggestions that hold."""

from __future__ import annotations

import re

import pytest
from examples import examples
from hypothesis import assume, given
from made_rows import constraint, graphs, holds, link, option, rows_of
from msgspec.structs import replace
from solved import Solved, facts, solved

from mmlock.core.names import Confidence
from mmlock.resolve.core_solver.conflict import ConflictSearch
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.explain import MOST, Explanation, explain
from mmlock.resolve.core_solver.problem import make_problem
from mmlock.resolve.graph.builder import readable
from mmlock.resolve.graph.rows import Group, LinkKind, Option, Rows, UserConstraint
from mmlock.resolve.loop.refusal import chain_lines, headline, nearest_lines
from mmlock.resolve.request.objectives import DEFAULT_OBJECTIVES


def numbers(rows: Rows, explanation: Explanation) -> list[int]:
    return [rows.user_constraints.index(one) for one in explanation.user_constraints]


@pytest.mark.slow
@examples(100)
@given(graphs())
def test_the_asks_told_are_a_conflict_and_none_is_needless(rows: Rows) -> None:
    assume(not holds(rows, list(range(len(rows.user_constraints)))))
    told = list(ConflictSearch(rows).minimal_constraints())
    assert not holds(rows, told)
    for one in told:
        assert holds(rows, [i for i in told if i != one]), f"constraint {one} is needless"


@pytest.mark.slow
@examples(80)
@given(graphs())
def test_the_facts_told_are_a_conflict_and_none_is_needless(rows: Rows) -> None:
    assume(not holds(rows, list(range(len(rows.user_constraints)))))
    conflict = ConflictSearch(rows)
    user_constraints = list(conflict.minimal_constraints())
    reasons = [fact.text for fact in conflict.minimal_facts(user_constraints)]
    assert len(set(reasons)) == len(reasons)
    hard = [one for one in rows.links if one.hard]
    assert not holds(rows, user_constraints, [one for one in hard if one.reason in reasons])
    for reason in reasons:
        rest = [one for one in hard if one.reason in reasons and one.reason != reason]
        assert holds(rows, user_constraints, rest), f"`{reason}` is needless"


@pytest.mark.slow
@examples(80)
@given(graphs())
def test_suggestions_hold_and_keep_every_other_wish(rows: Rows) -> None:
    every = range(len(rows.user_constraints))
    assume(not holds(rows, list(every)))
    explanation = explain(rows, DEFAULT_OBJECTIVES)
    suggested = {rows.user_constraints.index(near.given_up): near for near in explanation.nearest}
    for i in numbers(rows, explanation):
        rest = [k for k in every if k != i]
        assert (i in suggested) == holds(rows, rest)
        if i in suggested:
            picked = [o.index for o in suggested[i].solution.picked.values()]
            assert len(picked) == len(rows.slots)
            assert make_problem(rows, DEFAULT_OBJECTIVES, user_constraints=rest).holds(picked)


def test_facts_alone_can_forbid_everything() -> None:
    only = option(0, "torch", "1.0")
    rows = rows_of({"torch": [only]}, [link(only, "torch", frozenset(), LinkKind.REQUIRES)], [])
    explanation = explain(rows, DEFAULT_OBJECTIVES)
    assert explanation.user_constraints == ()
    assert headline(explanation) == "no combination of known builds satisfies the request"
    assert [one.text for one in explanation.chain] == ["torch wheel requires torch"]


def test_the_nearest_version_is_suggested_first() -> None:
    slots = {"torch": [option(i, "torch", f"{9 - i}.0") for i in range(6)]}
    rows = rows_of(
        slots,
        [],
        [
            constraint("torch==9", "torch", frozenset({0})),
            constraint("--gpu old", "torch", frozenset({2, 3, 4, 5})),
        ],
    )
    nearest = {near.given_up.name: near.solution for near in explain(rows, DEFAULT_OBJECTIVES).nearest}
    assert nearest["torch==9"].picked["torch"].version == "7.0"
    assert nearest["--gpu old"].picked["torch"].version == "9.0"


def test_a_package_that_must_go_is_said_to_be_left_out() -> None:
    """`b` needs a torch that the other constraint forbids, in every version."""
    torch = [option(0, "torch", "2.0"), option(1, "torch", "1.0")]
    b = [option(2, "b", "2.0"), option(3, "b", "1.0"), option(4, "b", None)]
    links = [link(one, "torch", frozenset({1}), LinkKind.REQUIRES) for one in b[:2]]
    both = [
        constraint("b==2", "b", frozenset({2}), loose=(("b", frozenset({2, 3})),)),
        constraint("torch==2", "torch", frozenset({0})),
    ]
    rows = rows_of({"torch": torch, "b": b}, links, both)
    told = {one.given_up.name: one for one in explain(rows, DEFAULT_OBJECTIVES).nearest}
    assert not told["b==2"].near
    assert told["b==2"].solution.picked["b"].version is None
    assert told["torch==2"].near


def test_long_lists_are_cut_and_say_so() -> None:
    count = MOST + 5
    slots = {"torch": [option(i, "torch", f"{count - i}.0") for i in range(count)]}
    rows = rows_of(slots, [], [constraint("torch==99", "torch", frozenset(), version="99")])
    texts = [one.text for one in explain(rows, DEFAULT_OBJECTIVES).chain]
    assert len(texts) == MOST + 1
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
    return one, explain(one.rows, one.asked.objectives)


@pytest.mark.slow
def test_real_conflicts_are_minimal(refused: tuple[Solved, Explanation]) -> None:
    one, explanation = refused
    told = numbers(one.rows, explanation)
    assert told
    conflict = ConflictSearch(one.rows)
    facts = range(len(conflict._facts))
    assert conflict._core(told, facts) is not None
    for given_up in told:
        assert conflict._core([i for i in told if i != given_up], facts) is None


@pytest.mark.slow
def test_real_chains_name_their_sources_and_repeat_nothing(refused: tuple[Solved, Explanation]) -> None:
    _, explanation = refused
    lines = chain_lines(facts(), explanation)
    assert len(set(lines)) == len(lines)
    texts = [one.text for one in explanation.chain]
    assert len(set(texts)) == len(texts)
    for one in explanation.chain:
        own = one.text.startswith(("no known ", "known ", "and "))
        assert own or one.source, one.text
    for line in lines:
        assert not re.search(r"(torch-builds|toolkits|recipes|openmmlab-index|releases/\w+)#", line), line


def test_real_suggestions_hold(refused: tuple[Solved, Explanation]) -> None:
    one, explanation = refused
    told = nearest_lines(explanation)
    assert len(told) == len(explanation.nearest)
    for near in explanation.nearest:
        rest = [i for i, requested in enumerate(one.rows.user_constraints) if requested is not near.given_up]
        picked = [o.index for o in near.solution.picked.values()]
        without = make_problem(one.rows, one.asked.objectives, user_constraints=rest)
        assert without.holds(picked)
        start = "nearest to `{}` that works:" if near.near else "without `{}`:"
        assert any(line.startswith(start.format(near.given_up.name)) for line in told)
        if near.near:
            assert near.given_up.kind.bounds_version
        else:  # what the user gets who leaves it out
            assert set(picked) == set(ClingoEngine().solve(without) or ())


def test_the_headline_names_every_constraint() -> None:
    one = solved("torch==2.4.1", gpu="rtx5090")
    assert headline(explain(one.rows, one.asked.objectives)) == (
        "`--gpu rtx5090` and `torch==2.4.1` are incompatible"
    )


def test_a_refusal_of_the_closure_counts_as_a_fact() -> None:
    torch = [option(0, "torch", "2.0"), option(1, "torch", "1.0")]
    python = [option(2, "python", "3.12")]
    requirements = [
        constraint("torch>=2", "torch", frozenset({0})),
        constraint("--python 3.12", "python", frozenset({2})),
    ]
    slots = {"torch": torch, "python": python}
    assert holds(rows_of(slots, [], requirements), [0, 1])
    refused = rows_of(slots, [], requirements, nogoods=((frozenset({0}), frozenset({2})),))
    explanation = explain(refused, DEFAULT_OBJECTIVES)
    assert [one.name for one in explanation.user_constraints] == ["torch>=2"]  # Python 3.12 is all there is
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
    first = explain(refused.rows, DEFAULT_OBJECTIVES).chain[0]
    assert first.confidence == confidence
    text = "; ".join(readable(facts(), first.source))
    assert (said in text) if said else not text


# ---------------------------------------------------------------- sentences, on graphs made by hand


def told_links(
    *needs: tuple[Option, Group], slots: dict[str, list[Option]], bounds: list[UserConstraint]
) -> Rows:
    """Links of one kind with a reason each, as releases have them."""
    links = [
        replace(link(one, "b", members, LinkKind.REQUIRES), reason=f"{one.label} requires {sorted(members)}")
        for one, members in needs
    ]
    return rows_of(slots, links, bounds)


def test_what_several_releases_need_is_told_as_ranges_of_those_that_are_open() -> None:
    """Of `a` 3.0 and 2.0 are asked for; each needs its own `b`, and none the one that is asked for."""
    python = [option(0, "python", "3.12"), option(1, "python", "3.8")]
    a = [option(2, "a", "3.0"), option(3, "a", "2.0"), option(4, "a", "1.0")]
    b = [option(5, "b", "9.0"), option(6, "b", "2.0"), option(7, "b", "1.0")]
    rows = told_links(
        (a[0], frozenset({6})),
        (a[1], frozenset({7, 1})),  # not on Python 3.8
        (a[2], frozenset({5, 6})),
        slots={"python": python, "a": a, "b": b},
        bounds=[
            constraint("a>=2", "a", frozenset({2, 3})),
            constraint("b==9", "b", frozenset({5})),
            constraint("python==3.12", "python", frozenset({0})),
        ],
    )
    told = explain(rows, DEFAULT_OBJECTIVES)
    assert [one.text for one in told.chain] == ["a 2.0 to 3.0 (wheels) requires b 1.0 to 2.0"]
    assert told.chain[0].confidence is Confidence.DOCUMENTED
    assert told.chain[0].source == ("page of a 3.0", "page of a 2.0")


def test_one_version_and_none_are_told_as_such() -> None:
    python = [option(0, "python", "3.12")]
    a = [option(1, "a", "3.0"), option(2, "a", "2.0")]
    b = [option(3, "b", "9.0"), option(4, "b", "1.0"), option(5, "b", None)]
    bounds = [constraint("a", "a", frozenset({1, 2})), constraint("b==9", "b", frozenset({3}))]
    slots = {"python": python, "a": a, "b": b}
    one = told_links((a[0], frozenset({4})), (a[1], frozenset({4, 5})), slots=slots, bounds=bounds)
    assert [row.text for row in explain(one, DEFAULT_OBJECTIVES).chain] == [
        "a 2.0 to 3.0 (wheels) requires b 1.0"
    ]
    none = told_links((a[0], frozenset()), (a[1], frozenset({5})), slots=slots, bounds=bounds)
    assert [row.text for row in explain(none, DEFAULT_OBJECTIVES).chain][-1] == (
        "a 2.0 to 3.0 (wheels) requires no known version of b"
    )


def test_only_what_the_narrower_admits_is_held_against_the_other() -> None:
    a = [option(0, "a", "3.0"), option(1, "a", "2.0"), option(2, "a", "1.0")]
    rows = rows_of(
        {"a": a},
        [],
        [constraint("a<3", "a", frozenset({1, 2})), constraint("a==3", "a", frozenset({0}))],
    )
    assert [one.text for one in explain(rows, DEFAULT_OBJECTIVES).chain] == ["a 3.0 is not a<3"]


def test_nothing_is_near_to_a_package_that_is_not_there() -> None:
    a = [option(0, "a", "3.0"), option(1, "a", None)]
    (near,) = explain(
        rows_of({"a": a}, [], [constraint("a==9", "a", frozenset(), version="9")]), DEFAULT_OBJECTIVES
    ).nearest
    assert not near.near
    loose = (("a", frozenset({0})),)
    (near,) = explain(
        rows_of({"a": a}, [], [constraint("a==9", "a", frozenset(), version="9", loose=loose)]),
        DEFAULT_OBJECTIVES,
    ).nearest
    assert near.near
