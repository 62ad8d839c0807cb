"""`torchvision==0.15.2+cu118` names a version and the build of torch that it goes with."""

from __future__ import annotations

import pytest
from solved import solved

from mmlock.resolve.core_solver.explain import explain
from mmlock.resolve.graph.local_versions import split_local


@pytest.mark.parametrize(
    ("specifier", "public", "local"),
    [
        ("==0.15.2+cu118", "==0.15.2", "cu118"),
        ("===0.15.2+cu118", "==0.15.2", "cu118"),
        ("==0.15.2+cu118,>=0.14", "==0.15.2,>=0.14", "cu118"),
        ("!=0.15.2+cu118", "!=0.15.2+cu118", None),
        ("==0.15.2+cu118,==0.15.2+cu117", "==0.15.2,==0.15.2", None),
        ("===odd+text", "===odd+text", None),
        (">=0.15", ">=0.15", None),
    ],
)
def test_the_local_part_is_split_off_where_one_build_is_named(
    specifier: str, public: str, local: str | None
) -> None:
    assert split_local(specifier) == (public, local)


@pytest.mark.parametrize(
    ("wanted", "torch"),
    [
        ("torchvision==0.15.2+cu118", "2.0.1+cu118"),
        ("torchvision==0.15.2+cu117", "2.0.1+cu117"),
        ("torchaudio==2.0.2+cu118", "2.0.1+cu118"),
        ("torchvision==0.10.1+cu111", "1.9.1+cu111"),
    ],
)
def test_it_brings_the_torch_of_that_build(wanted: str, torch: str) -> None:
    one = solved(wanted, gpu="rtx3090")
    assert f"{one.solution.torch.torch}+{one.solution.torch.variant}" == torch
    assert one.version(wanted.partition("==")[0]) == wanted.partition("==")[2].partition("+")[0]


def test_as_a_constraint_it_asks_for_nothing_and_binds_what_is_there() -> None:
    bound = ("torchvision==0.15.2+cu118",)
    without = solved("mmengine", gpu="rtx3090", constraints=bound)
    assert without.version("torchvision") is None
    assert without.solution.torch.torch != "2.0.1"
    beside = solved("mmengine", "torchvision", gpu="rtx3090", constraints=bound)
    assert (beside.solution.torch.torch, beside.solution.torch.variant) == ("2.0.1", "cu118")


def test_two_builds_are_told_as_a_conflict_of_both() -> None:
    one = solved("torch==2.0.1+cu117", "torchvision==0.15.2+cu118", gpu="rtx3090")
    assert one.found is None
    told = explain(one.rows, one.asked.objectives)
    assert {bound.name for bound in told.user_constraints} == {
        "torch==2.0.1+cu117",
        "torchvision==0.15.2+cu118",
    }
