"""The checks on ops in plain PyTorch, in an environment named by MMLOCK_TEST_PLAIN_PYTHON."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mmlock.validate.model import KernelDevice, Status
from mmlock.validate.runner import RunOptions, TargetInterpreter, run_suites
from mmlock.validate.suites import SUITES

PYTHON = os.environ.get("MMLOCK_TEST_PLAIN_PYTHON")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="MMLOCK_TEST_PLAIN_PYTHON names no environment"),
]
MMCV = [(suite, "mmcv") for suite in SUITES if suite.name == "mmcv"]
OWN_WAY = {
    # Plain PyTorch in mmcv itself, too.
    "corner_pool", "cc_attention", "point_sample", "wrappers",
}  # fmt: skip
SPOIL = """

def _spoil(function, name):
    import torch

    def bent(value):
        if isinstance(value, torch.Tensor):
            if value.is_floating_point():
                return value * 1.001 + 0.001
            return value.flip(0) + 1
        if isinstance(value, (list, tuple)):
            return type(value)(bent(one) for one in value)
        return value * 1.001 + 1 if isinstance(value, (int, float)) else value

    def op(*args, **kwargs):
        given = [one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)]
        before = [one.clone() for one in given]
        result = function(*args, **kwargs)
        for one, old in zip(given, before):
            if one.shape != old.shape or not torch.equal(one, old):
                one.copy_(bent(one))
        return bent(result)

    return op


for _name in NAMES:
    globals()[_name] = _spoil(globals()[_name], _name)
"""


def _run(environ: dict[str, str], seed: int = 0) -> dict[str, Status]:
    interpreter = TargetInterpreter(path=str(PYTHON), environ={**os.environ, **environ}, isolated=not environ)
    (run,) = run_suites(interpreter, MMCV, RunOptions(device=KernelDevice.CPU, seed=seed))
    assert run.broken is None, run.broken
    return {row.name: row.status for row in run.checks}


def _spoiled(folder: Path, names: str) -> dict[str, str]:
    """A copy of mmcv, some of whose ops are slightly wrong, in front of the environment's own."""
    command = [str(PYTHON), "-I", "-c", "import mmcv; print(mmcv.__file__)"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    shutil.copytree(Path(said.stdout.strip()).parent, folder / "mmcv")
    with (folder / "mmcv/_ext/__init__.py").open("a", encoding="utf-8") as file:
        file.write(SPOIL.replace("NAMES", names))
    return {"PYTHONPATH": str(folder)}


MSDA = """
import importlib.util, pathlib, sys, torch

found = importlib.util.find_spec("mmcv").submodule_search_locations[0]
spec = importlib.util.spec_from_file_location(
    "own_ext", found + "/_ext/__init__.py", submodule_search_locations=[found + "/_ext"])
ext = sys.modules["own_ext"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ext)
TORCH_OPS = True
ms_deform_attn_forward = ext.ms_deform_attn_forward

def ms_deform_attn_backward(value, shapes, first, places, weights, slope, step):
    grads = [torch.zeros_like(one) for one in (value, places, weights)]
    ext.ms_deform_attn_backward(value, shapes, first, places, weights, slope, *grads, step)
    return [grads[0], grads[1], grads[2] * FACTOR]
"""


@pytest.mark.parametrize(("factor", "status"), [("1.0", Status.PASSED), ("1.001", Status.FAILED)])
def test_the_check_of_the_extension_that_projects_build_themselves(
    tmp_path: Path, factor: str, status: Status
) -> None:
    """Its two functions in plain PyTorch, under its own name and with its own way of giving slopes."""
    (tmp_path / "MultiScaleDeformableAttention.py").write_text(
        MSDA.replace("FACTOR", factor), encoding="utf-8"
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    interpreter = TargetInterpreter(path=str(PYTHON), environ=environ, isolated=False)
    suite = next(suite for suite in SUITES if suite.name == "msda")
    (run,) = run_suites(
        interpreter, [(suite, "multiscaledeformableattention")], RunOptions(device=KernelDevice.CPU)
    )
    assert [row.status for row in run.checks] == [status], (run.broken, run.checks)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_op_agrees_with_its_reference(seed: int) -> None:
    found = _run({}, seed)
    assert {name for name, status in found.items() if status is not Status.PASSED} == set()
    assert len(found) >= 60


def test_every_check_is_red_when_its_op_is_off_by_a_thousandth(tmp_path: Path) -> None:
    names = '[n for n in list(globals()) if not n.startswith("_") and callable(globals()[n])]'
    found = _run(_spoiled(tmp_path, names))
    assert {name for name, status in found.items() if not status.red} == OWN_WAY


def test_every_check_with_slopes_is_red_when_they_are_off(tmp_path: Path) -> None:
    found = _run(_spoiled(tmp_path, '[n for n in list(globals()) if "backward" in n]'))
    red = {name for name, status in found.items() if status.red}
    assert red >= {
        "roi_align", "roi_align_rotated", "bezier_align", "rotated_feature_align", "roi_pool",
        "deform_conv2d", "modulated_deform_conv2d",
        "ms_deform_attn", "active_rotated_filter", "psamask", "sigmoid_focal_loss",
        "softmax_focal_loss", "carafe", "three_nn", "gather_points", "dynamic_scatter", "deform_roi_pool",
        "prroi_pool", "riroi_align_rotated", "border_align", "roiaware_pool3d", "assign_score_withk",
        "stacked_clouds", "correlation", "sync_bn", "sparse_conv", "sparse_conv_transpose",
        "sparse_conv_inverse", "sparse_conv_2d", "sparse_max_pool",
    }  # fmt: skip
