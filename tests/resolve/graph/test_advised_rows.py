"""Which options follow a project's guide, and what the others pay."""

from __future__ import annotations

import pytest
from made_graph import (
    MadeFacts,
    builder,
    put_binaries,
    put_pythons,
    put_releases,
    put_torch,
    release,
    torch_build,
)
from made_graph import binary as wheel

from mmlock.core.names import Form, PackageName
from mmlock.core.requirements import Asked
from mmlock.resolve.graph.advised_rows import add_advice, by_name, follows
from mmlock.resolve.graph.builder import GraphBuilder
from mmlock.resolve.graph.packages import SlotCatalog
from mmlock.resolve.graph.rows import NothingChoice


def advised(*texts: tuple[str, str]) -> tuple[Asked, ...]:
    return tuple(Asked(name=PackageName(name), specifier=specifier) for name, specifier in texts)


def graph(*texts: tuple[str, str]) -> GraphBuilder:
    """0-1 Pythons, 2-4 torch (CUDA 12.1, 11.8 and none), 5-6 mmcv, 7 none, 8 mmcv-lite."""
    made = builder(MadeFacts({}), advice=advised(*texts))
    put_pythons(made, "3.12", "3.8")
    put_torch(made, torch_build(), torch_build("2.4.1", "cu118"), torch_build("2.3.0", "cpu"))
    put_releases(made, "mmcv", release("2.1.0"), release("2.0.0"))
    made.option("mmcv", "no mmcv", NothingChoice(), form=Form.LEFT_OUT)
    put_releases(made, "mmcv-lite", release("2.0.0"), slot="mmcv")
    return made


def paid(*texts: tuple[str, str]) -> dict[int, int]:
    made = graph(*texts)
    add_advice(made, SlotCatalog(made))
    return made.advised


@pytest.mark.parametrize(
    ("advice", "who"),
    [
        ([("python", ">=3.8.1,<3.9")], {0}),
        ([("torch", "==2.4.1")], {4}),
        ([("torch", "==2.4.1+cu118")], {2, 4}),
        ([("cuda", "==11.8")], {2, 4}),
        ([("cuda", "==11.8"), ("cuda", "==12.1")], {4}),  # any of the alternatives
        ([("mmcv", "==2.1.0")], {6, 8}),
        ([("mmcv", "==2.0.0")], {5}),  # the slot is meant, whoever fills it
        ([("mmcv", "==2.0.0+cu118")], {5}),
        ([("mmcv-lite", ">=1")], {5, 6}),
        ([("mmcv", "==7")], set()),  # nothing follows it
        ([("numpy", "==1")], set()),
        ([("mmdet", "==3")], set()),  # decided, and not in this graph
    ],
)
def test_what_is_meant_and_does_not_follow_pays_once(advice: list[tuple[str, str]], who: set[int]) -> None:
    assert paid(*advice) == dict.fromkeys(who, 1)


def test_advice_that_nothing_can_follow_does_not_end_the_look_at_the_next() -> None:
    assert paid(("numpy", "==1"), ("mmcv", "==7"), ("mmdet", "==3"), ("torch", "==2.3.0")) == {2: 1, 3: 1}


def test_each_package_counts_for_itself() -> None:
    assert paid(("torch", "==2.3.0"), ("cuda", "==12.1")) == {2: 1, 3: 2, 4: 1}


def test_advice_is_grouped_by_package_in_order() -> None:
    one, two, three = advised(("torch", "==1"), ("mmcv", "==2"), ("torch", "==3"))
    assert by_name((one, two, three)) == {"torch": (one, three), "mmcv": (two,)}


def test_an_empty_slot_and_another_package_follow_nothing() -> None:
    made = graph()
    (mmcv,) = advised(("mmcv", ""))
    (torch,) = advised(("torch", ">=2"))
    assert not follows(made.options[7], mmcv)
    assert follows(made.options[5], mmcv)
    assert not follows(made.options[5], torch)
    (index,) = put_binaries(made, wheel("torchvision", "0.19.1"))
    (vision,) = advised(("torchvision", "==0.19.1+cu121"))
    assert follows(made.options[index], vision)
