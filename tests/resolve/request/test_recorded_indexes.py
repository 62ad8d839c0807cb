"""Indexes that install guides name for torch and mmcv are not asked for ordinary packages."""

from __future__ import annotations

from solved import facts, request

from mmlock.core.artifact import IndexSettings
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.recorded_indexes import ordinary_indexes, variant_of

CU118 = "https://download.pytorch.org/whl/cu118"
STABLE = "https://download.pytorch.org/whl/torch_stable.html"
MMCV = "https://download.openmmlab.com/mmcv/dist/cu118/torch2.0/index.html"
TEAM = "https://pypi.example.org/simple"


def test_they_are_left_out_and_named_and_others_stay() -> None:
    given = IndexSettings(extra_index_urls=(CU118, TEAM), find_links=(STABLE, MMCV, "wheels"))
    found = ordinary_indexes(facts(), given)
    assert found.index == IndexSettings(extra_index_urls=(TEAM,), find_links=("wheels",))
    assert found.recorded == (CU118, STABLE, MMCV)
    assert ordinary_indexes(facts(), IndexSettings(index_url=CU118)).index == IndexSettings()


def test_pypi_and_an_address_that_only_looks_like_one_stay() -> None:
    given = IndexSettings(
        index_url="https://pypi.org/simple",
        extra_index_urls=("https://download.pytorch.org.example.org/whl/cu118",),
    )
    assert ordinary_indexes(facts(), given).index == given


def test_a_request_keeps_them_for_the_answer_alone() -> None:
    asked = interpret(
        facts(), request("torch==2.0.1", gpu="rtx3090", index=IndexSettings(extra_index_urls=(CU118,)))
    )
    assert asked.arguments.index.is_default
    assert asked.recorded_indexes == (CU118,)


def test_the_build_of_torch_that_an_index_is_for_is_known() -> None:
    assert variant_of(facts(), CU118 + "/") == "cu118"
    assert variant_of(facts(), TEAM) is None
