from __future__ import annotations

import json
from typing import Any

import pytest
from solved import facts

from mmlock.core.device import Device
from mmlock.core.errors import UsageError
from mmlock.core.names import DeviceKind, Platform
from mmlock.core.pythons import span
from mmlock.facts.devices.support import torch_support
from mmlock.facts.matrix.load import Matrix
from mmlock.report.gpus import device_page, device_view, devices_page
from mmlock.report.matrix import known_packages, package_page, package_view


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return facts()


def chapter(matrix: Matrix, text: str, name: str) -> list[str]:
    (found,) = [chapter for chapter in package_view(matrix, text).chapters if chapter.name == name]
    return [fact.text for fact in found.facts]


# ---------------------------------------------------------------- packages


def test_a_release_tells_what_it_refuses_and_declares(matrix: Matrix) -> None:
    (release,) = chapter(matrix, "mmdet==3.3.0", "releases")
    assert "only with mmcv >=2.0.0rc4 <2.2.0, mmengine >=0.7.1 <1.0.0" in release
    requirements = chapter(matrix, "mmdet==3.3.0", "requirements")
    assert "declares for mim: mmcv<2.2.0,>=2.0.0rc4, mmengine<1.0.0,>=0.7.1" in requirements
    assert any("sha256 2e23e291" in text for text in chapter(matrix, "mmdet==3.3.0", "files"))


def test_a_package_tells_all_its_releases_newest_first(matrix: Matrix) -> None:
    releases = chapter(matrix, "mmdet", "releases")
    assert len(releases) == len(matrix.releases("mmdet"))
    assert releases[0].startswith("3.3.0")


@pytest.mark.slow
def test_every_fact_of_every_known_package_has_a_source_and_rows(matrix: Matrix) -> None:
    for package in sorted(known_packages(matrix)):
        for found in package_view(matrix, package).chapters:
            for fact in found.facts:
                assert fact.source, (package, fact.text)
                assert all(text for text in fact.source)
                assert fact.rows


def test_the_wheels_of_the_index_tell_what_was_seen(matrix: Matrix) -> None:
    rows = chapter(matrix, "mmcv==2.1.0", "index")
    assert any(
        text.startswith("cu121/torch2.1.0 for linux_x86_64: Python 3.8, 3.10, 3.11 seen") for text in rows
    )


def test_breakages_are_told_for_the_releases_they_break(matrix: Matrix) -> None:
    assert any("ftfy" in text for text in chapter(matrix, "mmsegmentation==1.2.2", "breaks"))
    chapters = {found.name for found in package_view(matrix, "mmsegmentation==1.1.2").chapters}
    assert "breaks" not in chapters


def test_recipes_tell_what_was_verified(matrix: Matrix) -> None:
    texts = chapter(matrix, "mmcv==2.1.0", "recipes")
    (cuda,) = [text for text in texts if text.startswith("mmcv-2.1-torch-1.13-cuda:")]
    assert "tested: 2.1.0 on torch 2.11.0+cu130, Python 3.12" in cuda
    assert any("not tested" in text for text in texts)


def test_torch_tells_one_line_a_build(matrix: Matrix) -> None:
    texts = chapter(matrix, "torch==2.11.0", "builds")
    (default,) = [text for text in texts if text.startswith("cu130 for linux_x86_64, on PyPI")]
    assert "sm_120" in default
    assert "glibc 2.28" in default
    assert "libcudart.so.13" in default


def test_a_line_for_several_builds_is_as_sure_as_the_weakest(matrix: Matrix) -> None:
    (builds,) = [found for found in package_view(matrix, "torch").chapters if found.name == "builds"]
    for fact in builds.facts:
        ranks = ["measured", "captured", "documented", "inferred"]
        assert str(fact.confidence) == max((row["confidence"] for row in fact.rows), key=ranks.index)


def test_rivals_are_named(matrix: Matrix) -> None:
    view = package_view(matrix, "mmcv")
    assert view.modules == ("mmcv",)
    assert set(view.rivals) == {"mmcv-full", "mmcv-lite", "onedl-mmcv"}


def test_the_two_forms_say_the_same(matrix: Matrix) -> None:
    page = package_page(matrix, "xformers==0.0.35")
    data: Any = json.loads(json.dumps(page.data))
    flat = " ".join(page.text.split())
    for found in data["chapters"]:
        assert found["title"] in page.text
        for fact in found["facts"]:
            assert fact["text"] in flat
            assert all(source in flat for source in fact["source"])
    assert data["version"] == "0.0.35"


@pytest.mark.slow
def test_lines_are_not_longer_than_a_terminal(matrix: Matrix) -> None:
    lines = package_page(matrix, "mmcv").text.splitlines()
    assert max(map(len, lines)) <= 110


def test_the_version_is_spelled_as_the_facts_spell_it(matrix: Matrix) -> None:
    assert package_view(matrix, "MMDet == 3.3").version == "3.3.0"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("mmdte", "nothing is known of `mmdte`", "`mmdet`"),
        ("mmseg", "`mmseg` is a module, not a package", "`mmsegmentation`"),
        ("flash_attention", "nothing is known of", "`flash-attn`"),
        ("mmdet==9.9", "nothing is known of `mmdet 9.9`", "3.3.0"),
        ("mmdet>=3", "does not name one version", "PACKAGE==VERSION"),
        ("mmdet==3.*", "does not name one version", "PACKAGE==VERSION"),
        ("mmdet==3.3.0,==3.2.0", "more than a package and a version", "PACKAGE==VERSION"),
        ("mmdet[extra]", "more than a package and a version", "PACKAGE==VERSION"),
        ("a b", "is not a package", "PACKAGE==VERSION"),
    ],
)
def test_what_cannot_be_shown_is_told(matrix: Matrix, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        package_page(matrix, text)
    assert message in caught.value.message
    assert any(hint in line for line in caught.value.hints)


@pytest.mark.parametrize(
    ("pythons", "text"),
    [
        ((), "any"),
        (("3.10",), "3.10"),
        (("3.9", "3.10"), "3.9, 3.10"),
        (("3.10", "3.8", "3.9"), "3.8 to 3.10"),
        (("3.8", "3.10", "3.11"), "3.8, 3.10, 3.11"),
        (("3.10", "3.11", "3.12", "3.13", "3.13t", "3.14t"), "3.10 to 3.13, 3.13t, 3.14t"),
    ],
)
def test_pythons_in_few_words(pythons: tuple[str, ...], text: str) -> None:
    assert span(pythons) == text


# ---------------------------------------------------------------- devices


# First and last torch that PyPI serves with code for a capability, from the arch lists inside its wheels.
@pytest.mark.parametrize(
    ("arch", "first", "last"),
    [
        ("sm_37", "1.6.0", "2.0.1"),
        ("sm_61", "1.6.0", "2.7.1"),
        ("sm_70", "1.6.0", "2.10.0"),
        ("sm_80", "1.13.0", "2.15.0"),
        ("sm_89", "1.13.0", "2.15.0"),
        ("sm_90", "2.1.0", "2.15.0"),
        ("sm_120", "2.8.0", "2.15.0"),
    ],
)
def test_the_torch_of_pypi_that_runs(matrix: Matrix, arch: str, first: str, last: str) -> None:
    support = torch_support(matrix, Device(kind=DeviceKind.CUDA, name=arch, arch=arch))
    assert support.pypi is not None
    assert (support.pypi.first, support.pypi.last, support.pypi.gaps) == (first, last, ())
    assert support.platform is Platform.LINUX_X86_64


def test_other_indexes_reach_further(matrix: Matrix) -> None:
    support = torch_support(matrix, Device(kind=DeviceKind.CUDA, name="5090", arch="sm_120"))
    assert support.any_variant is not None
    assert (support.any_variant.first, support.any_variant.first_variants) == ("2.7.0", ("cu128",))


def test_arm_boards_are_measured_by_the_builds_for_arm(matrix: Matrix) -> None:
    view = device_view(matrix, "Thor")
    assert view.support is not None
    assert view.support.platform is Platform.LINUX_AARCH64
    assert view.support.pypi is not None
    assert view.support.pypi.first == "2.11.0"
    orin = device_view(matrix, "orin")
    assert orin.support is not None
    assert [row.runs for row in orin.support.reports] == ["sm_80"]
    assert orin.support.any_variant is not None
    assert orin.support.any_variant.first_variants == ("cu130",)


def test_amd_parts_are_measured_by_the_rocm_builds(matrix: Matrix) -> None:
    view = device_view(matrix, "mi300x")
    assert view.support is not None
    assert view.support.pypi is None
    assert view.support.any_variant is not None
    assert view.support.any_variant.first_variants == ("rocm6.0",)


def test_a_device_page_tells_names_capability_and_torch(matrix: Matrix) -> None:
    page = device_page(matrix, "rtx5090")
    assert page.text.splitlines()[0] == "GeForce RTX 5090 (sm_120)"
    assert "12.0 (sm_120)" in page.text
    assert "2.8.0 to 2.15.0" in page.text
    data: Any = json.loads(json.dumps(page.data))
    assert data["compute_capability"] == "12.0"
    assert data["torch"]["pypi"]["first"] == "2.8.0"
    assert data["gpu"]["aliases"] == ["5090", "RTX 5090", "RTX5090"]
    assert data["sources"]


@pytest.mark.parametrize("text", ["t20", "cpu", "mlu370", "m3", "gfx1031"])
def test_other_accelerators_tell_what_a_user_gets(matrix: Matrix, text: str) -> None:
    view = device_view(matrix, text)
    page = device_page(matrix, text)
    assert view.accelerator is not None
    assert view.accelerator.note in page.text
    assert ("no lock" in page.text) is (view.accelerator.answer == "reason")


def test_an_unknown_device_names_the_nearest(matrix: Matrix) -> None:
    with pytest.raises(UsageError) as caught:
        device_page(matrix, "rtx5099")
    assert "GeForce RTX 5090" in caught.value.hints[0]
    with pytest.raises(UsageError) as caught:
        device_page(matrix, "rtx 6000")
    assert caught.value.hints[0].startswith("which one is it: ")


def test_the_list_holds_every_device(matrix: Matrix) -> None:
    page = devices_page(matrix)
    flat = " ".join(page.text.split())
    for gpu in matrix.gpus:
        assert gpu.name in flat
    for row in matrix.accelerators:
        assert row.name in flat
    data: Any = json.loads(json.dumps(page.data))
    assert sum(len(row["gpus"]) for row in data["nvidia"]) == len(matrix.gpus)
    assert len(data["others"]) == len(matrix.accelerators)


def test_a_release_tells_what_each_extra_brings(matrix: Matrix) -> None:
    told = chapter(matrix, "mmdet==3.3.0", "requirements")
    assert any(text.startswith("extra `tracking`: mmpretrain, motmetrics") for text in told)
    plain = next(text for text in told if text.startswith("declares: any Python"))
    assert "mmpretrain" not in plain
    assert any(text == "extra `build`: nothing" for text in chapter(matrix, "mmdet3d==1.4.0", "requirements"))
