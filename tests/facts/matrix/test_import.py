"""The importer's translations of words, hardware and torch, on excerpts of real facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import facts_hardware
import facts_torch
import facts_words
import import_facts
import matrix_files
import msgspec
import pytest

from mmlock.core.names import Confidence, Platform, Sha256
from mmlock.facts.matrix.model import File, Toolkit


def file(name: str, **changes: Any) -> File:
    values: dict[str, Any] = {
        "name": name,
        "url": f"https://files.pythonhosted.org/packages/{name}",
        "sha256": Sha256("0" * 64),
        "size": 10,
        "requires_python": None,
        "yanked": False,
        "source": ("pypi",),
        "confidence": Confidence.CAPTURED,
    }
    return File(**{**values, **changes})


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("tag", "python"), [("cp310", "3.10"), ("cp37m", "3.7"), ("cp313t", "3.13t"), ("3.10", "3.10")]
)
def test_a_python_tag_becomes_a_python(tag: str, python: str) -> None:
    assert facts_words.python_of_tag(tag) == python


def test_pythons_are_in_version_order_and_start_at_3_6() -> None:
    tags = ["cp310", "cp27", "cp35", "cp36", "cp313t", "cp313", "cp39"]
    assert facts_words.pythons_of(tags) == ("3.6", "3.9", "3.10", "3.13", "3.13t")


def test_a_py3_wheel_serves_any_python() -> None:
    assert facts_words.pythons_of(["py3"]) == ()


@pytest.mark.parametrize(
    ("variant", "cuda"),
    [("cu118", "11.8"), ("cu92", "9.2"), ("cu130", "13.0"), ("rocm6.2", None)],
)
def test_a_variant_names_its_cuda(variant: str, cuda: str | None) -> None:
    assert facts_words.cuda_of_variant(variant) == cuda


def test_an_arch_list_splits_into_cubins_and_ptx() -> None:
    archs, ptx = facts_words.arch_words("7.5 8.0+PTX 8.0 9.0a 10.3a")
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
    assert facts_words.platform_of_tag(tag) is platform


@pytest.mark.parametrize(
    ("tags", "glibc"),
    [
        (["manylinux_2_28_aarch64", "manylinux_2_27_x86_64"], "2.27"),
        (["manylinux2014_x86_64"], "2.17"),
        (["manylinux1_x86_64"], None),
        (["win_amd64"], None),
    ],
)
def test_glibc_comes_from_the_x86_64_tag_unless_that_tag_lies(tags: list[str], glibc: str | None) -> None:
    assert facts_words.glibc_of_tag(tags) == glibc


@pytest.mark.parametrize(
    ("release", "text", "inside"),
    [
        ("2.10.0", "2.1-2.10", True),
        ("2.11.0", "2.1-2.10", False),
        ("1.13.1", "1.13", True),
        ("2.9.1", "2.9+", True),
        ("2.10.0", "<=2.10", True),
        ("2.10.0", ">=2.11", False),
    ],
)
def test_ranges_compare_minors_as_versions(release: str, text: str, *, inside: bool) -> None:
    assert facts_words.in_range(release, text) is inside


def test_a_source_does_not_tell_where_a_copy_was_kept() -> None:
    text = "pytorch.org page, stored copy in x/y (1.7 to 2.12)"
    assert facts_words.clean_source(text) == "pytorch.org page, read in x/y (1.7 to 2.12)"
    assert facts_words.clean_source("ROCm documentation (stored copies)") == "ROCm documentation"


# ---------------------------------------------------------------- hardware and torch


def test_same_as_is_followed_to_its_end() -> None:
    table: dict[str, dict[str, Any]] = {
        "1.7.0": {"archs": ["8.0"]},
        "1.8.0": {"archs": "same as 1.7.0"},
        "1.9.0": {"archs": "same as 1.8.0"},
    }
    assert facts_hardware.resolve(table, table["1.9.0"], "archs") == ["8.0"]


def test_a_tegra_capability_keeps_the_remark_on_its_first_cuda() -> None:
    facts = {
        "sources": {"ptxas": "p"},
        "compute_capability": [
            {
                "cc": "11.0",
                "family": "Blackwell (Thor)",
                "first_cuda": "13.0 (sm_101 in 12.8/12.9)",
                "last_cuda": None,
                "machine": "aarch64",
                "note": "Jetson",
                "source": ["ptxas", "torch_builds.json"],
            }
        ],
    }
    (row,) = facts_hardware.capabilities(facts, {"toolkits": [{"cuda": "11.7", "archs": ["sm_90"]}]})
    assert (row.sm, row.first_cuda, row.tegra) == ("sm_110", "13.0", True)
    assert row.note == "sm_101 in 12.8/12.9; Jetson"
    assert row.source == ("ptxas",)


LINKAGE = {
    "cudart_linkage": [
        {"torch": "1.5-1.10", "libcudart": "bundled, renamed libcudart-80664282.so.10.2"},
        {"torch": "1.11-1.13", "libcudart": "static in libc10_cuda/libtorch_cuda"},
        {"torch": "2.0", "libcudart": "libcudart.so.11.0 (nvidia-cuda-runtime-cu11 wheel)"},
        {"torch": "2.1-2.10", "libcudart": "libcudart.so.12"},
    ]
}


@pytest.mark.parametrize(
    ("torch", "cuda", "soname"),
    [
        ("1.13.1", "11.7", None),
        ("1.10.0", "11.3", None),
        ("2.0.1", "11.8", "libcudart.so.11.0"),
        ("2.6.0", "11.8", "libcudart.so.11.0"),
        ("2.10.0", "12.8", "libcudart.so.12"),
        ("2.10.0", None, None),
    ],
)
def test_libcudart_is_shared_from_torch_2_0_on(torch: str, cuda: str | None, soname: str | None) -> None:
    assert facts_torch.cudart(LINKAGE, torch, cuda) == soname


VARIANT = {
    "torch": "2.6.0",
    "variant": "cu124",
    "machine": "x86_64",
    "pypi_default": True,
    "index": "https://download.pytorch.org/whl/cu124",
    "archs": ["sm_90", "sm_50"],
    "ptx": [],
    "arch_confidence": "wheel",
    "cxx11_abi": 0,
    "manylinux": "linux_x86_64 (on PyPI renamed manylinux1)",
    "glibc_min": "2.17",
    "pythons": ["cp39", "cp310"],
    "note": None,
    "source": ["wheel"],
}


def test_the_pypi_default_is_served_by_pypi_and_measured() -> None:
    wheel = {"glibc_needed": "2.16", "cudart_soname_needed": "libcudart.so.12"}
    row = facts_torch.variant_row(LINKAGE, VARIANT, wheel)
    assert (row.index, row.on_pypi, row.cuda) == ("https://pypi.org/simple", True, "12.4")
    assert (row.archs, row.glibc, row.cudart) == (("sm_50", "sm_90"), "2.17", "libcudart.so.12")
    assert row.confidence is Confidence.MEASURED


@pytest.mark.parametrize(
    ("how", "source", "confidence"),
    [
        ("script", ["ci"], Confidence.CAPTURED),
        ("indicative", ["ci"], Confidence.INFERRED),
        ("script, exact release not verified", ["ci"], Confidence.INFERRED),
        ("n/a", ["prev"], Confidence.DOCUMENTED),
        ("n/a", ["rfc"], Confidence.INFERRED),
    ],
)
def test_confidence_follows_how_the_archs_are_known(
    how: str, source: list[str], confidence: Confidence
) -> None:
    row = {**VARIANT, "pypi_default": False, "arch_confidence": how, "source": source}
    assert facts_torch.variant_row(LINKAGE, row, None).confidence is confidence


def test_wheels_with_a_build_number_join_their_release() -> None:
    wheels = [
        {"machine": "aarch64", "torch": "2.0.0", "pythons": ["cp38"]},
        {"machine": "aarch64", "torch": "2.0.0", "pythons": ["cp311"]},
    ]
    assert facts_torch.merge(wheels)["aarch64", "2.0.0"]["pythons"] == ["cp38", "cp311"]


def test_the_file_list_tells_macos_and_windows_builds() -> None:
    names = [
        "torch-2.9.0-cp313-cp313t-win_amd64.whl",
        "torch-2.9.0-cp312-cp312-win_amd64.whl",
        "torch-1.7.0-cp38-none-macosx_10_9_x86_64.whl",
        "torch-1.7.0-cp38-cp38m-win_amd64.whl",
        "torch-2.9.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    ]
    rows = {(row.torch, row.platform): row for row in facts_torch.file_rows([file(name) for name in names])}
    assert rows["2.9.0", Platform.WINDOWS_X86_64].pythons == ("3.12", "3.13t")
    assert rows["1.7.0", Platform.MACOS_X86_64].pythons == ("3.8",)
    assert len(rows) == 2, "no row for Linux, none for the ABI tag that does not exist"


# ---------------------------------------------------------------- canonical files


def toolkit(cuda: str, note: str | None = None) -> Toolkit:
    return Toolkit(
        cuda=cuda,
        first_sm="sm_50",
        last_sm="sm_90",
        archs=None,
        ptx_isa="8.0",
        gcc_max=12,
        clang_max_excl=None,
        driver=None,
        driver_floor="525.60.13",
        source=("nv",),
        confidence=Confidence.DOCUMENTED,
        note=note,
    )


def test_rows_are_sorted_one_per_line_without_defaults_and_unused_sources() -> None:
    data = matrix_files.encode(
        "toolkits", [toolkit("12.10"), toolkit("12.9", "é")], {"nv": "NVIDIA", "unused": "x"}
    )
    head, first, second, tail = data.decode().splitlines()
    assert head == '{"schema":"toolkits","sources":{"nv":"NVIDIA"},"rows":['
    assert json.loads(first.rstrip(","))["cuda"] == "12.9"
    assert '"note":"é"' in first
    assert "note" not in json.loads(second)
    assert tail == "]}"
    assert matrix_files.decode("toolkits", data).rows == (toolkit("12.9", "é"), toolkit("12.10"))


def test_a_source_that_is_not_defined_is_refused() -> None:
    with pytest.raises(KeyError, match="nv"):
        matrix_files.encode("toolkits", [toolkit("12.9")], {})


def test_decoding_is_strict() -> None:
    data = matrix_files.encode("toolkits", [toolkit("12.9")], {"nv": "NVIDIA"})
    with pytest.raises(msgspec.ValidationError, match="gcc_max"):
        matrix_files.decode("toolkits", data.replace(b'"gcc_max":12', b'"gcc_max":"12"'))


def test_a_file_is_replaced_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "files" / "x.json"
    assert matrix_files.replace(path, b"1")
    assert not matrix_files.replace(path, b"1")
    assert [entry.name for entry in path.parent.iterdir()] == ["x.json"]


def test_a_difference_counts_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert import_facts.difference(path, b"a\n") == "missing"
    path.write_bytes(b"a\nb\n")
    assert import_facts.difference(path, b"a\nb\n") is None
    assert import_facts.difference(path, b"a\nc\nd\n") == "1 lines not in the facts, 2 lines missing"


def test_a_folder_without_facts_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        import_facts.main([str(tmp_path)])
    assert "has no `pytorch` folder" in capsys.readouterr().err
