"""Code that NVIDIA promises for no Tegra part counts only where a fact says that it was seen to run."""

from __future__ import annotations

from pathlib import Path

import pytest
from solved import solved

from mmlock.core.device import Code, Device
from mmlock.core.names import Platform
from mmlock.facts.devices.find import find_device
from mmlock.facts.devices.support import code_in
from mmlock.facts.devices.tegra import tegra_report
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import TorchBuild
from mmlock.lock.model import FindingKind
from mmlock.resolve.plan.findings import findings

MATRIX = Matrix(Path(__file__).parents[3] / "matrices")


def device(name: str) -> Device:
    found = find_device(MATRIX, name)
    assert isinstance(found, Device)
    return found


def build(torch: str, variant: str) -> TorchBuild:
    (row,) = [
        row
        for row in MATRIX.torch_builds
        if (row.torch, row.variant, row.platform) == (torch, variant, Platform.LINUX_AARCH64)
    ]
    return row


@pytest.mark.parametrize(
    ("gpu", "torch", "variant", "code"),
    [
        ("Orin", "2.11.0", "cu130", Code.REPORTED),
        ("Orin Nano", "2.9.1", "cu130", Code.REPORTED),
        ("Orin", "2.11.0", "cu126", Code.NONE),  # sm_80, too, and built with CUDA 12
        ("Thor", "2.11.0", "cu130", Code.NATIVE),  # its own arch
        ("Xavier", "2.11.0", "cu130", Code.NONE),  # nobody reported anything
        ("GH200", "2.11.0", "cu130", Code.NATIVE),
    ],
)
def test_what_a_build_for_arm_has_for_a_board(gpu: str, torch: str, variant: str, code: Code) -> None:
    assert code_in(MATRIX, build(torch, variant), device(gpu)) is code


@pytest.mark.parametrize(
    ("archs", "cuda"), [(None, "13.0"), (("sm_80",), None), (("sm_90",), "13.0"), ((), "13.0")]
)
def test_what_is_not_known_or_not_reported_is_no_report(
    archs: tuple[str, ...] | None, cuda: str | None
) -> None:
    assert tegra_report(MATRIX, device("Orin"), archs, cuda) is None


def test_a_lock_on_reported_code_says_so_and_who_has_a_torch_made_for_the_board() -> None:
    one = solved("torch", gpu="orin")
    assert one.found is not None
    told = findings(MATRIX, one.found, one.asked.target, ())
    (warning,) = [finding for finding in told if finding.kind is FindingKind.UNPROMISED]
    assert "JetPack" in warning.text
    assert "holohub" in " ".join(warning.source)
