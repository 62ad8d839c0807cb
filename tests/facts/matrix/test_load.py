from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmlock.core.errors import MatrixError
from mmlock.core.names import Confidence, Sha256
from mmlock.facts.matrix.load import ENVIRONMENT_VARIABLE, Matrix, find_root, matrix_files, open_matrix

CHECKOUT = Path(__file__).parents[3] / "matrices"

GPU = {
    "name": "T4",
    "aliases": ["Tesla T4"],
    "sm": "sm_75",
    "family": "Turing",
    "segment": "datacenter",
    "source": ["nv"],
    "confidence": "documented",
}


def document(schema: str, *rows: dict[str, Any]) -> str:
    return json.dumps({"schema": schema, "sources": {"nv": "a page"}, "rows": rows})


def folder(tmp_path: Path, **files: str) -> Path:
    """A matrix folder with the given files; `gpus_json` is `gpus.json`."""
    files = {"gpus_json": document("gpus", GPU), **files}
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("_json", ".json").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def fault(tmp_path: Path, text: str) -> MatrixError:
    matrix = Matrix(folder(tmp_path, gpus_json=text))
    with pytest.raises(MatrixError) as caught:
        _ = matrix.gpus
    return caught.value


def test_rows_become_values(tmp_path: Path) -> None:
    (gpu,) = Matrix(folder(tmp_path)).gpus
    assert (gpu.name, gpu.aliases, gpu.confidence) == ("T4", ("Tesla T4",), Confidence.DOCUMENTED)


def test_a_section_is_decoded_once(tmp_path: Path) -> None:
    matrix = Matrix(folder(tmp_path))
    first = matrix.gpus
    (tmp_path / "gpus.json").write_text("no longer JSON", encoding="utf-8")
    assert matrix.gpus is first


def test_a_section_that_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    matrix = Matrix(folder(tmp_path, toolkits_json="broken"))
    assert len(matrix.gpus) == 1


def test_a_wrong_type_names_file_row_key_and_field(tmp_path: Path) -> None:
    error = fault(tmp_path, document("gpus", GPU, {**GPU, "name": "T5", "sm": 75}))
    assert "gpus.json" in error.message
    assert error.causes == ("Expected `str`, got `int` - at `$.rows[1].sm` (row `T5`)",)
    assert any("mmlock matrix lint" in hint for hint in error.hints)


def test_a_missing_field_names_the_row(tmp_path: Path) -> None:
    error = fault(tmp_path, document("gpus", {k: v for k, v in GPU.items() if k != "sm"}))
    assert error.causes == ("Object missing required field `sm` - at `$.rows[0]` (row `T4`)",)


def test_an_unknown_word_of_a_closed_vocabulary_is_told(tmp_path: Path) -> None:
    error = fault(tmp_path, document("gpus", {**GPU, "confidence": "sure"}))
    words = "expected one of `measured`, `captured`, `documented`, `inferred`"
    assert error.causes == (f"Invalid enum value 'sure' - at `$.rows[0].confidence` (row `T4`); {words}",)


def test_a_row_that_is_no_table_has_no_key(tmp_path: Path) -> None:
    error = fault(tmp_path, '{"schema": "gpus", "rows": [5]}')
    assert error.causes == ("Expected `object`, got `int` - at `$.rows[0]`",)


def test_broken_json_names_the_line(tmp_path: Path) -> None:
    error = fault(tmp_path, '{"schema": "gpus",\n"rows": [\n]\n,,}')
    assert error.causes[0].endswith("line 4")


def test_text_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    root = folder(tmp_path)
    (root / "gpus.json").write_bytes(b'{"schema":"\xff"}')
    with pytest.raises(MatrixError) as caught:
        _ = Matrix(root).gpus
    assert "byte" in caught.value.causes[0] or "utf-8" in caught.value.causes[0]


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    matrix = Matrix(folder(tmp_path, curated__stacks_toml='schema = "stacks"\nrows = ]\n'))
    with pytest.raises(MatrixError) as caught:
        _ = matrix.stacks
    assert "line" in caught.value.causes[0]
    assert "curated/stacks.toml" in caught.value.message


def test_a_toml_row_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    text = (
        'schema = "defaults"\n[[rows]]\nname = "glibc"\nvalue = 2.28\nsource = []\nconfidence = "inferred"\n'
    )
    with pytest.raises(MatrixError) as caught:
        _ = Matrix(folder(tmp_path, curated__defaults_toml=text)).defaults
    assert caught.value.causes == ("Expected `str`, got `float` - at `$.rows[0].value` (row `glibc`)",)


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    error = fault(tmp_path, document("toolkits"))
    assert "states schema `toolkits`, not `gpus`" in error.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(MatrixError) as caught:
        _ = Matrix(folder(tmp_path)).toolkits
    assert "toolkits.json" in caught.value.message


def test_a_package_without_a_file_has_no_rows(tmp_path: Path) -> None:
    matrix = Matrix(folder(tmp_path))
    assert matrix.binaries("xformers") == ()
    assert matrix.releases("mmdet") == ()
    assert matrix.binary_packages == ()
    assert matrix.sources("binaries", "xformers") == {}


def test_package_names_are_normalized(tmp_path: Path) -> None:
    row = {
        "name": "mmcv_full-1.7.2.tar.gz",
        "url": "https://files.pythonhosted.org/mmcv_full-1.7.2.tar.gz",
        "sha256": "a" * 64,
        "size": 1,
        "requires_python": None,
        "yanked": False,
        "source": ["nv"],
        "confidence": "captured",
    }
    root = folder(tmp_path)
    (root / "files").mkdir()
    (root / "files" / "mmcv-full.json").write_text(document("files", row), encoding="utf-8")
    matrix = Matrix(root)
    assert matrix.files("mmcv_full")[0].sha256 == Sha256("a" * 64)
    assert matrix.files("MMCV-Full") is matrix.files("mmcv_full")
    assert matrix.file_packages == ("mmcv-full",)
    assert matrix.sources("files", "mmcv_full") == {"nv": "a page"}


def test_an_explicit_folder_comes_first(tmp_path: Path) -> None:
    root = folder(tmp_path)
    assert find_root(root, {ENVIRONMENT_VARIABLE: "/nowhere"}) == root


def test_the_environment_comes_second(tmp_path: Path) -> None:
    root = folder(tmp_path)
    assert find_root(None, {ENVIRONMENT_VARIABLE: str(root)}) == root


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_named_folder_that_is_no_matrix_is_an_error(tmp_path: Path, way: str) -> None:
    environ = {ENVIRONMENT_VARIABLE: str(tmp_path)} if way == "environment" else {}
    with pytest.raises(MatrixError) as caught:
        find_root(tmp_path if way == "argument" else None, environ)
    assert str(tmp_path) in caught.value.message
    assert "gpus.json" in caught.value.causes[0]


def test_a_named_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MatrixError) as caught:
        open_matrix(tmp_path / "gone")
    assert caught.value.causes == ("there is no such folder",)


def test_the_shipped_matrix_is_found_without_being_named() -> None:
    assert len(Matrix(find_root(None, {})).gpus) > 100


def test_the_digest_follows_names_and_bytes(tmp_path: Path) -> None:
    root = folder(tmp_path)
    before = Matrix(root).digest
    assert before == Matrix(root).digest
    assert len(before) == 64
    (root / "README.md").write_text("not a fact", encoding="utf-8")
    assert Matrix(root).digest == before
    (root / "toolkits.json").write_bytes((root / "gpus.json").read_bytes())
    added = Matrix(root).digest
    (root / "toolkits.json").rename(root / "capabilities.json")
    assert len({before, added, Matrix(root).digest}) == 3


def test_files_are_listed_in_order(tmp_path: Path) -> None:
    root = folder(tmp_path, curated__stacks_toml="", toolkits_json="")
    (root / ".gpus.json.new").write_text("", encoding="utf-8")
    assert [str(path) for path in matrix_files(root)] == ["curated/stacks.toml", "gpus.json", "toolkits.json"]


@pytest.mark.slow
def test_every_section_of_the_real_matrix_decodes() -> None:
    matrix = open_matrix(CHECKOUT)
    assert len(matrix.torch_builds) > 300
    assert matrix.cpp_extension["2.11.0"].header_std == 17
    assert {"glibc", "platform", "stack", "openmmlab-index"} <= set(matrix.defaults)
    assert "mmdet" in matrix.release_packages
    for package in matrix.release_packages:
        assert matrix.releases(package)
    for package in matrix.binary_packages:
        assert all(row.package == package for row in matrix.binaries(package))
    assert matrix.capabilities
    assert matrix.toolkits
    assert matrix.toolchains
    assert matrix.index_rows
    assert matrix.accelerators
    assert matrix.breaks
    assert matrix.recipes
    assert matrix.stacks
    assert matrix.modules
    assert matrix.requires_packages
    assert matrix.file_packages


@pytest.mark.slow
def test_a_copy_of_the_matrix_has_the_same_digest(tmp_path: Path) -> None:
    copy = shutil.copytree(CHECKOUT, tmp_path / "copy")
    assert Matrix(copy).digest == Matrix(CHECKOUT).digest


@pytest.mark.slow
def test_loading_imports_nothing_heavy() -> None:
    program = (
        "import sys; from mmlock.facts.matrix.load import open_matrix; open_matrix().gpus;"
        "print(*sorted({'httpx', 'networkx', 'rich', 'clingo', 'uv', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
