"""Tags in the names of wheels, as the words of the facts."""

from __future__ import annotations

import pytest

from mmlock.core.names import Platform
from mmlock.facts.scrape import tags
from mmlock.facts.scrape.binaries import arch_words


@pytest.mark.parametrize(
    ("tag", "python"), [("cp310", "3.10"), ("cp37m", "3.7"), ("cp313t", "3.13t"), ("3.10", "3.10")]
)
def test_a_python_tag_becomes_a_python(tag: str, python: str) -> None:
    assert tags.python_of_tag(tag) == python


def test_pythons_are_in_version_order_and_start_at_3_6() -> None:
    names = ["cp310", "cp27", "cp35", "cp36", "cp313t", "cp313", "cp39"]
    assert tags.pythons_of(names) == ("3.6", "3.9", "3.10", "3.13", "3.13t")


def test_a_py3_wheel_serves_any_python() -> None:
    assert tags.pythons_of(["py3"]) == ()


@pytest.mark.parametrize(
    ("variant", "cuda"),
    [("cu118", "11.8"), ("cu92", "9.2"), ("cu130", "13.0"), ("rocm6.2", None)],
)
def test_a_variant_names_its_cuda(variant: str, cuda: str | None) -> None:
    assert tags.cuda_of_variant(variant) == cuda


def test_an_arch_list_splits_into_cubins_and_ptx() -> None:
    archs, ptx = arch_words("7.5 8.0+PTX 8.0 9.0a 10.3a")
    assert archs == ("sm_75", "sm_80", "sm_90a", "sm_103a")
    assert ptx == ("compute_80",)


@pytest.mark.parametrize(
    ("tag", "platform"),
    [
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", Platform.LINUX_X86_64),
        ("manylinux2014_aarch64", Platform.LINUX_AARCH64),
        ("linux_x86_64", Platform.LINUX_X86_64),
        ("macosx_11_0_arm64", Platform.MACOS_ARM64),
        ("macosx_10_9_x86_64", Platform.MACOS_X86_64),
        ("win_amd64", Platform.WINDOWS_X86_64),
        ("win32", None),
        ("any", None),
        ("manylinux2014_i686", None),
    ],
)
def test_a_wheel_tag_names_its_platform(tag: str, platform: Platform | None) -> None:
    assert tags.platform_of_tag(tag) is platform


@pytest.mark.parametrize(
    ("names", "glibc"),
    [
        (["manylinux_2_28_aarch64", "manylinux_2_27_x86_64"], "2.27"),
        (["manylinux2014_x86_64"], "2.17"),
        (["manylinux1_x86_64"], None),
        (["win_amd64"], None),
    ],
)
def test_glibc_comes_from_the_x86_64_tag_unless_that_tag_lies(names: list[str], glibc: str | None) -> None:
    assert tags.glibc_of_tag(names) == glibc
