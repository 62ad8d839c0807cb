"""Which file or URL a picked wheel becomes."""

from __future__ import annotations

import pytest
from solved import Solved, facts, solved

from mmlock.core.artifact import Artifact
from mmlock.core.names import Confidence, Form, PackageName, Platform
from mmlock.core.target import Target
from mmlock.facts.matrix.model import IndexRow
from mmlock.resolve.graph.rows import IndexChoice, Option
from mmlock.resolve.plan.files import PYPI, WheelLocation, locate, recorded, sdist

# Seen in public lock files, manifests and captured index pages (`observed_urls` of the OpenMMLab facts).
SEEN = [
    "cu117/torch1.13.0/mmcv_full-1.7.0-cp310-cp310-manylinux1_x86_64.whl",
    "cu117/torch1.13.0/mmcv_full-1.7.0-cp310-cp310-win_amd64.whl",
    "cu121/torch2.4.0/mmcv-2.2.0-cp312-cp312-manylinux1_x86_64.whl",
    "cu118/torch2.0.0/mmcv-2.1.0-cp310-cp310-manylinux1_x86_64.whl",
    "cu111/torch1.9.0/mmcv_full-1.5.2-cp37-cp37m-manylinux1_x86_64.whl",
    "cu102/torch1.10.0/mmcv-2.1.0-cp38-cp38-win_amd64.whl",
    "cu117/torch1.13.0/mmcv-2.0.0rc4-cp310-cp310-manylinux1_x86_64.whl",
    "cpu/torch2.1.0/mmcv-2.1.0-cp311-cp311-macosx_10_9_universal2.whl",
    "cpu/torch1.11.0/mmcv_full-1.5.1-cp310-cp310-manylinux1_x86_64.whl",
]
TAGS = {
    "manylinux1_x86_64": Platform.LINUX_X86_64,
    "win_amd64": Platform.WINDOWS_X86_64,
    "macosx_10_9_universal2": Platform.MACOS_ARM64,
}


def place_of(one: Solved, package: str) -> WheelLocation:
    option = next(o for o in one.solution.packages() if o.package == package)
    return locate(facts(), option, one.solution.torch, one.asked.target, one.solution.python)


@pytest.mark.parametrize("seen", SEEN)
def test_wheels_of_the_openmmlab_index_are_named_as_they_were_seen(seen: str) -> None:
    directory, _, file = seen.rpartition("/")
    stem, text, python, _, tag = file.removesuffix(".whl").split("-", 4)
    platform = TAGS[tag]
    row = IndexRow(
        directory=directory,
        package=PackageName(stem.replace("_", "-")),
        platform=platform,
        versions=(text,),
        pythons_seen=(),
        pythons_inferred=(),
        source=("here",),
        confidence=Confidence.CAPTURED,
    )
    option = Option(
        index=0,
        slot="mmcv",
        label="mmcv",
        package=row.package,
        version=text,
        form=Form.WHEEL,
        choice=IndexChoice(row=row, release=None, inferred_python=False),
        source=(),
        confidence=Confidence.CAPTURED,
    )
    one = solved("mmengine", gpu="cpu")
    target = Target(devices=one.asked.target.devices, platform=platform, glibc="2.28")
    found = locate(facts(), option, one.solution.torch, target, f"3.{python.removeprefix('cp3')}")
    root = "https://download.openmmlab.com/mmcv/dist"
    assert found.url == f"{root}/{seen}"
    assert found.index == f"{root}/{directory}/index.html"
    assert found.ask is False


def test_a_recorded_hash_of_the_openmmlab_index_is_found() -> None:
    one = solved("mmcv==2.2.0", "torch==2.4.*", gpu="a100", python="3.12", cuda="12.1")
    (file,) = place_of(one, "mmcv").files
    assert file.sha256 == "0c5fa8f302f99f6b64f11c767ceb504def84ef44849fc83378a99906463ac68e"
    assert file.url.endswith("/cu121/torch2.4.0/mmcv-2.2.0-cp312-cp312-manylinux1_x86_64.whl")


def test_files_of_pypi_fit_the_target_and_carry_hashes() -> None:
    one = solved(gpu="rtx5090")
    torch = place_of(one, "torch")
    assert (torch.index, torch.ask, torch.url) == (PYPI, False, None)
    assert torch.files
    for file in torch.files:
        assert file.sha256
        assert len(file.sha256) == 64
        assert f"-cp{one.solution.python.replace('.', '')}-" in file.name
        assert file.name.endswith("x86_64.whl")
    (pure,) = place_of(one, "mmdet").files
    assert pure.name.endswith("-py3-none-any.whl")


def test_another_variant_has_the_address_of_its_own_index() -> None:
    one = solved("torch==2.1.2+cu118", "torchvision", gpu="k80", python="3.10")
    torch = place_of(one, "torch")
    assert torch.version == "2.1.2+cu118"
    assert torch.index == "https://download.pytorch.org/whl/cu118"
    url = "https://download.pytorch.org/whl/cu118/torch-2.1.2%2Bcu118-cp310-cp310-linux_x86_64.whl"
    assert (torch.url, torch.ask) == (url, False), "public lock files state its hash"
    assert [file.url for file in torch.files] == [url]
    vision = place_of(one, "torchvision")
    assert (vision.version, vision.index) == ("0.16.2+cu118", torch.index)


def test_a_file_that_nobody_recorded_has_the_address_that_the_index_gives_such_files() -> None:
    one = solved("torch==1.12.1", gpu="cpu", python="3.10")
    torch = place_of(one, "torch")
    url = "https://download.pytorch.org/whl/cpu/torch-1.12.1%2Bcpu-cp310-cp310-linux_x86_64.whl"
    assert (torch.files, torch.url, torch.ask) == ((), url, True)


def test_a_hash_of_another_directory_is_not_taken_for_the_same_name() -> None:
    one = solved("mmcv==2.2.0", "torch==2.3.1+cu121", gpu="t4", python="3.12")
    place = place_of(one, "mmcv")
    assert place.url is not None
    assert "/cu121/torch2.3.0/" in place.url, "the recorded one is of torch2.4.0"
    assert place.files == ()


@pytest.mark.slow
def test_a_flash_attn_wheel_has_the_address_of_its_release() -> None:
    one = solved("flash-attn==2.3.5", "torch==2.0.0+cu118", gpu="a100", python="3.10")
    place = place_of(one, "flash-attn")
    assert place.ask is False
    assert place.url is not None
    assert place.url.startswith("https://github.com/Dao-AILab/flash-attention/releases/download/v2.3.5/")
    name = place.url.rpartition("/")[2]
    assert name == "flash_attn-2.3.5+cu118torch2.0cxx11abiFALSE-cp310-cp310-linux_x86_64.whl"
    assert "{" not in place.url


def test_a_wheel_has_the_version_of_its_file_name_which_installers_compare() -> None:
    place = place_of(solved("natten==0.21.6", gpu="a100", torch="2.10.0", cuda="12.8"), "natten")
    assert place.version == "0.21.6+torch2100cu128"
    assert place.url is not None
    assert place.url.endswith("/v0.21.6/natten-0.21.6+torch2100cu128-cp314-cp314-linux_x86_64.whl")


def test_a_wheel_whose_address_follows_no_rule_is_found_by_its_name_with_its_hash() -> None:
    one = solved("mamba-ssm", gpu="h100", python="3.12", providers=("astral",))
    place = place_of(one, "mamba-ssm")
    assert place.url is not None
    assert place.url.startswith("https://wheels.astral.sh/artifacts/")
    assert [file.url for file in place.files] == [place.url]
    assert place.files[0].sha256 == place.url.split("/")[4]


def test_a_wheel_without_compiled_code_is_no_second_choice_beside_a_compiled_one() -> None:
    place = place_of(solved("torchao==0.18.0", gpu="a100", torch="2.13.0"), "torchao")
    assert [file.name.rpartition("-")[2] for file in place.files] == [
        "manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl"
    ]


def test_an_older_python_has_an_m_in_its_tag() -> None:
    one = solved("torch==1.8.1", gpu="v100", python="3.7", cuda="11.1")
    url = place_of(one, "torch").url
    assert url is None or "-cp37-cp37m-" in url


def test_recorded_files_are_those_of_that_very_version() -> None:
    files = facts().files("torch")
    found = recorded(files, "2.1.2")
    assert found
    assert all(file.name.startswith("torch-2.1.2-") for file in found)
    assert all(isinstance(file, Artifact) for file in found)
    assert recorded(files, "99.0") == ()


def test_sources_are_found_by_version_however_it_is_spelt() -> None:
    found = sdist(facts(), PackageName("mmcv"), "2.1.0")
    assert found is not None
    assert found.name == "mmcv-2.1.0.tar.gz"
    assert found.sha256
    assert sdist(facts(), PackageName("mmcv"), "99.0") is None
    assert sdist(facts(), PackageName("nobody"), "1.0") is None
