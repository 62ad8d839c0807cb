"""Steps of an unsealed lock: builds with all they need, downloads with their address."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from solved import Solved, facts, solved

from mmlock.core.names import DeviceKind
from mmlock.lock.model import BuildStep
from mmlock.resolve.plan.files import locate
from mmlock.resolve.plan.steps import (
    NoSources,
    arch_list,
    build_step,
    fetch_step,
    toolchain_plan,
    torch_requirement,
)


@pytest.fixture(scope="module")
def modern() -> Solved:
    return solved(gpu="rtx5090")


def step(one: Solved, package: str = "mmcv") -> BuildStep | NoSources:
    option = next(o for o in one.solution.packages() if o.package == package)
    return build_step(facts(), one.solution, option, one.asked.target, (), ("addict",))


def made(one: Solved) -> BuildStep:
    found = step(one)
    assert isinstance(found, BuildStep)
    return found


def test_a_build_step_is_the_whole_recipe(modern: Solved) -> None:
    found = made(modern)
    assert (found.package, found.version) == ("mmcv", "2.1.0")
    assert found.source.name == "mmcv-2.1.0.tar.gz"
    assert found.source.sha256
    assert found.env["TORCH_CUDA_ARCH_LIST"] == "12.0"
    assert found.env["MMCV_WITH_OPS"] == "1"
    assert "torch==2.11.0" in found.build_requires
    assert found.verified is not None
    assert "2.11.0+cu130" in found.verified
    assert found.requires == ("addict",)
    # How many jobs is known on the machine that builds.
    assert "{" not in "".join((*found.check, *found.env.values())).replace("{jobs}", "")
    assert found.memory_mb > 0
    assert "none for torch 2.11.0+cu130" in found.why


def test_patches_come_with_what_they_look_for() -> None:
    one = solved("mmcv==2.1.0", gpu="rtx5090", torch="2.14", python="3.12")
    found = made(one)
    assert found.patches
    for patch in found.patches:
        assert patch.id
        assert patch.file
        assert patch.find != patch.replace
        assert patch.reason


def test_a_lockable_toolchain_is_pinned_by_hash(modern: Solved) -> None:
    plan = made(modern).toolchain
    assert (plan.provider, plan.cuda, plan.lockable) == ("pip", "13.0", True)
    assert len(plan.files) == len(plan.packages)
    assert all(file.sha256 and file.name.endswith(".whl") for file in plan.files)
    assert {file.name.split("-")[0] for file in plan.files} >= {"nvidia_cuda_nvcc", "nvidia_nvvm"}
    assert plan.gcc_max == 15
    assert plan.gcc_source


def test_a_system_toolchain_says_what_the_user_must_do() -> None:
    one = solved("mmcv==2.1.0", gpu="rtx5090", torch="==2.9.1", cuda="12.8")
    plan = made(one).toolchain
    assert (plan.provider, plan.cuda, plan.lockable, plan.files) == ("system", "12.8", False, ())
    assert plan.gcc_max == 14
    assert plan.note or plan.setup


def test_a_cpu_build_needs_no_toolkit() -> None:
    one = solved("mmcv==2.1.0", gpu="cpu", torch="==2.11.0")
    found = made(one)
    assert (found.toolchain.provider, found.toolchain.cuda) == ("none", None)
    assert "TORCH_CUDA_ARCH_LIST" not in found.env
    assert "torch==2.11.0+cpu" in found.build_requires


@pytest.mark.parametrize(
    ("gpus", "torch", "archs"),
    [
        (("rtx5090",), "==2.11.0", "12.0"),
        (("rtx4090", "rtx5090"), "==2.11.0", "8.9;12.0"),
        (("h100", "a100", "rtx5090"), "==2.9.1", "8.0;9.0;12.0"),
        (("gb300",), "==2.11.0", "10.3"),
        (("a100", "a100-80gb"), "==2.11.0", "8.0"),
    ],
)
def test_the_arch_list_is_sorted_by_number(gpus: tuple[str, ...], torch: str, archs: str) -> None:
    one = solved("mmcv==2.1.0", gpu=gpus, torch=torch)
    assert arch_list(facts(), one.solution, one.asked.target) == archs


def test_the_arch_list_of_rocm_is_its_own() -> None:
    one = solved("torch", gpu="mi250x")
    assert one.asked.target.kind is DeviceKind.ROCM
    assert arch_list(facts(), one.solution, one.asked.target) == "gfx90a"
    assert made(solved("mmcv", gpu="mi250x")).env["PYTORCH_ROCM_ARCH"] == "gfx90a"
    cpu = solved("torch", gpu="cpu")
    assert arch_list(facts(), cpu.solution, cpu.asked.target) == ""


def test_the_torch_that_is_built_against_is_the_very_one() -> None:
    assert torch_requirement(solved("torch==2.1.2+cu118", gpu="a100").solution) == "torch==2.1.2+cu118"
    assert torch_requirement(solved("torch==2.1.2", gpu="a100", cuda="12.1").solution) == "torch==2.1.2"


def test_a_build_without_recorded_sources_says_so(modern: Solved) -> None:
    option = replace(modern.solution.picked["mmcv"], version="2.99.0")
    found = build_step(facts(), modern.solution, option, modern.asked.target, (), ())
    assert found == NoSources(package="mmcv", version="2.99.0")


def test_a_download_names_the_very_wheel() -> None:
    one = solved("mmcv", gpu="t4")
    option = one.solution.picked["mmcv"]
    place = locate(facts(), option, one.solution.torch, one.asked.target, one.solution.python)
    found = fetch_step(option, place, "no hash", ())
    assert found.url == place.url
    assert found.url.endswith(".whl")
    assert found.index.endswith("/index.html")
    assert found.why == "no hash"


def test_no_cuda_no_toolchain() -> None:
    one = solved("mmengine", gpu="cpu")
    assert toolchain_plan(facts(), one.solution, one.asked.target).provider == "none"


def test_sources_are_grouped_only_in_the_release_and_torch_where_that_was_shown(modern: Solved) -> None:
    groups = made(modern).groups
    assert groups
    for group in groups:
        folder = group.file.rpartition("/")[0]
        assert {part.rpartition("/")[0] for part in group.parts} == {folder}
        assert len(group.parts) > 1
    parts = [part for group in groups for part in group.parts]
    assert len(parts) == len(set(parts))
    assert made(solved("mmcv==2.2.0", gpu="rtx5090", torch="2.11", python="3.12")).groups == ()
    assert made(solved("mmcv==2.1.0", gpu="rtx5090", torch="2.14", python="3.12")).groups == ()
