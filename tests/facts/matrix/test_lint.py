from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lint_documents import BREAK, BUILD, FILE, GPU, RECIPE, document, faults, only

from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.lint import MatrixFault, lint
from mmlock.facts.matrix.load import open_matrix


@pytest.mark.slow
def test_the_committed_matrix_has_no_fault() -> None:
    assert [str(problem) for problem in lint(open_matrix().root)] == []


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    missing = {problem.file for problem in lint(tmp_path)}
    assert missing == {section.path for section in SECTIONS.values() if not section.per_package}


def test_a_clean_file_has_no_fault(tmp_path: Path) -> None:
    assert faults(tmp_path, gpus_json=document("gpus", GPU)) == []


def test_faults_of_all_files_are_collected(tmp_path: Path) -> None:
    problems = faults(tmp_path, gpus_json="{", toolkits_json="{", curated__stacks_toml="rows = ]")
    assert [problem.file for problem in problems] == ["curated/stacks.toml", "gpus.json", "toolkits.json"]
    assert all(problem.message.startswith("cannot be parsed: ") for problem in problems)


def test_text_that_is_not_utf8_is_a_fault(tmp_path: Path) -> None:
    problem = only(faults(tmp_path, gpus_json=b'{"schema":"\xff"}'))
    assert "cannot be parsed" in problem.message


def test_a_file_no_one_knows_is_a_fault(tmp_path: Path) -> None:
    problem = only(faults(tmp_path, binaries__deep__xformers_json=document("binaries")))
    assert (problem.file, problem.row) == ("binaries/deep/xformers.json", None)


def test_a_wrong_type_names_row_and_key(tmp_path: Path) -> None:
    problem = only(faults(tmp_path, gpus_json=document("gpus", GPU, {**GPU, "name": "T5", "sm": 75})))
    assert problem.row == "1 (T5)"
    assert "$.rows[1].sm" in problem.message
    assert str(problem).startswith("gpus.json: row 1 (T5): ")


def test_a_wrong_schema_name_is_a_fault(tmp_path: Path) -> None:
    assert "schema `toolkits`" in only(faults(tmp_path, gpus_json=document("toolkits"))).message


def test_an_unknown_key_is_a_fault_and_the_like_one_is_named(tmp_path: Path) -> None:
    problem = only(faults(tmp_path, gpus_json=document("gpus", {**GPU, "notes": "x"})))
    assert problem == MatrixFault(
        file="gpus.json", row="0 (T4)", message="unknown key `notes`, did you mean `note`?"
    )


def test_unknown_keys_are_found_in_the_document_and_in_tables_of_rows(tmp_path: Path) -> None:
    text = BREAK.replace('package = "torch",', 'package = "torch", version = ">=1",')
    problem = only(faults(tmp_path, curated__breaks_toml=text))
    assert problem.row == "0 (b)"
    assert problem.message == "unknown key `version`, did you mean `versions`?"
    problem = only(faults(tmp_path / "b", curated__breaks_toml='title = "x"\n' + BREAK))
    assert problem.row is None


def test_rows_out_of_order_and_double_keys_are_faults(tmp_path: Path) -> None:
    rows = [{**GPU, "name": name} for name in ("T4", "T4", "A2")]
    problems = faults(tmp_path, gpus_json=document("gpus", *rows))
    assert [(p.row, p.message.split(":")[0]) for p in problems] == [
        ("1 (T4)", "has the same key as the row before it"),
        ("2 (A2)", "is out of order"),
    ]


def test_versions_are_ordered_as_versions(tmp_path: Path) -> None:
    rows = [{**BUILD, "torch": torch} for torch in ("2.9.0", "2.10.0")]
    assert faults(tmp_path, torch__builds_json=document("torch-builds", *rows)) == []
    rows.reverse()
    problem = only(faults(tmp_path, torch__builds_json=document("torch-builds", *rows)))
    assert problem.row == "1 (2.9.0 cu130 linux_x86_64)"


@pytest.mark.parametrize(
    "respelled",
    [
        lambda text: text.replace("\n", ""),
        lambda text: text.replace('"name":"T4",', "").replace('{"aliases"', '{"name":"T4","aliases"'),
        lambda text: text.replace(":", ": "),
        lambda text: text.rstrip("\n"),
    ],
)
def test_bytes_that_are_not_canonical_are_a_fault(tmp_path: Path, respelled: Any) -> None:
    text = respelled(document("gpus", GPU).decode())
    assert json.loads(text)["rows"] == [GPU]
    assert "canonical form" in only(faults(tmp_path, gpus_json=text)).message


def test_sources_are_defined_used_and_say_something(tmp_path: Path) -> None:
    data = document("gpus", {**GPU, "source": ["nv", "gone"]}, sources={"nv": " ", "spare": "x"})
    assert [problem.message for problem in faults(tmp_path, gpus_json=data)] == [
        "names source `gone`, which the file's `sources` do not define",
        "source `nv` says nothing",
        "defines source `spare`, which no row names",
    ]


def test_a_row_without_a_source_is_a_fault(tmp_path: Path) -> None:
    data = document("gpus", {**GPU, "source": []}, sources={})
    assert only(faults(tmp_path, gpus_json=data)).message == "names no source"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "http://files.pythonhosted.org/x.whl"}, "is no https URL"),
        ({"url": "https:///x.whl"}, "is no https URL"),
        ({"sha256": "A" * 64}, "is no SHA-256"),
        ({"sha256": "a" * 63}, "is no SHA-256"),
        ({"size": 0}, "is no size of a file"),
        ({"requires_python": "3.7+"}, "is no PEP 440 specifier"),
        ({"name": " "}, "name: is empty"),
    ],
)
def test_faults_of_files(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    data = document("files", {**FILE, **change})
    assert message in only(faults(tmp_path, files__mmcv_json=data)).message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"torch": "two"}, "torch: `two` is no PEP 440 version"),
        ({"variant": "gpu130"}, "is no torch variant"),
        ({"cuda": "12.8"}, "is not what variant `cu130` says"),
        ({"archs": ["75"]}, "archs: `75` is no arch"),
        ({"archs": ["sm_x"]}, "archs: `sm_x` is no arch"),
        ({"ptx": ["sm_75"]}, "ptx: `sm_75` is no arch (`compute_90`)"),
        ({"cxx11_abi": 2}, "cxx11_abi: `2` is none of"),
        ({"glibc": "2_28"}, "is no glibc version"),
        ({"pythons": ["cp312"]}, "is no Python version"),
        ({"index": "pypi"}, "is no https URL"),
    ],
)
def test_faults_of_torch_builds(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    data = document("torch-builds", {**BUILD, **change})
    assert message in only(faults(tmp_path, torch__builds_json=data)).message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<2.3", "~2.3", "when.versions: `~2.3` is no PEP 440 specifier"),
        ("numpy<2", "numpy<<2", "constraints: `numpy<<2` is no requirement"),
        ('[{ package = "torch", versions = "<2.3" }]', "[]", "when: is empty"),
        (
            'versions = "<2.3"',
            'form = "egg"',
            "`$.rows[0].when[0].form` (row `b`); expected one of `wheel`, `build`",
        ),
        ('fix = "f"', 'fix = ""', "fix: is empty"),
        ('constraints = ["numpy<2"]', 'drop = ["Chum_py"]', "drop: `Chum_py` is not in normal form"),
    ],
)
def test_faults_of_breakages(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = BREAK.replace(old, new)
    assert text != BREAK
    assert message in only(faults(tmp_path, curated__breaks_toml=text)).message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("std = 17", "std = 18", "std: `18` is none of"),
        ('["cuda"]', "[]", "kinds: are missing"),
        ("file:mmcv", "mmcv", "starts with neither"),
        ("3000", "0", "is no amount of memory"),
        ('version = "2.1.0"\n', 'version = "2.0.0"\n', "verified: `2.0.0` is outside of `versions`"),
        ('python = "3.12"', 'python = "3.13"', "verified: `3.13` is outside of `pythons`"),
        ('torch = "2.11.0"', 'torch = "2.14.0"', "verified: `2.14.0` is outside of `torch`"),
        ('torch = "2.11.0"', 'torch = "new"', "verified: `new` is no PEP 440 version"),
        ('pythons = "<3.13"', 'pythons = "3.12"', "pythons: `3.12` is no PEP 440 specifier"),
    ],
)
def test_faults_of_recipes(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = RECIPE.replace(old, new)
    assert text != RECIPE
    assert message in only(faults(tmp_path, curated__recipes_toml=text)).message


def test_a_toolchain_that_can_be_locked_is_pinned(tmp_path: Path) -> None:
    text = """
schema = "toolchains"
[sources]
nv = "a page"
[[rows]]
name = "pip"
cuda = "13.0"
lockable = true
provider = "pip"
packages = ["nvidia-cuda-nvcc>=13"]
setup = []
source = ["nv"]
confidence = "measured"
"""
    assert "must be pinned" in only(faults(tmp_path, curated__toolchains_toml=text)).message
    text = text.replace('["nvidia-cuda-nvcc>=13"]', "[]")
    assert "packages: are missing" in only(faults(tmp_path, curated__toolchains_toml=text)).message


ACCELERATOR = """
schema = "accelerators"
[sources]
nv = "a page"
[[rows]]
name = "X"
kind = "gcu"
aliases = []
answer = "lock"
mmcv = "none"
note = "none"
build_env = {}
source = ["nv"]
confidence = "inferred"
"""


def test_a_lock_needs_a_torch(tmp_path: Path) -> None:
    assert (
        "torch_variant: is missing" in only(faults(tmp_path, curated__accelerators_toml=ACCELERATOR)).message
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'answer = "lock"',
            'answer = "perhaps"',
            "`$.rows[0].answer` (row `X`); expected one of `lock`, `reason`",
        ),
        (
            'mmcv = "none"',
            'mmcv = "none"\ntorch_variant = "gpu"',
            "`$.rows[0].torch_variant` (row `X`); expected one of `cpu`, `rocm`, `default`",
        ),
    ],
)
def test_a_word_outside_of_a_vocabulary_names_the_row_and_what_is_wanted(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    text = ACCELERATOR.replace(old, new)
    assert text != ACCELERATOR
    assert expected in only(faults(tmp_path, curated__accelerators_toml=text)).message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"on_pypi": False}, "tag: is missing"),
        ({"archs": None}, '`"unread":["archs"]` must say'),
        ({"unread": ["archs"]}, "unread: names archs, but the row has them"),
        ({"archs": []}, "without GPU code runs nowhere"),
        ({"pythons": []}, "pythons: are missing"),
        ({"cudnn": "nine"}, "cudnn: `nine` is no cuDNN version"),
        ({"unread": ["soul"]}, "expected one of `archs`, `cxx11-abi`, `cudart`"),
    ],
)
def test_a_torch_build_tells_what_a_solve_needs_of_it(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    text = document("torch-builds", {**BUILD, **changes})
    assert message in only(faults(tmp_path, torch__builds_json=text)).message


NAME_RULE = r"""
schema = "name-rules"
[sources]
nv = "a page"
[[rows]]
id = "x"
pattern = 'A(\d+)'
chip = '\1'
source = ["nv"]
confidence = "inferred"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("'A(\\d+)'", "'A(\\d+'", "is no rule"),
        (r"'\1'", r"'\2'", "is no rule"),
        ("'A(\\d+)'", "'(.*)'", "matches every name"),
    ],
)
def test_faults_of_rules_for_names(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = NAME_RULE.replace(old, new)
    assert text != NAME_RULE
    assert message in only(faults(tmp_path, curated__device_names_toml=text)).message
