from __future__ import annotations

import pytest

from mmlock.core.arguments import SolveArguments, parse_platform
from mmlock.core.artifact import IndexSettings
from mmlock.core.errors import UsageError
from mmlock.core.faults import Fault
from mmlock.core.names import PackageName, Platform
from mmlock.core.requirements import Asked


@pytest.mark.parametrize(
    ("field", "typed", "normal"),
    [
        ("python", "3.12", "3.12"),
        ("python", "cp312", "3.12"),
        ("python", "py3.8", "3.8"),
        ("python", "3.13t", "3.13t"),
        ("torch", "2.9.1", "==2.9.1"),
        ("torch", "2.9", "==2.9.*"),
        ("torch", "2.9.*", "==2.9.*"),
        ("torch", "2.9.1+cu128", "==2.9.1+cu128"),
        ("torch", ">=2.6,<2.9", ">=2.6,<2.9"),
        ("torch", "==2.4.1", "==2.4.1"),
        ("cuda", "12.8", "12.8"),
        ("cuda", "12.8.1", "12.8"),
        ("cuda", "cu128", "12.8"),
        ("cuda", "cu92", "9.2"),
        ("cuda", "CUDA 11.8", "11.8"),
        ("driver", "570.86.10", "570.86.10"),
        ("driver", "535", "535"),
        ("glibc", "2.28", "2.28"),
        ("glibc", "manylinux_2_17", "2.17"),
        ("exclude_newer", "2026-01-31", "2026-01-31"),
        ("exclude_newer", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
    ],
)
def test_kind_spellings_have_one_normal_form(field: str, typed: str, normal: str) -> None:
    checked = SolveArguments(**{field: typed}).checked()  # type: ignore[arg-type]
    assert getattr(checked, field) == normal
    assert checked.checked() == checked


@pytest.mark.parametrize(
    ("field", "typed", "hint"),
    [
        ("python", "2.7", "--python 3.12"),
        ("python", "3", "name the minor version"),
        ("python", "3.12.4", "`--python 3.12`"),
        ("python", "pypy", "--python 3.12"),
        ("torch", "latest", "--torch 2.9.1"),
        ("torch", "", "--torch 2.9.1"),
        ("torch", ">=x", "--torch 2.9.1"),
        ("cuda", "abc", "--cuda 12.8"),
        ("cuda", "12", "--cuda 12.0"),
        ("cuda", "cu11", "--cuda 12.8"),
        ("cuda", "cpu", "--gpu cpu"),
        ("driver", "new", "nvidia-smi"),
        ("driver", "12.8", "nvidia-smi"),
        ("glibc", "28", "ldd --version"),
        ("exclude_newer", "yesterday", "2026-01-31"),
    ],
)
def test_what_is_no_version_is_a_usage_error_with_a_hint(field: str, typed: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        SolveArguments(**{field: typed}).checked()  # type: ignore[arg-type]
    assert caught.value.message.startswith(f"--{field.replace('_', '-')}: `{typed}` ")
    assert hint in caught.value.hints[0]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (SolveArguments(gpus=("cpu",), cuda="12.8"), "`--gpu cpu` contradicts `--cuda 12.8`"),
        (SolveArguments(gpus=("CPU",), driver="570"), "`--gpu cpu` contradicts `--driver 570`"),
        (SolveArguments(gpus=("cpu", "rtx5090")), "`--gpu cpu` contradicts `--gpu rtx5090`"),
        (SolveArguments(gpus=("cpu",), torch="2.9.1+rocm6.4"), "contradicts `--torch ==2.9.1+rocm6.4`"),
        (SolveArguments(torch="2.9.1+cu128", cuda="12.6"), "contradicts `--cuda 12.6`"),
        (SolveArguments(torch="2.9.1+cpu", cuda="12.6"), "contradicts `--cuda 12.6`"),
        (SolveArguments(platform=Platform.WINDOWS_X86_64, glibc="2.28"), "contradicts `--glibc 2.28`"),
        (SolveArguments(gpus=("",)), "--gpu: needs a name"),
        (SolveArguments(lock_formats=("conda",)), "--lock-format: `conda` is not a lock format"),
        (SolveArguments(index=IndexSettings(index_url="pypi")), "--index-url: `pypi` is not the URL"),
        (SolveArguments(index=IndexSettings(extra_index_urls=("x",))), "--extra-index-url: `x` is not"),
    ],
)
def test_contradictions_are_usage_errors(asked: SolveArguments, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked.checked()
    assert says in caught.value.message
    assert caught.value.hints


@pytest.mark.parametrize(
    "asked",
    [
        SolveArguments(),
        SolveArguments(gpus=("cpu",), torch="2.9.1+cpu"),
        SolveArguments(gpus=("cpu",), torch="2.9.1+cu128"),
        SolveArguments(gpus=("auto", "a100")),
        SolveArguments(torch="2.9.1+cu128", cuda="12.8"),
        SolveArguments(platform=Platform.LINUX_AARCH64, glibc="2.28", no_build=True, allow_lite=True),
        SolveArguments(offline=True, index=IndexSettings(index_url="file:///srv/simple")),
    ],
)
def test_what_holds_together_is_accepted(asked: SolveArguments) -> None:
    assert asked.checked().checked() == asked.checked()


def test_all_faults_are_told_together() -> None:
    with pytest.raises(UsageError) as caught:
        SolveArguments(python="2.7", cuda="abc").checked()
    assert [cause.partition(":")[0] for cause in caught.value.causes] == ["--python", "--cuda"]
    assert [hint.partition(":")[0] for hint in caught.value.hints] == ["--python", "--cuda"]


def test_one_gpu_option_may_name_several() -> None:
    assert SolveArguments(gpus=("RTX 5090, a100", "a100")).checked().gpus == ("RTX 5090", "a100")


def test_the_words_say_what_differs_from_the_default_and_nothing_else() -> None:
    assert SolveArguments().words() == ()
    asked = SolveArguments(
        requirements=(Asked(name=PackageName("mmcv"), specifier="==2.1.0"),),
        gpus=("a100",),
        torch="2.0.1",
        no_build=True,
        prefer=("b", "a"),
    )
    assert asked.checked().words() == (
        "--gpu=a100",
        "--no-build",
        "--prefer=1:b",
        "--prefer=2:a",
        "--torch=2.0.1",
        "mmcv==2.1.0",
    )


@pytest.mark.parametrize(
    ("typed", "platform"),
    [
        ("linux_x86_64", Platform.LINUX_X86_64),
        ("Linux", Platform.LINUX_X86_64),
        ("linux-aarch64", Platform.LINUX_AARCH64),
        ("aarch64", Platform.LINUX_AARCH64),
        ("macosx_arm64", Platform.MACOS_ARM64),
        ("Windows", Platform.WINDOWS_X86_64),
    ],
)
def test_platforms_are_matched_kindly(typed: str, platform: Platform) -> None:
    assert parse_platform(typed) is platform


def test_an_unknown_platform_names_those_there_are() -> None:
    found = parse_platform("amiga")
    assert isinstance(found, Fault)
    assert all(platform in (found.hint or "") for platform in Platform)
