"""`mmlock inspect` from the command line, with the committed tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_files import Made, container, cubin, elf, fatbin, ptx, wheel

from mmlock.binary.tables import SymbolStore
from mmlock.cli.main import main
from mmlock.core.artifact import Artifact
from mmlock.facts.locate import best_wheel
from mmlock.facts.matrix.load import open_matrix

NAME = "ext-1.0-cp310-cp310-manylinux2014_x86_64.whl"
TENSOR = "_ZNK2at10TensorBase7is_cudaEv"  # only since 1.10
CHECK = "_ZN3c106detail14torchCheckFailEPKcS2_jRKSs"  # only with the old C++ ABI


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMLOCK_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def ext(tmp_path: Path) -> Path:
    made = Made(
        undefined=[CHECK, "memcpy"],
        defined=["PyInit__C"],
        needed=["libc10.so", "libcudart.so.12", "libc.so.6"],
        versions={"libc.so.6": ["GLIBC_2.17"]},
        gpu=fatbin([container(cubin(80), ptx(80, isa="7.8"))]),
    )
    path = tmp_path / NAME
    data = {"ext/_C.cpython-310-x86_64-linux-gnu.so": elf(made)}
    path.write_bytes(wheel(data, requires=["torch==2.1.0"]))
    return path


@pytest.mark.slow
def test_a_wheel_beside_two_torches(ext: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--torch", "2.1.2", "--torch", "2.9.1", "--gpu", "rtx3090", "--gpu", "rtx5090", "--offline"]
    assert main(["inspect", str(ext), *words]) == 0
    text = capsys.readouterr().out
    first, second = text.split("beside torch ")[1:]
    assert first.startswith("2.1.2+cu121: loads")
    assert "fails    it declares `torch==2.1.0`, which torch 2.1.2 is not" in first
    assert second.startswith("2.9.1+cu128: does not load")
    assert "c10::detail::torchCheckFail(char const*, char const*, unsigned int, std::string const&)" in second
    assert "GeForce RTX 3090 (sm_86): native code" in first
    assert "GeForce RTX 5090 (sm_120): no native code, but PTX" in first
    assert "CUDA 11.8" in first


@pytest.mark.slow
def test_the_json_twin_holds_the_same(ext: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(ext), "--torch", "2.9.1", "--format", "json", "--offline"]) == 0
    told = json.loads(capsys.readouterr().out)
    (verdict,) = told["verdicts"]
    assert verdict["loads"] == "fails"
    assert verdict["refused"] is True
    assert verdict["symbols"]["names"] == [CHECK]
    assert told["extensions"][0]["torch_needs"] == [CHECK]


@pytest.mark.slow
def test_without_a_torch_the_declared_one_is_taken(ext: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(ext), "--offline"]) == 0
    assert "beside torch 2.1.0+cu121: loads" in capsys.readouterr().out


@pytest.mark.slow
def test_which_torches_export_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", CHECK, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["demangled"].startswith("c10::detail::torchCheckFail(")
    assert "2.1.2+cu121" in told["exported_by"]
    assert "2.9.1+cu128" not in told["exported_by"]
    assert {"2.1.2+cu121", "2.9.1+cu128"} <= set(told["read"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing"], "no `nothing` here"),
        (["xformers>=1"], "no exact version"),
        (["ftp://x/y.whl"], "only http and https"),
        (["{ext}", "--torch", "banana"], "no torch version"),
        (["{ext}", "--torch", "2.1.2+cu999"], "there is no torch `2.1.2+cu999`"),
        (["{ext}", "--gpu", "rtx5091"], "rtx5091"),
        (["{text}"], "cannot be inspected"),
        (["{empty}"], "has no torch"),
        (["http://127.0.0.1:9/ext-1.0-cp310-cp310-linux_x86_64.whl", "--offline"], "cannot be inspected"),
        (["{ext}", "--torch", "2.1.2+cu118", "--offline"], "are not at hand"),
    ],
)
def test_bad_input_is_one_error_with_what_to_do(
    words: list[str], says: str, ext: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.whl").write_text("hello")
    (tmp_path / "env" / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    places = {"{ext}": str(ext), "{text}": str(tmp_path / "text.whl"), "{empty}": str(tmp_path / "env")}
    code = main(["inspect", *(places.get(word, word) for word in words)])
    err = capsys.readouterr().err
    assert code in {1, 2}
    assert says in err.splitlines()[0]
    assert err.count("error:") == 1
    assert "hint:" in err


def test_the_best_wheel_is_for_linux_and_the_newest_python() -> None:
    names = [
        "a-1-cp39-cp39-manylinux1_x86_64.whl",
        "a-1-cp312-cp312-musllinux_1_1_x86_64.whl",
        "a-1-cp311-cp311-manylinux_2_28_x86_64.whl",
        "a-1-cp311-cp311-manylinux_2_28_aarch64.whl",
        "a-1-cp313-cp313-win_amd64.whl",
        "a-1-cp313-cp313-macosx_11_0_arm64.whl",
        "a-1.tar.gz",
    ]
    files = [Artifact(name=name, url=name, sha256=None) for name in names]
    for python, wanted in ((None, names[2]), ("3.9", names[0]), ("3.8", None)):
        best = best_wheel(files, python)
        assert (best.name if best else None) == wanted


def test_the_committed_tables_agree_with_the_matrix() -> None:
    """Archs and C++ ABI were read from the same wheels by another way."""
    matrix = open_matrix()
    store = SymbolStore(matrix.root)
    rows = {(row.torch, row.variant, row.platform): row for row in matrix.torch_builds}
    assert len(store.builds()) >= 40
    for build in store.builds():
        facts, row = store.facts(build), rows[build.torch, build.variant, build.platform]
        assert facts is not None
        assert facts.cxx11_abi == row.cxx11_abi, build
        if facts.archs and row.archs:
            assert {arch for arch in facts.archs if arch.startswith("sm_")} == set(row.archs), build
        if row.cudart:
            assert row.cudart in facts.needs, build
