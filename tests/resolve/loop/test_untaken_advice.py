"""What a project's guide names is preferred, package by package; what is not kept has its reason."""

from __future__ import annotations

import pytest
from closers import OpenWorld
from msgspec.structs import replace
from solved import asked_words, facts, request

from mmlock.core.names import PackageName
from mmlock.core.progress import silent
from mmlock.core.requirements import Asked
from mmlock.resolve.loop.loop import Resolution, decide
from mmlock.resolve.loop.untaken_advice import Untaken, untaken_advice
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.model import InterpretedRequest

GUIDE = (
    "torch==1.9.1+cu111",
    "mmcv-full==1.4.0",
    "mmdet==2.14.0",
    "mmsegmentation==0.14.1",
    "mmdet3d==0.17.1",
)


def advised(*advice: str, gpu: str, wanted: tuple[str, ...] = ("mmdet3d<1.1.0rc0",)) -> InterpretedRequest:
    asked = replace(request(*wanted, gpu=gpu), advice=asked_words(*advice))
    return interpret(facts(), asked)


def decided(asked: InterpretedRequest) -> tuple[dict[str, str | None], list[Untaken]]:
    found = decide(facts(), asked, OpenWorld(), progress=silent, wheelless=lambda *_: False)
    assert isinstance(found, Resolution)
    versions = {str(option.package): option.version for option in found.solution.packages()}
    return versions | {"python": found.solution.python}, list(untaken_advice(facts(), asked, found))


@pytest.mark.slow
def test_a_whole_set_that_holds_is_taken() -> None:
    versions, untaken = decided(advised(*GUIDE, gpu="rtx3090"))
    assert untaken == []
    assert (versions["mmdet3d"], versions["mmcv-full"]) == ("0.17.1", "1.4.0")
    plain, _ = decided(advised(gpu="rtx3090"))
    assert plain["mmdet3d"] != "0.17.1"


@pytest.mark.slow
def test_on_another_card_each_part_that_does_not_hold_is_told_with_its_reason() -> None:
    _, untaken = decided(advised(*GUIDE, gpu="rtx5090"))
    reasons = {one.advice.name: one for one in untaken}
    assert "no kernels for sm_120" in reasons[PackageName("torch")].reason
    assert reasons[PackageName("torch")].chosen.startswith("torch 2.")


def test_alternatives_of_a_guide_are_one_piece_of_advice() -> None:
    guide = ("torch==2.0.1+cu117", "torch==2.0.1+cu118")
    versions, untaken = decided(advised(*guide, gpu="rtx3090", wanted=("torch",)))
    assert untaken == []
    assert str(versions["torch"]).startswith("2.0.1")


def test_the_python_and_the_cuda_of_a_guide_count_too() -> None:
    guide = (
        Asked(name=PackageName("python"), specifier="==3.9.*", origin="README.md:1"),
        Asked(name=PackageName("cuda"), specifier="==12.1.*", origin="README.md:2"),
    )
    asked = interpret(facts(), replace(request("torch", gpu="rtx3090"), advice=guide))
    found = decide(facts(), asked, OpenWorld(), progress=silent, wheelless=lambda *_: False)
    assert isinstance(found, Resolution)
    assert (found.solution.python, found.solution.torch.cuda) == ("3.9", "12.1")


def test_what_the_request_demands_comes_before_advice() -> None:
    versions, untaken = decided(advised("torch==2.0.1", gpu="rtx3090", wanted=("torch==2.1.2",)))
    assert str(versions["torch"]).startswith("2.1.2")
    (one,) = untaken
    assert "torch==2.1.2" in one.reason


def test_an_ordinary_package_of_another_version_is_told() -> None:
    asked = advised("numpy==1.23.5", gpu="rtx3090", wanted=("torch==2.1.2", "numpy<1.20"))
    _, untaken = decided(asked)
    assert [one.advice.text for one in untaken] == ["numpy==1.23.5"]
