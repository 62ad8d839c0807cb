from __future__ import annotations

from pathlib import Path

from lint_documents import BREAK, BUILD, CAPABILITY, GPU, RECIPE, document, faults, only

from mmlock.facts.matrix.lint import MatrixFault


def test_a_gpu_has_a_known_capability(tmp_path: Path) -> None:
    problem = only(
        faults(
            tmp_path,
            capabilities_json=document("capabilities", CAPABILITY),
            gpus_json=document("gpus", {**GPU, "sm": "sm_76"}),
        )
    )
    assert (problem.file, problem.row) == ("gpus.json", "0 (T4)")
    assert "`sm_76`" in problem.message


def test_two_devices_do_not_share_a_spelling(tmp_path: Path) -> None:
    rows = [{**GPU, "name": "T4"}, {**GPU, "name": "T5", "aliases": ["t-4"]}]
    problem = only(faults(tmp_path, gpus_json=document("gpus", *rows)))
    assert problem.message == "aliases: `t-4` also names `T4`"


def test_a_verified_recipe_names_a_torch_build_that_exists(tmp_path: Path) -> None:
    problem = only(
        faults(
            tmp_path,
            curated__recipes_toml=RECIPE,
            torch__builds_json=document("torch-builds", {**BUILD, "variant": "cu132", "cuda": "13.2"}),
        )
    )
    assert "there is no torch 2.11.0+cu130 for linux_x86_64" in problem.message


RELEASE = {
    "version": "3.3.0",
    "upload": None,
    "requires_python": None,
    "requires": ["transformers>=4"],
    "mim": [],
    "asserts": [],
    "undeclared": [],
    "missing": [],
    "probes": {},
    "yanked": False,
    "has_wheel": True,
    "source": ["nv"],
    "confidence": "measured",
}
MODULES = """
schema = "modules"
[sources]
nv = "a page"
[[rows]]
module = "mmdet"
packages = ["mmdet"]
with_ops = []
core = true
source = ["nv"]
confidence = "measured"
"""


def test_a_package_of_a_breakage_is_known_somewhere(tmp_path: Path) -> None:
    def broken_by(package: str, where: str) -> list[MatrixFault]:
        return faults(
            tmp_path / where,
            curated__modules_toml=MODULES,
            curated__breaks_toml=BREAK.replace('"torch"', f'"{package}"'),
            openmmlab__releases__mmdet_json=document("releases", RELEASE),
        )

    for package in ("torch", "python", "gpu", "mmdet", "transformers"):
        assert broken_by(package, package) == []
    assert "`mmdte`" in only(broken_by("mmdte", "typo")).message


def test_a_recipe_is_for_a_known_package(tmp_path: Path) -> None:
    problem = only(
        faults(
            tmp_path,
            curated__modules_toml=MODULES,
            curated__recipes_toml=RECIPE,
            openmmlab__releases__mmdet_json=document("releases", RELEASE),
        )
    )
    assert "package: `mmcv` is no package of modules.toml" in problem.message


def test_an_assert_speaks_of_a_known_module(tmp_path: Path) -> None:
    release = {**RELEASE, "asserts": [{"module": "mmvc", "op": ">=", "version": "2.0.0"}]}
    problem = only(
        faults(
            tmp_path,
            curated__modules_toml=MODULES,
            openmmlab__releases__mmdet_json=document("releases", release),
        )
    )
    assert "`mmvc`" in problem.message


def test_the_core_cannot_decide_a_module_without_facts(tmp_path: Path) -> None:
    problem = only(
        faults(
            tmp_path,
            curated__modules_toml=MODULES.replace('"mmdet"', '"mmdat"'),
            openmmlab__releases__mmdet_json=document("releases", RELEASE),
        )
    )
    assert problem.row == "0 (mmdat)"


def test_the_file_of_a_package_holds_that_package(tmp_path: Path) -> None:
    row = {
        "package": "xformers",
        "version": "0.0.35",
        "torch": ">=2.10",
        "cuda": None,
        "same_variant": False,
        "cudart": None,
        "archs": None,
        "ptx": [],
        "cxx11_abi": None,
        "glibc": None,
        "pythons": [],
        "platforms": ["linux_x86_64"],
        "url": None,
        "yanked": False,
        "source": ["nv"],
        "confidence": "measured",
    }
    assert faults(tmp_path / "a", binaries__xformers_json=document("binaries", row)) == []
    problem = only(faults(tmp_path / "b", binaries__spconv_json=document("binaries", row)))
    assert "is of package `xformers`, but the file is of `spconv`" in problem.message
