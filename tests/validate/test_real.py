"""The checks on a real environment, named by MMLOCK_TEST_PYTHON: one with torch and mmcv with its ops."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mmlock.validate.model import KernelDevice, Status
from mmlock.validate.runner import KERNELS, RunOptions, TargetInterpreter, run_suites
from mmlock.validate.suites import SUITES

PYTHON = os.environ.get("MMLOCK_TEST_PYTHON")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="MMLOCK_TEST_PYTHON names no environment"),
]
MMCV = [(suite, "mmcv") for suite in SUITES if suite.name == "mmcv"]


def _run(kernels: Path, seed: int) -> dict[str, Status]:
    interpreter = TargetInterpreter(path=str(PYTHON), environ=dict(os.environ))
    (run,) = run_suites(interpreter, MMCV, RunOptions(device=KernelDevice.CPU, kernels=kernels, seed=seed))
    assert run.broken is None
    return {row.name: row.status for row in run.checks}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_cpu_kernel_agrees_with_its_reference(seed: int) -> None:
    found = _run(KERNELS, seed)
    assert {name for name, status in found.items() if status.red} == set()
    assert sum(status is Status.PASSED for status in found.values()) >= 25


def test_a_reference_off_by_a_thousandth_is_red(tmp_path: Path) -> None:
    shutil.copytree(KERNELS, tmp_path / "kernels")
    file = tmp_path / "kernels" / "reference.py"
    text = file.read_text(encoding="utf-8")
    assert text.count("return near * inside") == 1
    file.write_text(text.replace("return near * inside", "return 1.001 * near * inside"), encoding="utf-8")
    found = _run(tmp_path / "kernels", 0)
    assert {name for name, status in found.items() if status.red} == {
        "roi_align", "roi_align_rotated", "bezier_align", "rotated_feature_align",
    }  # fmt: skip
