"""A torch build may hold code for a GPU that its cuDNN has dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmlock.core.device import Device
from mmlock.core.names import Platform
from mmlock.facts.devices.cudnn import dropping_cudnn
from mmlock.facts.devices.find import find_device
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild

MATRIX = Matrix(Path(__file__).parents[3] / "matrices")


def device(name: str) -> Device:
    found = find_device(MATRIX, name)
    assert isinstance(found, Device)
    return found


def build(torch: str, variant: str) -> TorchBuild:
    (row,) = [
        row
        for row in MATRIX.torch_builds
        if (row.torch, row.variant, row.platform) == (torch, variant, Platform.LINUX_X86_64)
    ]
    return row


@pytest.mark.parametrize(
    ("gpu", "torch", "variant", "dropped"),
    [
        ("K80", "2.3.1", "cu118", False),  # cuDNN 8.7
        ("K80", "2.4.1", "cu118", True),  # cuDNN 9.1
        ("P100", "2.14.1", "cu126", False),  # stays at 9.10
        ("V100", "2.14.1", "cu126", False),
        ("V100", "2.11.0", "cu128", True),  # cuDNN 9.17
        ("T4", "2.11.0", "cu128", False),
        ("RTX 5090", "2.7.1", "cu128", False),  # 9.7 has Blackwell
        ("RTX 5090", "2.6.0", "cu124", True),  # 9.1 ends at Hopper
        ("GB10", "2.11.0", "cu130", False),  # a newer minor of the highest major runs its code
        ("V100", "2.11.0", "cu129", False),  # which cuDNN it brings, nobody has recorded: not refused
    ],
)
def test_a_gpu_outside_of_what_the_cudnn_of_a_build_serves(
    gpu: str, torch: str, variant: str, *, dropped: bool
) -> None:
    assert (dropping_cudnn(MATRIX, build(torch, variant), device(gpu)) is not None) is dropped


def test_no_build_without_a_recorded_cudnn_is_refused_for_it() -> None:
    unknown = [row for row in MATRIX.torch_builds if row.cuda and row.cudnn is None]
    assert unknown
    assert not [row for row in unknown if dropping_cudnn(MATRIX, row, device("K80"))]
