"""Why this version and not a newer one: the sentence, and that it is true."""

from __future__ import annotations

import pytest
from examples import examples
from hypothesis import given
from made_rows import constraint, graphs, link, option, rows_of
from solved import Solved, facts, solved

from mmlock.core.device import Device
from mmlock.core.names import DeviceKind, Platform
from mmlock.core.target import Target
from mmlock.core.versions import version
from mmlock.lock.model import Reason, ReasonKind
from mmlock.resolve.core_solver.alternatives import not_newer
from mmlock.resolve.core_solver.brute import BruteEngine
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.core_solver.problem import make_problem
from mmlock.resolve.core_solver.solution import describe, solve_core
from mmlock.resolve.graph.rows import LinkKind, Rows
from mmlock.resolve.plan.choice import choice
from mmlock.resolve.request.objectives import DEFAULT_OBJECTIVES

CPU = Target(devices=(Device(kind=DeviceKind.CPU, name="cpu"),), platform=Platform.LINUX_X86_64, glibc="2.28")


def why(one: Solved, package: str) -> str:
    newer = not_newer(one.rows, one.solution, ClingoEngine(), one.asked.objectives)
    (picked,) = [each for each in one.solution.packages() if each.package == package]
    reason = choice(facts(), one.rows, one.solution, picked, one.asked.target, newer)
    assert isinstance(reason, Reason)
    assert reason.kind is ReasonKind.CHOICE
    assert reason.source
    return reason.text


def test_a_build_names_the_recipe_that_holds_torch_back() -> None:
    one = solved("mmdet", "mmcv", gpu="rtx5090")
    text = "newest torch with sm_120 kernels for which mmcv 2.1.0 has a tested recipe"
    assert why(one, "torch") == text
    # By the recipes themselves, not by the graph: nothing newer was built of this release.
    tested = {
        done.torch
        for recipe in facts().recipes
        for done in recipe.verified
        if (recipe.package, done.version) == ("mmcv", "2.1.0") and done.variant.startswith("cu")
    }
    assert max(tested, key=version) == one.solution.torch.torch


def test_a_wheel_names_itself() -> None:
    one = solved("mmdet", "mmcv", gpu="t4")
    assert why(one, "torch") == "newest torch with sm_75 kernels for which mmcv 2.1.0 has a wheel"


@pytest.mark.slow
def test_checks_at_import_name_who_makes_them() -> None:
    one = solved("mmdet", "mmsegmentation", "mmcv", gpu="t4")
    assert why(one, "mmcv") == "newest mmcv that mmdet 3.3.0 and mmsegmentation 1.2.2 accept"
    assert why(one, "mmdet") == "newest mmdet"


@pytest.mark.parametrize(
    ("words", "more", "package", "text"),
    [
        (("mmdet==3.2.0",), {}, "mmdet", "requested: `mmdet==3.2.0`"),
        (("mmdet<3",), {}, "mmdet", "newest mmdet for `mmdet<3`"),
        (("torchvision",), {"torch": "==2.1.2"}, "torch", "requested: `--torch 2.1.2`"),
        (("torchvision",), {"torch": "==2.1.2"}, "torchvision", "newest torchvision for torch 2.1.2"),
        (("torchvision",), {}, "torch", "newest torch with sm_75 kernels"),
        (("mmpose",), {"gpu": "cpu"}, "torch", "newest torch for which mmcv 2.1.0 has a wheel"),
    ],
)
def test_what_the_user_said_is_named(
    words: tuple[str, ...], more: dict[str, object], package: str, text: str
) -> None:
    assert why(solved(*words, **{"gpu": "t4", **more}), package) == text  # type: ignore[arg-type]


def test_a_kept_version_says_so() -> None:
    one = solved("torchvision", gpu="rtx5090", preferences=(("torch", "2.8.0"),))
    assert why(one, "torch") == "kept from the existing lock"
    assert why(one, "torchvision") == "newest torchvision for torch 2.8.0"


@pytest.mark.slow
@examples(90)
@given(graphs())
def test_no_newer_version_can_take_the_place_of_one_that_is_called_the_newest(rows: Rows) -> None:
    """Without word of the objectives, so what is named must rule every newer version out."""
    problem = make_problem(rows, DEFAULT_OBJECTIVES)
    picked = BruteEngine().solve(problem)
    if picked is None:
        return
    solution = describe(rows, frozenset(picked), DEFAULT_OBJECTIVES)
    for place, index in enumerate(picked):
        taken = rows.options[index]
        if choice(facts(), rows, solution, taken, CPU) is None:
            continue
        for other in problem.slots[place]:
            text = rows.options[other].version
            if text is not None and taken.version is not None and version(text) > version(taken.version):
                assert not problem.holds((*picked[:place], other, *picked[place + 1 :]))


def test_what_nothing_rules_out_is_told_by_what_it_would_cost_or_not_at_all() -> None:
    torch = [option(0, "torch", "2.0"), option(1, "torch", "1.0")]
    a = [option(2, "a", "1.0")]
    rows = rows_of(
        {"torch": torch, "a": a, "python": [option(3, "python", "3.12")]},
        [link(a[0], "torch", frozenset({1}), LinkKind.DECLARES, hard=False)],
        [constraint("a", "a", frozenset({2}))],
    )
    solution = solve_core(rows, BruteEngine())
    assert solution is not None
    taken = solution.picked["torch"]
    assert taken.version == "1.0"
    assert choice(facts(), rows, solution, taken, CPU) is None
    newer = not_newer(rows, solution, BruteEngine(), DEFAULT_OBJECTIVES)
    reason = choice(facts(), rows, solution, taken, CPU, newer)
    assert reason is not None
    assert reason.text == "newest torch that keeps all declared bounds"
