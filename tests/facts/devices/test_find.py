from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solved import facts

from mmlock.core.device import Device
from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import DeviceKind, Platform
from mmlock.facts.devices.find import (
    DeviceProblem,
    NoDevice,
    accelerator_of,
    find_device,
    gpu_of,
    named_devices,
)
from mmlock.facts.matrix.load import Matrix
from mmlock.report.gpus import device_view
from mmlock.resolve.request.nvidia_smi import InstalledGpu, device_for, installed_gpus, parse_nvidia_smi


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return facts()


@pytest.mark.parametrize(
    ("text", "name", "arch"),
    [
        ("RTX 5090", "GeForce RTX 5090", "sm_120"),
        ("rtx5090", "GeForce RTX 5090", "sm_120"),
        ("5090", "GeForce RTX 5090", "sm_120"),
        ("geforce rtx 5090", "GeForce RTX 5090", "sm_120"),
        ("NVIDIA GeForce RTX 5090", "GeForce RTX 5090", "sm_120"),
        ("rtx-5070ti", "GeForce RTX 5070 Ti", "sm_120"),
        ("4090", "GeForce RTX 4090", "sm_89"),
        ("4090d", "GeForce RTX 4090 D", "sm_89"),
        ("4070 ti super", "GeForce RTX 4070 Ti SUPER", "sm_89"),
        ("NVIDIA GeForce RTX 3080 Laptop GPU", "GeForce RTX 3080", "sm_86"),
        ("a100-80gb", "A100", "sm_80"),
        ("A100-SXM4-80GB", "A100", "sm_80"),
        ("NVIDIA A10", "A10", "sm_86"),
        ("Tesla T4", "T4", "sm_75"),
        ("Tesla V100-SXM2-16GB", "V100", "sm_70"),
        ("Tesla P100-PCIE-16GB", "Tesla P100", "sm_60"),
        ("k80", "Tesla K80", "sm_37"),
        ("NVIDIA H100 80GB HBM3", "H100", "sm_90"),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "H100", "sm_90"),
        ("NVIDIA GH200 480GB", "GH200", "sm_90"),
        ("NVIDIA H200", "H200", "sm_90"),
        ("gb200", "B200", "sm_100"),
        ("NVIDIA Quadro RTX 6000", "Quadro RTX 6000", "sm_75"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada Generation", "sm_89"),
        ("NVIDIA TITAN X (Pascal)", "TITAN X (Pascal)", "sm_61"),
        ("Orin (nvgpu)", "Jetson AGX Orin", "sm_87"),
        ("sm_90", "sm_90", "sm_90"),
        ("sm_90a", "sm_90", "sm_90"),
        ("compute_120", "sm_120", "sm_120"),
        ("9.0", "sm_90", "sm_90"),
        (" 12.0 ", "sm_120", "sm_120"),
        ("mi300x", "AMD gfx942", "gfx942"),
        ("AMD Instinct MI300X", "AMD gfx942", "gfx942"),
        ("gfx90a:sramecc+:xnack-", "AMD gfx90a", "gfx90a"),
        ("7900xtx", "AMD gfx1100", "gfx1100"),
    ],
)
def test_a_name_finds_its_device(matrix: Matrix, text: str, name: str, arch: str) -> None:
    found = find_device(matrix, text)
    assert isinstance(found, Device)
    assert (found.name, found.arch) == (name, arch)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("cpu", DeviceKind.CPU),
        ("t20", DeviceKind.GCU),
        ("Enflame S60", DeviceKind.GCU),
        ("910b", DeviceKind.NPU),
        ("Ascend 910B", DeviceKind.NPU),
        ("mlu370", DeviceKind.MLU),
        ("m3", DeviceKind.MPS),
        ("M3 Max", DeviceKind.MPS),
        ("mps", DeviceKind.MPS),
        ("tpu", DeviceKind.TPU),
        ("MTT S80", DeviceKind.MUSA),
    ],
)
def test_accelerators_of_other_makers_are_found(matrix: Matrix, text: str, kind: DeviceKind) -> None:
    found = find_device(matrix, text)
    assert isinstance(found, Device)
    assert found.kind is kind
    row = accelerator_of(matrix, found)
    assert row is not None
    assert row.kind is kind


@pytest.mark.slow
def test_every_name_and_alias_finds_its_own_row(matrix: Matrix) -> None:
    for gpu in matrix.gpus:
        for text in (gpu.name, *gpu.aliases):
            found = find_device(matrix, text)
            assert isinstance(found, Device), (text, found)
            assert (text, found.name, found.arch) == (text, gpu.name, gpu.sm)
    for row in matrix.accelerators:
        for text in (row.name, *row.aliases):
            found = find_device(matrix, text)
            assert isinstance(found, Device), (text, found)
            assert (text, found.name, found.kind) == (text, row.name, row.kind)


def test_a_name_that_two_generations_share_is_not_guessed(matrix: Matrix) -> None:
    found = find_device(matrix, "rtx 6000")
    assert isinstance(found, NoDevice)
    assert found.nearest == ("Quadro RTX 6000", "RTX 6000 Ada Generation")
    assert found.problem is DeviceProblem.AMBIGUOUS


def test_a_misspelling_is_answered_with_the_nearest_names(matrix: Matrix) -> None:
    found = find_device(matrix, "rtx5099")
    assert isinstance(found, NoDevice)
    assert found.nearest[0] == "GeForce RTX 5090"


@pytest.mark.parametrize("text", ["", "   ", "potato", "---"])
def test_nonsense_has_no_nearest_name(matrix: Matrix, text: str) -> None:
    found = find_device(matrix, text)
    assert isinstance(found, NoDevice)
    assert found.nearest == ()


def test_an_unknown_capability_is_answered_with_its_neighbours(matrix: Matrix) -> None:
    found = find_device(matrix, "sm_91")
    assert isinstance(found, NoDevice)
    assert found.nearest[0] == "sm_90 (9.0)"


def test_tegra_parts_are_marked(matrix: Matrix) -> None:
    for text in ("Jetson AGX Orin", "8.7"):
        found = find_device(matrix, text)
        assert isinstance(found, Device)
        assert found.tegra


def test_rows_of_a_device(matrix: Matrix) -> None:
    t4, bare = find_device(matrix, "t4"), find_device(matrix, "sm_75")
    assert isinstance(t4, Device)
    assert isinstance(bare, Device)
    row = gpu_of(matrix, t4)
    assert row is not None
    assert row.sm == "sm_75"
    assert gpu_of(matrix, bare) is None
    assert accelerator_of(matrix, t4) is None
    cpu = find_device(matrix, "cpu")
    assert isinstance(cpu, Device)
    assert gpu_of(matrix, cpu) is None


def test_named_devices_are_each_named_once(matrix: Matrix) -> None:
    names = [device.name for device in named_devices(matrix)]
    assert len(names) == len(set(names)) == len(matrix.gpus) + len(matrix.accelerators)


@pytest.mark.slow
@given(st.text(max_size=40))
def test_any_text_is_a_device_or_none(text: str) -> None:
    found = find_device(facts(), text)
    assert isinstance(found, Device | NoDevice)


# ---------------------------------------------------------------- nvidia-smi


def test_lines_with_capability() -> None:
    text = "NVIDIA GeForce RTX 4090, 8.9, 550.54.14\nNVIDIA A100-SXM4-80GB, 8.0, 550.54.14\n"
    assert parse_nvidia_smi(text) == (
        InstalledGpu(name="NVIDIA GeForce RTX 4090", capability="8.9", driver="550.54.14"),
        InstalledGpu(name="NVIDIA A100-SXM4-80GB", capability="8.0", driver="550.54.14"),
    )


def test_lines_of_old_drivers_without_capability() -> None:
    assert parse_nvidia_smi("Tesla K80, 418.39\n") == (
        InstalledGpu(name="Tesla K80", capability=None, driver="418.39"),
    )


def test_values_the_driver_does_not_tell_are_none() -> None:
    assert parse_nvidia_smi("Tesla T4, [N/A], [Not Supported]\n\nno comma\n") == (
        InstalledGpu(name="Tesla T4", capability=None, driver=None),
    )


def test_a_name_and_capability_that_agree_give_the_named_device(matrix: Matrix) -> None:
    found = device_for(matrix, InstalledGpu(name="Tesla T4", capability="7.5", driver=None))
    assert isinstance(found, Device)
    assert (found.name, found.arch) == ("T4", "sm_75")


def test_the_capability_decides_for_a_card_that_is_newer_than_the_matrix(matrix: Matrix) -> None:
    found = device_for(matrix, InstalledGpu(name="NVIDIA RTX 9999", capability="12.0", driver=None))
    assert isinstance(found, Device)
    assert (found.name, found.arch) == ("NVIDIA RTX 9999", "sm_120")


def test_without_a_capability_the_name_decides(matrix: Matrix) -> None:
    known = device_for(matrix, InstalledGpu(name="Tesla K80", capability=None, driver=None))
    unknown = device_for(matrix, InstalledGpu(name="NVIDIA RTX 9999", capability=None, driver=None))
    assert isinstance(known, Device)
    assert known.arch == "sm_37"
    assert isinstance(unknown, NoDevice)


def test_a_capability_no_one_knows_is_no_device(matrix: Matrix) -> None:
    found = device_for(matrix, InstalledGpu(name="Tesla T4", capability="99.9", driver=None))
    assert isinstance(found, NoDevice)
    assert "99.9" in found.text


def test_an_old_driver_is_asked_again_without_capability() -> None:
    asked: list[str] = []

    def run(command: Sequence[str]) -> str:
        asked.append(command[1])
        if "compute_cap" in command[1]:
            raise subprocess.CalledProcessError(
                2, command, output='Field "compute_cap" is not a valid field to query.'
            )
        return "Tesla K80, 418.39\n"

    assert [gpu.name for gpu in installed_gpus(run)] == ["Tesla K80"]
    assert len(asked) == 2


def _raising(error: Exception) -> EnvironmentFault:
    def run(_command: Sequence[str]) -> str:
        raise error

    with pytest.raises(EnvironmentFault) as caught:
        installed_gpus(run)
    return caught.value


def test_a_machine_without_nvidia_smi_is_told_what_to_do() -> None:
    fault = _raising(FileNotFoundError("nvidia-smi"))
    assert fault.causes == ("`nvidia-smi` was not found on this machine",)
    assert "--gpu NAME" in fault.hints[0]


def test_a_driver_that_hangs_is_told() -> None:
    fault = _raising(subprocess.TimeoutExpired("nvidia-smi", 15))
    assert fault.causes == ("`nvidia-smi` did not answer within 15 s",)


def test_a_driver_that_fails_is_quoted() -> None:
    said = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    fault = _raising(subprocess.CalledProcessError(9, "nvidia-smi", output=said + "\nmore"))
    assert fault.causes == (f"`nvidia-smi` failed: {said}",)


def test_a_driver_that_may_not_be_run_is_told() -> None:
    assert "failed to start" in _raising(PermissionError("denied")).causes[0]


def test_a_driver_without_gpus_is_told() -> None:
    with pytest.raises(EnvironmentFault) as caught:
        installed_gpus(lambda _command: "\n")
    assert caught.value.causes == ("`nvidia-smi` lists no GPU",)


def test_the_real_runner_reports_a_missing_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentFault) as caught:
        installed_gpus()
    assert "nvidia-smi" in caught.value.causes[0]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("GRID T4-16Q", "T4"),
        ("NVIDIA A40-48Q", "A40"),
        ("GRID V100D-8Q", "V100"),
        ("A100-4-20C", "A100"),
        ("GRID RTX6000-24Q", "Quadro RTX 6000"),
        ("NVIDIA RTXA6000-48Q", "RTX A6000"),
        ("NVIDIA RTX6000-Ada-48Q", "RTX 6000 Ada Generation"),
        ("NVIDIA GeForce RTX 3080 Ti Laptop GPU", "GeForce RTX 3080 Ti"),
        ("Quadro RTX 5000 with Max-Q Design", "Quadro RTX 5000"),
        ("NVIDIA RTX PRO 4000 Blackwell SFF Edition", "RTX PRO 4000 Blackwell"),
        ("Tesla V100S-PCIE-32GB", "V100"),
        ("NVIDIA B300 SXM6 AC", "B300"),
        ("1660 SUPER", "GeForce GTX 1660 SUPER"),
        ("Tesla K40m", "Tesla K40"),
        ("GTX 960M", "GeForce GTX 960M"),
    ],
)
def test_a_virtual_mobile_or_reduced_gpu_leads_to_its_chip(matrix: Matrix, text: str, name: str) -> None:
    found = find_device(matrix, text)
    assert isinstance(found, Device)
    assert found.name == name


@pytest.mark.parametrize("text", ["GRID Z9-16Q", "X100-8Q", "GTX 3000M", "Q", "-8Q", "RTX9000-Ada-48Q"])
def test_a_rule_never_leads_to_a_chip_that_is_not_known(matrix: Matrix, text: str) -> None:
    found = find_device(matrix, text)
    assert isinstance(found, NoDevice)
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("gh200", Platform.LINUX_AARCH64),
        ("gb200", Platform.LINUX_AARCH64),
        ("gb300", Platform.LINUX_AARCH64),
        ("b200", Platform.LINUX_X86_64),
        ("gb10", Platform.LINUX_AARCH64),
    ],
)
def test_a_board_with_a_processor_of_its_own_tells_the_platform(
    matrix: Matrix, text: str, platform: Platform
) -> None:
    view = device_view(matrix, text)
    assert view.support is not None
    assert view.support.platform is platform
