from __future__ import annotations

import pytest
from installer_tags import PYTHONS, taken, thinkable

from mmlock.core.names import Platform
from mmlock.resolve.judge.wheel_tags import misfit

X86, ARM, MAC = Platform.LINUX_X86_64, Platform.LINUX_AARCH64, Platform.MACOS_ARM64
WIN, INTEL = Platform.WINDOWS_X86_64, Platform.MACOS_X86_64

FITS = [
    ("a-1-py3-none-any.whl", "3.12", X86, "2.28"),
    ("a-1-py2.py3-none-any.whl", "3.8", WIN, None),
    ("a-1-py38-none-any.whl", "3.12", X86, "2.28"),
    ("a-1-py312-none-any.whl", "3.12", X86, "2.28"),
    ("a-1-cp312-cp312-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28"),
    ("a-1-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", "3.12", X86, "2.17"),
    ("a-1-cp37-cp37m-manylinux1_x86_64.whl", "3.7", X86, "2.28"),
    ("a-1-cp37-abi3-manylinux2010_x86_64.whl", "3.12", X86, "2.28"),
    ("a-1-cp312-cp312-linux_x86_64.whl", "3.12", X86, None),
    ("a-1-cp312-none-manylinux_2_28_aarch64.whl", "3.12", ARM, "2.28"),
    ("a-1-cp313-cp313t-manylinux_2_28_x86_64.whl", "3.13t", X86, "2.28"),
    ("a-1-cp312-cp312-macosx_11_0_arm64.whl", "3.12", MAC, None),
    ("a-1-cp312-cp312-macosx_10_9_universal2.whl", "3.12", INTEL, None),
    ("a-1-cp312-cp312-win_amd64.whl", "3.12", WIN, None),
    ("mmcv-2.1.0-cp310-cp310-manylinux1_x86_64.whl", "3.10", X86, "2.28"),
    ("torch-2.10.0-3-cp312-cp312-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28"),
]
MISFITS = [
    ("a-1-cp-none-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-bp312-none-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-cp3-none-manylinux_2_28_aarch64.whl", "3.12", ARM, "2.28", "is not for Python 3.12"),
    ("a-1-py2-none-any.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-py-none-any.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-ip312-cp312-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-bp312-cp312-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-cp38-cp38m-manylinux_2_28_x86_64.whl", "3.8", X86, "2.28", "is not for Python 3.8"),
    ("a-1-py313-none-any.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-cp313-abi3-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-cp313-cp313t-manylinux_2_28_x86_64.whl", "3.13", X86, "2.28", "is not for Python 3.13"),
    ("a-1-cp313-cp313-manylinux_2_28_x86_64.whl", "3.13t", X86, "2.28", "is not for Python 3.13t"),
    ("a-1-cp37-abi3-manylinux_2_28_x86_64.whl", "3.13t", X86, "2.28", "is not for Python 3.13t"),
    ("a-1-cp312-cp312m-manylinux_2_28_x86_64.whl", "3.12", X86, "2.28", "is not for Python 3.12"),
    ("a-1-pp310-pypy310_pp73-manylinux_2_28_x86_64.whl", "3.10", X86, "2.28", "is not for Python 3.10"),
    ("a-1-cp312-cp312-manylinux_2_35_x86_64.whl", "3.12", X86, "2.28", "linux_x86_64 with glibc 2.28"),
    ("a-1-cp312-cp312-manylinux_2_28_x86_64.whl", "3.12", X86, None, "is not for linux_x86_64"),
    ("a-1-cp312-cp312-manylinux_2_28_aarch64.whl", "3.12", X86, "2.28", "is not for linux_x86_64"),
    ("a-1-cp312-cp312-manylinux2014_aarch64.whl", "3.12", X86, "2.28", "is not for linux_x86_64"),
    ("a-1-cp312-cp312-musllinux_1_2_x86_64.whl", "3.12", X86, "2.28", "is not for linux_x86_64"),
    ("a-1-cp312-cp312-macosx_11_0_x86_64.whl", "3.12", MAC, None, "is not for macosx_arm64"),
    ("a-1-cp312-cp312-win32.whl", "3.12", WIN, None, "is not for win_amd64"),
    ("a-1.whl", "3.12", X86, "2.28", "is not a wheel file name"),
]


@pytest.mark.parametrize(("file", "python", "platform", "glibc"), FITS)
def test_a_wheel_that_fits(file: str, python: str, platform: Platform, glibc: str | None) -> None:
    assert misfit(file, python, platform, glibc) is None


@pytest.mark.parametrize(("file", "python", "platform", "glibc", "why"), MISFITS)
def test_a_wheel_that_does_not(
    file: str, python: str, platform: Platform, glibc: str | None, why: str
) -> None:
    said = misfit(file, python, platform, glibc)
    assert said is not None
    assert why in said


@pytest.mark.parametrize("python", PYTHONS)
def test_the_tags_that_admit_a_python_are_those_that_an_installer_lists(python: str) -> None:
    pairs = thinkable(python)
    fitting = {pair for pair in pairs if misfit(f"a-1-{'-'.join(pair)}-any.whl", python, X86, "2.28") is None}
    assert fitting == taken(python) & set(pairs)
