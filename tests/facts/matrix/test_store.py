"""Who may write the matrix, and that nobody ever sees half of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.core.names import Confidence
from mmlock.facts.matrix import store
from mmlock.facts.matrix.model import Toolkit

HOLD = """
import sys
from pathlib import Path
from mmlock.facts.matrix.store import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_two_processes_do_not_write_at_once(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdin
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(EnvironmentFault, match="another refresh is writing") as caught,
            store.only_writer(tmp_path),
        ):
            pass
        assert f"process {other.pid} " in caught.value.causes[0]
        other.stdin.close()
    with store.only_writer(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_died_leaves_nothing_locked(tmp_path: Path) -> None:
    (tmp_path / store.LOCK_NAME).write_text("1\n")
    with store.only_writer(tmp_path):
        assert (tmp_path / store.LOCK_NAME).is_file()
    assert not (tmp_path / store.LOCK_NAME).exists()


def test_only_files_that_differ_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"1")
    assert store.write_all(tmp_path, {"a.json": b"1", "deep/b.json": b"2"}) == ("deep/b.json",)
    assert (tmp_path / "deep" / "b.json").read_bytes() == b"2"
    assert {path.name for path in tmp_path.rglob("*")} == {"a.json", "deep", "b.json"}


def test_when_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"old")
    (tmp_path / "z").write_bytes(b"a file where a folder must be")
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        store.write_all(tmp_path, {"a.json": b"new", "z/b.json": b"2"})
    assert (tmp_path / "a.json").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "z"}


@pytest.mark.skipif(os.name == "nt", reason="signals are sent as on POSIX")
def test_ctrl_c_among_the_renames_waits_until_all_files_are_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Path.replace

    def interrupted(aside: Path, path: Path) -> Path:
        os.kill(os.getpid(), signal.SIGINT)
        return plain(aside, path)

    monkeypatch.setattr(Path, "replace", interrupted)
    # A run that a shell put into the background was started with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            store.write_all(tmp_path, {"a.json": b"1", "b.json": b"2"})
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.json": b"1", "b.json": b"2"}


def test_a_folder_that_is_not_there_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught, store.only_writer(tmp_path / "none"):
        pass
    assert caught.value.hints


# ---------------------------------------------------------------- bytes


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
    data = store.encode("toolkits", [toolkit("12.10"), toolkit("12.9", "é")], {"nv": "NVIDIA", "unused": "x"})
    head, first, second, tail = data.decode().splitlines()
    assert head == '{"schema":"toolkits","sources":{"nv":"NVIDIA"},"rows":['
    assert json.loads(first.rstrip(","))["cuda"] == "12.9"
    assert '"note":"é"' in first
    assert "note" not in json.loads(second)
    assert tail == "]}"
    assert store.decode("toolkits", data).rows == (toolkit("12.9", "é"), toolkit("12.10"))


def test_a_source_that_is_not_defined_is_refused() -> None:
    with pytest.raises(KeyError, match="nv"):
        store.encode("toolkits", [toolkit("12.9")], {})


def test_decoding_is_strict() -> None:
    data = store.encode("toolkits", [toolkit("12.9")], {"nv": "NVIDIA"})
    with pytest.raises(msgspec.ValidationError, match="gcc_max"):
        store.decode("toolkits", data.replace(b'"gcc_max":12', b'"gcc_max":"12"'))


def test_a_file_is_replaced_only_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "files" / "x.json"
    assert store.replace(path, b"1")
    assert not store.replace(path, b"1")
    assert [entry.name for entry in path.parent.iterdir()] == ["x.json"]
