"""Which wheels fit a target, whatever Python runs this."""

from __future__ import annotations

import random

import pytest

from mmlock.core.artifact import Artifact
from mmlock.core.names import Platform
from mmlock.resolve.closure.tags import best_first, split_python, target_tags

LINUX = Platform.LINUX_X86_64


def files(*names: str, yanked: str = "") -> list[Artifact]:
    return [Artifact(name=name, url=f"http://x/{name}", sha256=None, yanked=name == yanked) for name in names]


def fitting(python: str, glibc: str | None, *names: str, platform: Platform = LINUX) -> list[str]:
    shuffled = random.Random(0).sample(names, len(names))  # noqa: S311
    return [file.name for file in best_first(files(*shuffled), target_tags(python, platform, glibc))]


def test_newer_floors_come_before_older_ones_and_too_new_ones_do_not_fit() -> None:
    best = [
        "a-1-cp38-cp38-manylinux_2_27_x86_64.whl",
        "a-1-cp38-cp38-manylinux2014_x86_64.whl",
        "a-1-cp38-cp38-manylinux2010_x86_64.whl",
        "a-1-cp38-cp38-manylinux1_x86_64.whl",
        "a-1-cp38-cp38-linux_x86_64.whl",
        "a-1-cp36-abi3-manylinux1_x86_64.whl",
        "a-1-py3-none-any.whl",
    ]
    wrong = ["a-1-cp38-cp38-manylinux_2_28_x86_64.whl", "a-1-cp39-cp39-manylinux1_x86_64.whl"]
    assert fitting("3.8", "2.27", *best, *wrong, "a-1-cp38-cp38-manylinux2014_aarch64.whl") == best


@pytest.mark.parametrize(("python", "abi"), [("3.6", "cp36m"), ("3.7", "cp37m"), ("3.8", "cp38")])
def test_the_m_of_old_abis(python: str, abi: str) -> None:
    interpreter = abi.removesuffix("m")
    right = f"a-1-{interpreter}-{abi}-manylinux1_x86_64.whl"
    other = f"a-1-{interpreter}-{'cp36' if abi.endswith('m') else 'cp38m'}-manylinux1_x86_64.whl"
    assert fitting(python, "2.17", right, other) == [right]


def test_build_numbers_rank_among_equal_tags() -> None:
    names = [f"torch-2.10.0{build}-cp312-cp312-manylinux_2_28_x86_64.whl" for build in ("", "-3", "-10")]
    assert fitting("3.12", "2.28", *names) == [names[2], names[1], names[0]]


def test_free_threaded_wheels_need_a_free_threaded_python() -> None:
    plain = "a-1-cp313-cp313-manylinux2014_x86_64.whl"
    free = "a-1-cp313-cp313t-manylinux2014_x86_64.whl"
    stable = "a-1-cp39-abi3-manylinux2014_x86_64.whl"
    pure = "a-1-py3-none-any.whl"
    assert fitting("3.13", "2.28", plain, free, stable, pure) == [plain, stable, pure]
    assert fitting("3.13t", "2.28", plain, free, stable, pure) == [free, pure]


def test_abi3_of_a_newer_python_does_not_fit() -> None:
    assert fitting("3.9", "2.28", "a-1-cp310-abi3-manylinux2014_x86_64.whl") == []


def test_other_platforms() -> None:
    win, mac_new = "a-1-cp312-cp312-win_amd64.whl", "a-1-cp312-cp312-macosx_15_0_arm64.whl"
    mac, universal = "a-1-cp312-cp312-macosx_11_0_arm64.whl", "a-1-cp312-cp312-macosx_10_9_universal2.whl"
    every = (win, mac_new, mac, universal)
    assert fitting("3.12", None, *every, platform=Platform.WINDOWS_X86_64) == [win]
    assert fitting("3.12", None, *every, platform=Platform.MACOS_ARM64) == [mac, universal]
    arm = ["a-1-cp312-cp312-manylinux_2_28_aarch64.whl", "a-1-cp312-cp312-manylinux2014_aarch64.whl"]
    old = "a-1-cp312-cp312-manylinux1_aarch64.whl"
    assert fitting("3.12", "2.28", *arm, old, platform=Platform.LINUX_AARCH64) == arm


def test_sdists_only_where_asked_for_and_last() -> None:
    tags = target_tags("3.12", LINUX, "2.28")
    mixed = files("a-1.tar.gz", "a-1-py3-none-any.whl", "a-1.exe")
    assert [file.name for file in best_first(mixed, tags)] == ["a-1-py3-none-any.whl"]
    assert [file.name for file in best_first(mixed, tags, sdists=True)] == [
        "a-1-py3-none-any.whl",
        "a-1.tar.gz",
    ]


def test_yanked_files_come_last() -> None:
    good, bad = "a-1-py3-none-any.whl", "a-1-cp312-cp312-manylinux2014_x86_64.whl"
    found = best_first(files(bad, good, yanked=bad), target_tags("3.12", LINUX, "2.28"))
    assert [file.name for file in found] == [good, bad]


def test_names_that_cannot_be_read_do_not_fit() -> None:
    assert fitting("3.12", "2.28", "a.whl", "a-1-py3.whl", "-.whl") == []


def test_pythons() -> None:
    assert split_python("3.12") == ((3, 12), False)
    assert split_python("3.13t") == ((3, 13), True)
    assert split_python("3.9.18") == ((3, 9), False)
    with pytest.raises(ValueError, match="invalid literal"):
        split_python("three.one")
