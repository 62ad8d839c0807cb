"""The importer's translations of prebuilt extensions and OpenMMLab releases, on excerpts of real facts."""

from __future__ import annotations

from typing import Any

import facts_binaries
import facts_flash_attn
import facts_openmmlab
import pytest

from mmlock.core.names import Confidence, Platform, Sha256
from mmlock.facts.matrix.model import Assert, File, Requires


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


# ---------------------------------------------------------------- binaries

REPORT = """
| file | usable everywhere |
|---|---|
| torchvision 0.28.0 / 0.29.2 | sm_75 80 + compute_120 |
| xformers 0.0.22.post7/.23 _C | sm_50 60 61 + compute_50 compute_80 |
| spconv-cu118 2.3.6, -cu126 2.3.8 | sm_60 70 + compute_90 |
"""


def test_the_arch_table_is_read_with_its_abbreviations() -> None:
    found = facts_binaries.measured_archs(REPORT)
    assert found["spconv-cu118", "2.3.6"] == (("sm_60", "sm_70"), ("compute_90",))
    assert found["spconv-cu126", "2.3.8"] == found["spconv-cu118", "2.3.6"]
    assert found["torchvision", "0.29.2"] == (("sm_75", "sm_80"), ("compute_120",))


NAMING = [
    {"since": "v0.2.1", "form": "flash_attn-{v}+cu{116}torch{1.12}... (no ABI tag before v2.0.6)"},
    {"since": "v2.0.6", "form": "+cu{torch.version.cuda digits}torch{M.m}cxx11abi{..}"},
    {"since": "v2.7.x", "form": "cu11 or cu12 (major only)"},
    {"since": "HEAD after v2.8.3", "form": "cu12 or cu13; linux_aarch64 too"},
]


@pytest.mark.parametrize(
    ("release", "torch", "cuda", "abi", "name"),
    [
        ("1.0.9", "1.12", "11.6", None, "cu116torch1.12"),
        ("2.0.6.post1", "2.0", "11.8", "FALSE", "cu118torch2.0cxx11abiFALSE"),
        ("2.8.3", "2.8", "12.9", "TRUE", "cu12torch2.8cxx11abiTRUE"),
    ],
)
def test_flash_attn_wheels_are_named_by_the_rule_of_their_time(
    release: str, torch: str, cuda: str, abi: str | None, name: str
) -> None:
    assert facts_binaries.release_name(NAMING, release, torch, cuda, abi) == name


def test_flash_attn_workflows_expand_without_their_exclusions() -> None:
    row = {
        "torch": ["2.4.0", "2.6.0.dev20241001"],
        "cuda_built_with": ["11.8.0", "12.3.2"],
        "cxx11abi": ["FALSE"],
        "pythons": ["3.7", "3.9", "3.13"],
        "exclude": [
            {"torch-version": "2.4.0", "python-version": "3.13"},
            {"torch-version": "2.4.0", "cuda-version": "12.3.2"},
            {"torch-version": "2.4.0", "os": "ubuntu-22.04-arm"},
        ],
    }
    assert facts_flash_attn.wheels(row) == {
        ("2.4", "11.8", "FALSE"): ("3.9",),
        ("2.6", "11.8", "FALSE"): ("3.9", "3.13"),
        ("2.6", "12.3", "FALSE"): ("3.9", "3.13"),
    }


def test_flash_attn_archs_are_those_its_nvcc_knows() -> None:
    first = {"sm_80": "11.0", "sm_90": "11.8", "sm_120": "12.8"}
    environment = {"FLASH_ATTN_CUDA_ARCHS": "80;90;120"}
    assert facts_flash_attn.built_archs(environment, "12.4", first) == ("sm_80", "sm_90")
    assert facts_flash_attn.built_archs(environment, "12.9", first) == ("sm_80", "sm_90", "sm_120")
    assert facts_flash_attn.built_archs(None, "12.9", first) is None


def test_an_abi3_xformers_serves_every_python() -> None:
    row = {
        "version": "0.0.33",
        "torch": "==2.9.0",
        "built_with_torch": "2.9.0+cu130",
        "built_with_cuda": "13.0",
        "arch_list": "8.0+PTX 9.0a",
        "pythons": ["cp39"],
        "platforms": ["manylinux_2_28_x86_64"],
        "yanked": False,
        "source": ["elf"],
        "cudart": "libcudart.so.13",
        "glibc_needed": "2.27",
        "cxx11_abi": 1,
        "broken": "needs libcudart.so.13",
    }
    dev = {**row, "version": "0.0.34.dev1095"}
    files = [file("xformers-0.0.33-cp39-abi3-manylinux_2_28_x86_64.whl")]
    (found,) = facts_binaries.xformers({"xformers": [row, dev]}, (), files)
    assert found.pythons == ()
    assert found.glibc == "2.28", "the tag asks for more than the symbols"
    assert (found.archs, found.ptx) == (("sm_80", "sm_90a"), ("compute_80",))
    assert found.note == "needs libcudart.so.13"


def test_torch_npu_pins_differ_by_platform() -> None:
    facts = {
        "torch_npu": [
            {
                "version": "2.6.0",
                "torch": "==2.6.0+cpu",
                "pythons": ["cp310"],
                "platforms": ["manylinux_2_28_aarch64", "manylinux_2_17_x86_64.manylinux2014_x86_64"],
                "source": ["pypi-meta"],
            }
        ]
    }
    said: dict[str, Any] = {"requires_python": None, "source": ("w",), "confidence": Confidence.MEASURED}
    requires = [
        Requires(version="2.6.0", requires=("torch==2.6.0+cpu",), **said),
        Requires(version="2.6.0", requires=("torch==2.6.0",), platform=Platform.LINUX_AARCH64, **said),
    ]
    rows = {row.platforms: row.torch for row in facts_binaries.npu(facts, requires)}
    assert rows == {(Platform.LINUX_AARCH64,): "==2.6.0", (Platform.LINUX_X86_64,): "==2.6.0+cpu"}


def test_a_companion_without_a_pin_gets_the_first_torch_it_was_released_for() -> None:
    facts = {
        "torch_triples": [
            {"torch": "2.12.0", "torchaudio": "2.11.0 (no torch pin, last release)"},
            {"torch": "2.11.0", "torchaudio": "2.11.0"},
        ],
        "pins": [
            {
                "package": "torchaudio",
                "version": "2.11.0",
                "torch": None,
                "pythons": ["cp310"],
                "platforms": ["manylinux_2_28_x86_64"],
                "yanked": False,
                "source": ["pypi-meta"],
            }
        ],
    }
    (row,) = facts_binaries.companions(facts, "torchaudio", {}, (), ())
    assert (row.torch, row.confidence, row.same_variant) == (">=2.11.0", Confidence.INFERRED, True)


# ---------------------------------------------------------------- OpenMMLab


def test_a_refusal_is_turned_into_what_must_hold() -> None:
    check = {"lib": "mmcv", "op": "<", "version": "2.0.0rc0", "refusal_if": True}
    assert facts_openmmlab.asserted(check) == Assert(module="mmcv", op=">=", version="2.0.0rc0")
    plain = {"lib": "mmcv", "op": "<", "version": "2.2.0"}
    assert facts_openmmlab.asserted(plain) == Assert(module="mmcv", op="<", version="2.2.0")


RELEASE = {
    "upload": "2022-09-01",
    "requires_python": None,
    "requires_dist": ["numpy"],
    "extra_mim": [],
    "mminstall_txt": ["mmcv>==2.0.0rc1,<2.1.0", "mmengine>=0.6.0"],
    "runtime_asserts": [],
    "undeclared_imports": {"mmocr.apis": ["cv2", "PIL"], "mmocr.models": ["cv2"]},
    "missing_own_modules": {"mmocr.models": {"mmocr.models.drn": "mmocr/models/__init__.py"}},
    "probes": {"setup_locals_version": True, "numpy_ge_2_removed_name": 4},
    "files": [{"filename": "mmocr-1.0.0rc0.tar.gz", "size": 1, "sha256": "ab"}],
}


def test_a_release_keeps_only_lines_pip_would_take() -> None:
    package = {"versions": {"1.0.0rc0": RELEASE}}
    (row,) = facts_openmmlab.releases(package)
    assert row.mim == ("mmengine>=0.6.0",)
    assert row.undeclared == ("PIL", "cv2")
    assert row.missing == ("mmocr.models.drn",)
    assert row.probes == {"setup_locals_version": 1, "numpy_ge_2_removed_name": 4}
    assert not row.has_wheel
    note = facts_openmmlab.skipped_note(package)
    assert note is not None
    assert "1.0.0rc0: mmcv>==2.0.0rc1,<2.1.0" in note


def test_scan_and_index_must_tell_the_same_hash() -> None:
    package = {"versions": {"1.0.0rc0": RELEASE}}
    same = file("mmocr-1.0.0rc0.tar.gz", sha256=Sha256("ab"), size=1)
    other = file("mmocr-1.0.0rc0.tar.gz", sha256=Sha256("cd"), size=1)
    assert list(facts_openmmlab.disagreements(package, [same])) == []
    assert list(facts_openmmlab.disagreements(package, [other])) == [
        "mmocr-1.0.0rc0.tar.gz: sha256 or size differ"
    ]
    assert list(facts_openmmlab.disagreements(package, [])) == ["mmocr-1.0.0rc0.tar.gz: not on the index"]


def test_a_macos_row_of_the_index_counts_for_both_machines() -> None:
    row = {
        "index_dir": "cpu/torch2.1.0",
        "dist": "mmcv",
        "platform": "mac",
        "versions": ["2.1.0", "2.0.0rc4", "2.0.0"],
        "python_seen": ["cp311"],
        "python_inferred": ["cp37m"],
        "sources": ["docs-2x", "url"],
    }
    rows = {found.platform: found for found in facts_openmmlab.index_rows({"rows": [row]})}
    assert rows[Platform.MACOS_X86_64].confidence is Confidence.CAPTURED
    assert rows[Platform.MACOS_ARM64].confidence is Confidence.INFERRED
    assert rows[Platform.MACOS_ARM64].versions == ("2.0.0rc4", "2.0.0", "2.1.0")
    assert rows[Platform.MACOS_ARM64].pythons_inferred == ("3.7",)


def test_only_urls_with_a_recorded_hash_become_files() -> None:
    facts = {
        "urls": [
            {
                "url": "https://host/cu121/a-1-cp310-cp310-win_amd64.whl",
                "seen_in": ["uv.lock"],
                "sha256": "ab",
            },
            {"url": "https://host/cu121/b.whl", "seen_in": ["y"]},
        ]
    }
    (row,), sources = facts_openmmlab.observed(facts)
    assert row.name == "a-1-cp310-cp310-win_amd64.whl"
    assert sources == {"lock-1": "sha256 recorded by uv.lock"}
