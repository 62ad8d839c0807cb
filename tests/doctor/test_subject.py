"""What a text is about: by whole names, never by how a name begins."""

from __future__ import annotations

import pytest

from mmlock.doctor.model import Diagnosis
from mmlock.doctor.subject import compiled_file, of_file, of_module, of_package

from .conftest import Ask, matrix

SITE = "/usr/lib/python3.10/site-packages"
TAG = "cpython-310-x86_64-linux-gnu.so"


@pytest.mark.parametrize(
    ("path", "package", "decided"),
    [
        (f"{SITE}/mmcv/_ext.{TAG}", "mmcv", True),
        (f"{SITE}/flash_attn_2_cuda.{TAG}", "flash-attn", True),
        (f"{SITE}/selective_scan_cuda.{TAG}", "mamba-ssm", True),
        (f"{SITE}/torch_sparse/_convert_cuda.so", "torch-sparse", True),
        (f"{SITE}/torch_scatter/_version_cuda.so", "torch-scatter", True),
        (f"{SITE}/mmcv_custom/_ext.{TAG}", None, False),
        (f"{SITE}/spconv_plus/core.{TAG}", None, False),
        (f"{SITE}/flash_attn_3/_C.abi3.so", None, False),
        (f"{SITE}/torch_something/_C.so", None, False),
        (f"/home/u/mmcv/mmcv/_ext.{TAG}", "mmcv", True),
        (f"/BEVDet/mmdet3d/ops/bev_pool_v2/bev_pool_v2_ext.{TAG}", None, False),
        ("C:\\env\\Lib\\site-packages\\torchvision\\_C.pyd", "torchvision", True),
    ],
)
def test_a_compiled_file_belongs_to_the_distribution_of_its_whole_name(
    path: str, package: str | None, decided: object
) -> None:
    subject = of_file(path, matrix())
    assert (subject.package, subject.decided) == (package, decided)


def test_an_egg_names_the_distribution_of_the_file_in_it() -> None:
    name = "MultiScaleDeformableAttention"
    path = f"{SITE}/{name}-1.0-py3.10-linux-x86_64.egg/{name}.{TAG}"
    assert of_file(path, matrix()).package == "multiscaledeformableattention"


def test_a_file_in_a_checkout_is_of_its_own_sources() -> None:
    assert of_file(f"/srv/project/ops/thing_ext.{TAG}", matrix()).own
    assert not compiled_file(f"/srv/project/ops/thing_ext.{TAG}").installed


def test_a_module_nobody_knows_is_nobodys() -> None:
    assert of_module("torch_unheard_of", matrix()) is None


def test_what_is_on_no_index_is_a_project() -> None:
    subject = of_package("detectron2", matrix())
    assert subject.package is None
    assert subject.project == "detectron2"
    assert "git+https" in (subject.build or "")


def words(one: Diagnosis) -> str:
    return "\n".join([one.title, *one.cause, *one.advice, *(solve.packages[0] for solve in one.solves)])


def test_a_build_is_about_the_package_that_failed(ask: Ask) -> None:
    text = """
Collecting mmcv==2.1.0
Successfully installed mmcv-2.1.0
Collecting flash-attn==2.8.2
  Getting requirements to build wheel: finished with status 'error'
      ModuleNotFoundError: No module named 'torch'
  ERROR: Failed building wheel for flash-attn
"""
    cause = ask(text.encode()).cause
    assert cause.subject == "flash-attn"
    assert "mmcv" not in words(cause)


def test_a_command_is_not_about_a_package_that_mmlock_cannot_lock(ask: Ask) -> None:
    file = f"{SITE}/_nvdiffrast_c.{TAG}"
    text = f"ImportError: {file}: undefined symbol: _ZNK2at6Tensor5zero_Ev\nmmcv 2.1.0\n"
    cause = ask(text.encode()).cause
    assert cause.subject == "nvdiffrast"
    assert cause.solves == ()


@pytest.mark.parametrize("torch", ["2.1.0a0+41361538.nv23.06", "2.2.0a0+81ea7a4", "1.8.0a0+56b43f4"])
def test_a_torch_of_a_vendor_is_kept(ask: Ask, torch: str) -> None:
    text = (
        f"ImportError: {SITE}/mmcv/_ext.{TAG}: undefined symbol: _ZNK2at6Tensor5namesEv\nPyTorch: {torch}\n"
    )
    cause = ask(text.encode()).cause
    assert cause.solves == ()
    assert any(f"torch {torch} is its vendor's own build" in one for one in cause.evidence)


def test_a_version_that_nobody_made_is_no_vendors(ask: Ask) -> None:
    error = f"ImportError: {SITE}/mmcv/_ext.{TAG}: undefined symbol: _ZNK2at6Tensor5namesEv"
    text = f"torch 2.1.0+cuda 12.1\n{error}\n"
    assert not any("its vendor's own build" in one for one in ask(text.encode()).cause.evidence)


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ("NVIDIA B200", "b200"),
        ("Orin", "jetsonagxorin"),
        ("AMD Instinct MI210", "gfx90a"),
        ("with CUDA capability sm_120 is", "sm_120"),
        ("-gencode=arch=compute_86,code=sm_86", "sm_86"),
        ("npu:0", "ascendnpu"),
    ],
)
def test_the_device_of_a_text_is_used(ask: Ask, told: str, word: str) -> None:
    text = f"No module named 'mmcv'\n{told}\n"
    assert {solve.gpu for solve in ask(text.encode()).cause.solves} == {word}
