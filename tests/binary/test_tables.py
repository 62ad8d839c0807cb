"""Tables of torch names: written, read, broken."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from made_files import Made, elf

from mmlock.binary.archive import Archive
from mmlock.binary.reading import Memory, Unreadable
from mmlock.binary.tables import (
    SymbolStore,
    TorchBuildId,
    TorchFacts,
    TorchSymbols,
    read_symbol_file,
    write_symbols,
)
from mmlock.binary.torch_wheel import read_torch
from mmlock.binary.trees import WheelTree
from mmlock.core.errors import MatrixError
from mmlock.core.names import Platform

NAMES = st.frozensets(st.sampled_from([f"_ZN2at{n}" for n in range(40)]))


def table(torch: str, names: frozenset[str], variant: str = "cu121") -> TorchSymbols:
    build = TorchBuildId(torch=torch, variant=variant, platform=Platform.LINUX_X86_64)
    facts = TorchFacts(
        build=build,
        wheel=f"torch-{torch}.whl",
        sha256="0" * 64,
        libraries=("libc10.so",),
        needs=("libc.so.6",),
        unread=(),
        cxx11_abi=0,
        archs=("sm_80",),
        floors={"GLIBC": "2.17"},
    )
    return TorchSymbols(facts=facts, names=names)


@pytest.mark.slow
@examples(25)
@given(sets=st.lists(NAMES, min_size=1, max_size=5))
def test_every_build_gets_its_own_names_back(
    sets: list[frozenset[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    tables = [table(f"2.{at}.0", names) for at, names in enumerate(sets)]
    data = write_symbols(reversed(tables))
    assert data == write_symbols(tables)
    (folder / "symbols").mkdir()
    (folder / "symbols" / "torch.symbols").write_bytes(data)
    store = SymbolStore(folder)
    assert [build.torch for build in store.builds()] == [one.facts.build.torch for one in tables]
    for one in tables:
        assert store.load(one.facts.build) == one
    for name in ("_ZN2at0", "_ZN2at39", "absent"):
        wanted = tuple(one.facts.build for one in tables if name in one.names)
        assert store.exporting(name) == wanted


def test_a_kept_table_is_found_next_time(tmp_path: Path) -> None:
    one = table("2.9.1", frozenset({"_ZN2at1a"}), "cu128")
    store = SymbolStore(tmp_path / "none", tmp_path / "cache")
    assert store.load(one.facts.build) is None
    store.keep(one)
    assert store.load(one.facts.build) == one
    assert SymbolStore(tmp_path / "none", tmp_path / "cache").load(one.facts.build) == one


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda _: b"", "first line"),
        (lambda _: b"{}\n", "first line"),
        (lambda data: data.replace(b"torch-symbols", b"torch-synonyms"), "schema"),
        (lambda data: data.replace(b"linux_x86_64", b"linux_z80"), "first line"),
        (lambda data: data.replace(b"[[1,2]]", b"[[1,3]]"), "holds 2 names"),
        (lambda data: data.replace(b"[[1,2]]", b"[[1,-2]]"), "negative"),
        (lambda data: data[:-20], "cut short"),
        (lambda data: data[: data.index(b"\n") + 1] + b"garbage", "cannot be unpacked"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, damage: Callable[[bytes], bytes], says: str) -> None:
    path = tmp_path / "torch-2.1.symbols"
    one = table("2.1.0", frozenset({"_ZN2at1a", "_ZN2at1b"}))
    path.write_bytes(damage(write_symbols([one])))
    with pytest.raises(MatrixError) as error:
        read_symbol_file(path).names_of(one.facts.build)
    assert str(path) in error.value.message
    assert says in error.value.causes[0]


# ---------------------------------------------------------------- read from a wheel


def torch(*, cuda: bytes | None = None) -> WheelTree:
    def lib(name: str, *defined: str, needed: tuple[str, ...] = ()) -> bytes:
        return elf(Made(defined=[*defined, "own"], needed=[*needed, "libc.so.6"], soname=name))

    files = {
        "torch/_C.cpython-311-x86_64-linux-gnu.so": lib("_C", needed=("libtorch_python.so",)),
        "torch/lib/libtorch_python.so": lib(
            "libtorch_python.so", "THPVariable_Wrap", needed=("libtorch.so", "libc10.so", "libcudart.so.12")
        ),
        "torch/lib/libtorch.so": lib("libtorch.so", needed=("libtorch_cuda.so",)),
        "torch/lib/libtorch_cuda.so": cuda or lib("libtorch_cuda.so", "_ZN2at4cuda1fEv"),
        "torch/lib/libc10.so": lib("libc10.so", "_ZN3c105ErrorD1Ev", "_ZNSt3fooEv"),
        "torch/lib/libtorchbind_test.so": lib("libtorchbind_test.so", "_ZN5torch4testEv"),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return WheelTree(Archive(Memory(buffer.getvalue())))


BUILD = TorchBuildId(torch="2.1.0", variant="cu121", platform=Platform.LINUX_X86_64)


def test_torch_is_read_as_import_loads_it() -> None:
    found = read_torch(torch(), BUILD, wheel="torch.whl", whole=True)
    assert found.names == {"THPVariable_Wrap", "_ZN2at4cuda1fEv", "_ZN3c105ErrorD1Ev"}
    assert "libtorchbind_test.so" not in found.facts.libraries
    assert {"libc10.so", "libtorch_cuda.so"} <= set(found.facts.libraries)
    assert found.facts.needs == ("libc.so.6", "libcudart.so.12")
    assert found.facts.unread == ()


def test_a_large_cuda_library_stays_unread_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmlock.binary.torch_wheel.LARGE", 100)
    found = read_torch(torch(), BUILD, wheel="torch.whl")
    assert found.facts.unread == ("libtorch_cuda.so",)
    assert "_ZN2at4cuda1fEv" not in found.names


def test_what_is_no_torch_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ext/_C.so", b"x")
    with pytest.raises(Unreadable, match="no torch wheel"):
        read_torch(WheelTree(Archive(Memory(buffer.getvalue()))), BUILD, wheel="x.whl")
