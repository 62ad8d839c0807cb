"""What the closure is asked: the core as given, what it requires, and the cures."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from solved import Solved, facts, solved

from mmlock.core.names import PackageName
from mmlock.resolve.closure.model import ClosureRequest, CoreNode
from mmlock.resolve.graph.extras import asked_extras
from mmlock.resolve.plan.closure_inputs import (
    closure_request,
    core_node,
    variant_requirements,
)
from mmlock.resolve.plan.findings import missing_extras
from mmlock.resolve.plan.option_requirements import requirements_of
from mmlock.resolve.request.model import PlainRequirement


def question(one: Solved, *wanted: str, constraints: tuple[str, ...] = ()) -> ClosureRequest:
    return closure_request(
        facts(),
        one.solution,
        one.asked.target,
        requirements=[PlainRequirement(text=text, via="the request") for text in wanted],
        constraints=[PlainRequirement(text=text, via="the request") for text in constraints],
    )


def node(asked: ClosureRequest, name: str) -> CoreNode:
    return next(node for node in asked.core if node.name == name)


def names(texts: tuple[str, ...]) -> set[str]:
    return {Requirement(text).name.lower() for text in texts}


def test_every_decided_package_is_a_node_with_its_requirements() -> None:
    one = solved(gpu="rtx5090")
    asked = question(one)
    assert [n.name for n in asked.core] == sorted(str(o.package) for o in one.solution.packages())
    assert (asked.python, asked.platform, asked.glibc) == ("3.12", "linux_x86_64", "2.28")
    assert {"addict", "matplotlib", "yapf"} <= names(node(asked, "mmengine").requires)
    assert "pycocotools" in names(node(asked, "mmdet").requires)
    assert node(asked, "torch").version == "2.11.0"


def test_cures_are_added_and_bounded() -> None:
    asked = question(solved(gpu="rtx5090"))
    added = {one.text: one.via for one in asked.requirements}
    assert added["setuptools"] == "mmengine-pkg-resources"
    assert {"ftfy", "regex"} <= set(added)
    assert {one.text for one in asked.constraints} >= {"setuptools<82"}
    old = question(solved("mmcv", gpu="a100", torch="2.0"))
    assert "numpy<2" in {one.text for one in old.constraints}


@pytest.mark.slow
def test_what_nobody_uses_is_dropped_everywhere() -> None:
    asked = question(solved("mmpose", gpu="t4"))
    assert asked.drop == ("chumpy",)
    for one in asked.core:
        assert "chumpy" not in names(one.requires)
    raw = next(r for r in facts().releases("mmpose") if r.version == node(asked, "mmpose").version)
    assert "chumpy" in names(raw.requires), "or nothing is shown here"


def test_one_wish_is_asked_once_and_the_users_word_goes_first() -> None:
    one = solved(gpu="rtx5090")
    asked = question(one, "setuptools", "einops", "einops", constraints=("setuptools<82",))
    assert [w.text for w in asked.requirements] == sorted({w.text for w in asked.requirements})
    assert {w.text: w.via for w in asked.requirements}["setuptools"] == "the request"
    assert [w.text for w in asked.constraints] == sorted({w.text for w in asked.constraints})


def test_a_variant_of_an_own_index_takes_no_cuda_libraries_of_pypis_build() -> None:
    one = solved("torch==2.1.2+cu118", "torchvision", gpu="a100")
    asked = question(one)
    torch = node(asked, "torch")
    assert torch.version == "2.1.2+cu118"
    assert node(asked, "torchvision").version == "0.16.2+cu118"
    assert not {n for n in names(torch.requires) if n.startswith(("nvidia-", "cuda-"))}
    assert {"triton", "sympy", "filelock"} <= names(torch.requires)
    plain = node(question(solved("torch==2.1.2", gpu="a100", cuda="12.1")), "torch")
    assert {n for n in names(plain.requires) if n.startswith("nvidia-")}


def test_a_cpu_variant_takes_no_triton() -> None:
    asked = question(solved("torch==2.1.2", gpu="cpu"))
    torch = node(asked, "torch")
    assert torch.version == "2.1.2+cpu"
    assert not {n for n in names(torch.requires) if n.startswith(("nvidia-", "triton"))}
    assert "filelock" in names(torch.requires)


def test_variant_rules() -> None:
    cuda = solved("torch==2.1.2+cu118", gpu="a100").solution.torch
    cpu = solved("torch==2.1.2", gpu="cpu").solution.torch
    texts = (
        "filelock",
        'nvidia-cudnn-cu12==8.9.2.26 ; platform_system == "Linux"',
        "cuda-bindings>=12",
        'triton==2.1.0 ; platform_system == "Linux"',
        "pytorch-triton-rocm==2.1",
        "opt-einsum>=3.3 ; extra == 'opt-einsum'",
    )
    assert variant_requirements(texts, cuda) == (texts[0], texts[3], texts[5])
    assert variant_requirements(texts, cpu) == (texts[0], texts[5])


def test_metadata_of_the_targets_platform_comes_first() -> None:
    linux = solved("torch==2.1.2", gpu="a100", cuda="12.1")
    torch = linux.solution.picked["torch"]
    own, _ = requirements_of(facts(), torch, linux.asked.target.platform)
    assert any("nvidia" in text for text in own)
    mac = solved("torch==2.1.2", gpu="mps")
    there, _ = requirements_of(facts(), mac.solution.picked["torch"], mac.asked.target.platform)
    assert there
    applies = [
        text
        for text in there
        if "nvidia" in text and ((r := Requirement(text)).marker is None or r.marker.evaluate(MAC))
    ]
    assert applies == []


MAC = {"platform_system": "Darwin", "platform_machine": "arm64", "python_version": "3.11", "extra": ""}


def test_a_build_has_the_requirements_of_its_release() -> None:
    one = solved(gpu="rtx5090")
    mmcv = one.solution.picked["mmcv"]
    requires, python = requirements_of(facts(), mmcv, one.asked.target.platform)
    release = next(r for r in facts().releases(PackageName("mmcv")) if r.version == mmcv.version)
    plain = {str(Requirement(text)) for text in requires if "extra ==" not in text}
    assert (plain, python) == ({str(Requirement(t)) for t in release.requires}, release.requires_python)
    assert 'mmengine>=0.3.0; extra == "all"' in requires
    assert "mmengine" in names(requires)


@pytest.mark.slow
def test_asked_extras_go_with_the_node_and_its_requirements() -> None:
    one = solved("mmdet[tracking,all]", gpu="t4")
    extras = asked_extras(
        facts(), one.asked.core_requirements, one.asked.target.platform, one.solution.python
    )
    question = closure_request(
        facts(), one.solution, one.asked.target, requirements=[], constraints=[], extras=extras
    )
    (mmdet,) = [node for node in question.core if node.name == "mmdet"]
    assert mmdet.extras == ("all", "tracking")
    assert 'motmetrics; extra == "tracking"' in mmdet.requires
    assert all(node.extras == () for node in question.core if node.name != "mmdet")


@pytest.mark.slow
def test_an_extra_that_a_release_lacks_is_told_and_not_handed_on() -> None:
    one = solved("mmdet[tracking]==2.28.2", gpu="t4")
    extras = asked_extras(
        facts(), one.asked.core_requirements, one.asked.target.platform, one.solution.python
    )
    question = closure_request(
        facts(), one.solution, one.asked.target, requirements=[], constraints=[], extras=extras
    )
    assert all(node.extras == () for node in question.core)
    (told,) = missing_extras(facts(), one.asked.core_requirements, one.solution, one.asked.target)
    assert told.level == "warning"
    assert "no extra `tracking`, which is in 3.1.0 to 3.3.0" in told.text


def test_packages_of_a_toolkit_that_the_environment_brings_too_are_the_toolkits_files() -> None:
    one = solved("mmcv", gpu="rtx4090", prefer=("newest-torch",))
    toolchain = one.solution.toolchain
    assert toolchain is not None
    assert toolchain.packages
    question = closure_request(facts(), one.solution, one.asked.target, requirements=[], constraints=[])
    assert set(toolchain.packages) <= {bound.text for bound in question.constraints}


def test_a_build_beside_pypis_requires_the_libraries_of_its_own_cuda() -> None:
    one = solved("torch==2.8.0+cu126", gpu="rtx4090", python="3.12")
    target = one.asked.target
    node = core_node(facts(), one.solution, one.solution.picked["torch"], target, ())
    libraries = {text.partition(";")[0].strip() for text in node.requires if text.startswith("nvidia-")}
    assert {"nvidia-cublas-cu12==12.6.4.1", "nvidia-cudnn-cu12==9.10.2.21"} <= libraries
    assert not {text for text in libraries if "12.8" in text}, "those are of PyPI's build, for CUDA 12.8"


def test_a_build_whose_requirements_nobody_concluded_has_those_of_no_cuda() -> None:
    one = solved("torch==2.7.1+cu118", gpu="rtx4090", python="3.12")
    node = core_node(facts(), one.solution, one.solution.picked["torch"], one.asked.target, ())
    assert "filelock" in names(node.requires)
    assert not {name for name in names(node.requires) if name.startswith("nvidia-")}
