"""The user's words in the matrix's terms: devices, platform, stack, requirements; and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from solved import facts, request, solved

from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import EnvironmentFault, MmlockError, NoAnswer, UsageError
from mmlock.core.markers import marker_environment
from mmlock.core.names import DeviceKind, Platform
from mmlock.resolve.request import devices, nvidia_smi
from mmlock.resolve.request.devices import find_devices
from mmlock.resolve.request.interpret import interpret, mistaken
from mmlock.resolve.request.model import InterpretedRequest
from mmlock.resolve.request.objectives import DEFAULT_OBJECTIVES, Objective


def asked(*words: str, **more: Any) -> InterpretedRequest:
    return interpret(facts(), request(*words, **more))


def fault(kind: type[MmlockError], *words: str, **more: Any) -> MmlockError:
    with pytest.raises(kind) as caught:
        asked(*words, **more)
    assert caught.value.hints, "an error says what to do next"
    return caught.value


# ---------------------------------------------------------------- stacks and requirements


def test_without_a_requirement_the_default_stack_is_asked_for() -> None:
    one = asked(gpu="rtx5090")
    assert one.stack == "openmmlab"
    assert {requested.name for requested in one.core_requirements} == {
        "mmengine",
        "mmcv",
        "mmdet",
        "mmsegmentation",
    }
    assert one.plain_requirements == ()


def test_requirements_replace_the_default_stack_and_join_a_named_one() -> None:
    alone = asked("mmpose", gpu="cpu")
    assert (alone.stack, [w.name for w in alone.core_requirements]) == ("custom", ["mmpose"])
    both = asked("mmpose", gpu="cpu", stack="detection")
    assert both.stack == "detection"
    assert {w.name for w in both.core_requirements} == {"mmengine", "mmcv", "mmdet", "mmpose"}


def test_ordinary_packages_go_to_the_closure_with_all_they_say() -> None:
    one = asked("mmdet", "scipy[dev]>=1.10; python_version < '3.13'", gpu="cpu", constraints=["numpy<2"])
    assert [w.name for w in one.core_requirements] == ["mmdet"]
    (wanted,) = one.plain_requirements
    assert wanted.text.replace(" ", "").startswith("scipy[dev]>=1.10;python_version<")
    assert [c.text for c in one.plain_constraints] == ["numpy<2"]


def test_an_unknown_stack_names_those_there_are() -> None:
    error = fault(UsageError, gpu="cpu", stack="openmmlap")
    assert "`--stack openmmlap`" in error.message
    assert "`openmmlab`" in error.hints[0]


def test_an_unknown_aim_names_those_there_are() -> None:
    error = fault(UsageError, gpu="cpu", prefer=("fastest",))
    assert "`--prefer fastest`" in error.message
    assert "`newest-torch`" in error.hints[0]
    assert asked(gpu="cpu").objectives == DEFAULT_OBJECTIVES
    assert asked(gpu="cpu", prefer=("newest-python",)).objectives[0] is Objective.PYTHON


def test_a_url_for_a_decided_package_is_refused() -> None:
    error = fault(UsageError, "mmcv @ https://example.org/mmcv-2.1.0-cp310-cp310-linux_x86_64.whl", gpu="cpu")
    assert "URL" in error.message
    assert "`mmcv`" in error.message


@pytest.mark.parametrize(
    ("text", "welcome"),
    [
        ("mmdet3d==1.0.0rc6", True),
        ("mmdet3d>=1.0.0rc1", True),
        ("mmdet3d>=1.0,<1.4.0.dev1", True),
        ("mmdet3d>=1.0", False),
        ("mmdet3d==1.*", False),
        ("mmdet3d", False),
    ],
)
def test_words_that_admit_prereleases(text: str, *, welcome: bool) -> None:
    assert asked(text, gpu="cpu").core_requirements[0].prerelease is welcome


# ---------------------------------------------------------------- markers


def names(one: InterpretedRequest) -> set[str]:
    return {w.name for w in one.core_requirements}


def test_markers_are_the_targets_and_never_the_hosts() -> None:
    words = ("mmengine", "mmdet; sys_platform == 'win32'")
    assert names(asked(*words, gpu="cpu")) == {"mmengine"}
    assert names(asked(*words, gpu="cpu", platform="windows")) == {"mmengine", "mmdet"}
    machine = ("mmengine", "mmdet; platform_machine == 'aarch64'")
    assert names(asked(*machine, gpu="cpu")) == {"mmengine"}
    assert names(asked(*machine, gpu="cpu", platform="linux_aarch64")) == {"mmengine", "mmdet"}


def test_markers_of_a_python_count_when_it_is_named() -> None:
    words = ("mmengine", "mmdet; python_version < '3.9'")
    assert names(asked(*words, gpu="cpu", python="3.12")) == {"mmengine"}
    assert names(asked(*words, gpu="cpu", python="3.8")) == {"mmengine", "mmdet"}
    assert names(asked(*words, gpu="cpu")) == {"mmengine", "mmdet"}  # some Python may still be that old


def test_a_constraint_for_elsewhere_bounds_nothing() -> None:
    bounds = ["torch<2; sys_platform == 'win32'"]
    assert names(asked("mmengine", gpu="cpu", constraints=bounds)) == {"mmengine"}
    assert names(asked("mmengine", gpu="cpu", constraints=bounds, platform="windows")) == {
        "mmengine", "torch",
    }  # fmt: skip


@pytest.mark.parametrize("platform", list(Platform))
def test_the_marker_environment_has_every_variable(platform: Platform) -> None:
    from packaging.markers import default_environment

    found = marker_environment(platform, "3.13t")
    assert set(found) >= set(default_environment())
    assert (found["python_version"], found["python_full_version"]) == ("3.13", "3.13.99")
    assert found["platform_machine"] in {"x86_64", "aarch64", "arm64", "AMD64"}


# ---------------------------------------------------------------- platform and devices


def test_what_a_device_implies() -> None:
    assert asked("mmengine", gpu="mps").target.platform is Platform.MACOS_ARM64
    assert asked("mmengine", gpu="gb200").target.platform is Platform.LINUX_AARCH64
    assert asked("mmengine", gpu="orin").target.platform is Platform.LINUX_AARCH64
    assert asked("mmengine", gpu="rtx4090").target.platform is Platform.LINUX_X86_64


def test_a_platform_against_the_device_is_refused() -> None:
    error = fault(UsageError, "mmengine", gpu="mps", platform="linux")
    assert "contradicts the device" in error.message
    error = fault(UsageError, "mmengine", gpu="orin", platform="windows")
    assert "linux_aarch64" in error.causes[0]


def test_glibc_is_asked_on_linux_only() -> None:
    assert asked("mmengine", gpu="cpu").target.glibc == "2.28"
    assert asked("mmengine", gpu="cpu", glibc="2.17").target.glibc == "2.17"
    assert asked("mmengine", gpu="cpu", platform="windows").target.glibc is None


def test_one_lock_for_several_cards_of_a_kind() -> None:
    one = asked("mmengine", gpu=("rtx5090", "a100", "5090"))
    assert [d.arch for d in one.target.devices] in (["sm_120", "sm_80"], ["sm_80", "sm_120"])
    assert one.device_words == ("a100", "5090")  # the shortest word for each
    assert one.target.arch_list == ("sm_120", "sm_80")


SAME_CARDS = [
    ("rtx5090", "a100"),
    ("a100", "rtx5090", "a100"),
    ("RTX 5090,a100", "GeForce RTX 5090", "A100-SXM4-80GB", "auto", "auto"),
    ("auto", "a100", "rtx5090"),
]


def test_order_and_repeats_of_cards_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run_with(monkeypatch, SMI)
    ways = [asked("mmengine", gpu=gpus, driver="575.57.08") for gpus in SAME_CARDS]
    assert {one.target for one in ways} == {ways[0].target}
    assert {device.name for device in ways[0].target.devices} == {"GeForce RTX 5090", "A100"}
    assert {one.arguments.words() for one in (ways[0], ways[1], ways[3])} == {ways[0].arguments.words()}
    assert all(len(one.device_words) == len(one.target.devices) for one in ways)


def test_a_name_that_tells_the_board_is_kept_among_others() -> None:
    for gpus in (("b200", "gb200"), ("gb200", "b200")):
        one = asked("mmengine", gpu=gpus)
        assert one.target.platform is Platform.LINUX_AARCH64
        assert interpret(facts(), one.arguments).target == one.target


def test_cards_of_several_kinds_are_refused() -> None:
    error = fault(UsageError, "mmengine", gpu=("rtx5090", "mi250x"))
    assert "one lock cannot support" in error.message


def test_no_target_is_refused() -> None:
    error = fault(UsageError, "mmengine", gpu=())
    assert "no target" in error.message
    assert "--gpu" in error.hints[0]


def test_an_unknown_name_gets_the_nearest() -> None:
    error = fault(UsageError, "mmengine", gpu="rtx5900")
    assert "rtx5900" in error.message
    assert "5090" in " ".join((*error.causes, *error.hints))


def test_a_device_nothing_public_serves_gets_a_reason() -> None:
    error = fault(NoAnswer, "mmengine", gpu="mlu370")
    assert error.exit_code == 1
    assert "MLU" in error.message.upper()
    assert error.causes


def test_a_device_with_a_plug_in_asks_for_it() -> None:
    npu = asked("mmengine", gpu="ascend")
    assert npu.target.kind is DeviceKind.NPU
    assert {w.name for w in npu.core_requirements} == {"mmengine", "torch-npu"}
    named = asked("mmengine", "torch-npu==2.1.0", gpu="ascend")
    assert [w.text for w in named.core_requirements if w.name == "torch-npu"] == ["torch-npu==2.1.0"]


# ---------------------------------------------------------------- this machine


SMI = "NVIDIA GeForce RTX 5090, 12.0, 575.57.08\nNVIDIA GeForce RTX 5090, 12.0, 575.57.08\n"


def run_with(monkeypatch: pytest.MonkeyPatch, said: str | Exception) -> list[Sequence[str]]:
    calls: list[Sequence[str]] = []

    def run(_self: object, command: Sequence[str]) -> str:
        calls.append(command)
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setattr(nvidia_smi.Runner, "__call__", run)
    return calls


def found_here(**more: Any) -> devices.FoundDevices:
    return find_devices(facts(), SolveArguments(gpus=("auto",), **more).checked())


def test_auto_reads_this_machines_cards_and_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = run_with(monkeypatch, SMI)
    found = found_here()
    assert calls[0][0] == "nvidia-smi"
    assert [d.arch for d in found.devices] == ["sm_120"]
    assert found.driver == "575.57.08"
    assert interpret(facts(), request("mmengine", gpu="auto")).target.driver == "575.57.08"


def test_what_auto_found_is_what_the_lock_says_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    run_with(monkeypatch, "NVIDIA RTX PRO 9999 Turbo, 12.0, 575.57.08\n" + SMI)
    words = interpret(facts(), request("mmengine", gpu="auto")).arguments.words()
    assert words == (
        "--driver=575.57.08",
        "--gpu=NVIDIA GeForce RTX 5090",
        "--gpu=sm_120",
        "mmengine",
    )


def test_a_driver_that_is_told_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    run_with(monkeypatch, SMI)
    one = interpret(facts(), request("mmengine", gpu="auto", driver="580.65.06"))
    assert one.target.driver == "580.65.06"


def test_a_card_of_a_new_name_is_known_by_its_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    run_with(monkeypatch, "NVIDIA RTX PRO 9999 Turbo, 12.0, 575.57.08\n")
    (device,) = found_here().devices
    assert (device.arch, device.name) == ("sm_120", "NVIDIA RTX PRO 9999 Turbo")


def test_a_machine_without_a_card_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    run_with(monkeypatch, FileNotFoundError("nvidia-smi"))
    with pytest.raises(EnvironmentFault) as caught:
        found_here()
    assert "--gpu cpu" in caught.value.hints[0]


def test_two_kinds_of_cards_in_one_machine_make_one_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    run_with(monkeypatch, f"{SMI}NVIDIA A100-SXM4-80GB, 8.0, 575.57.08\n")
    one = solved("mmengine", gpu="auto")
    assert one.asked.target.arch_list == ("sm_120", "sm_80")
    assert {"sm_80", "sm_120"} <= set(one.solution.torch.archs or ())


def test_words_say_the_request_again() -> None:
    one = asked("mmdet", gpu=("rtx5090", "a100"), python="3.12", torch="2.11")
    assert json.dumps(one.arguments.words()) == json.dumps(
        sorted(["mmdet", "--gpu=rtx5090", "--gpu=a100", "--python=3.12", "--torch=2.11.*"])
    )


def test_extras_and_markers_of_a_decided_package_are_core_requirements() -> None:
    (requested,) = asked(
        "mmpretrain[MultiModal,mim]>=1.0; python_version < '3.12'", gpu="cpu"
    ).core_requirements
    assert requested.extras == ("mim", "multimodal")
    assert (requested.specifier, requested.marker) == (">=1.0", 'python_version < "3.12"')


def test_an_extra_that_nobody_recorded_is_refused_not_forgotten() -> None:
    told = fault(UsageError, "MultiScaleDeformableAttention[fast]", gpu="cpu")
    assert "has no metadata of it" in told.causes[0]


def test_a_module_that_is_named_as_a_package_is_told() -> None:
    one = asked("mmseg", "mmdet", "numpy", gpu="cpu")
    (told,) = mistaken(facts(), one.plain_requirements)
    assert told.startswith("`mmseg` is another project: the module `mmseg` comes from `mmsegmentation`")


def test_a_wish_that_no_python_has_is_kept_to_be_told() -> None:
    one = asked("mmengine", "mmdet; sys_platform == 'win32'", gpu="cpu")
    assert one.idle == ('mmdet; sys_platform == "win32"',)
    assert names(one) == {"mmengine"}
