"""Files and folders that cannot be what they are named for: one clear error, exit 2, in a moment."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mmlock.cli.errors import guarded
from mmlock.cli.main import main
from mmlock.cli.terminal import Terminal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other devices")

LONG = "x" * 256


Run = Callable[..., list[str]]


@pytest.fixture
def mmlock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The lines of stderr of a run that ends with 2, with no half-written file left."""
    for name in set(os.environ) - {"PATH"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*words: str, **environ: str) -> list[str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        before = sorted(tmp_path.rglob("*"))
        code = main(list(words))
        out, err = capsys.readouterr()
        assert code == 2, err
        lines = err.splitlines()
        assert sum(line.startswith("error: ") for line in lines) == 1
        assert "internal error" not in err
        assert "Traceback" not in err
        assert out == ""
        home = tmp_path / "home"
        assert [path for path in sorted(tmp_path.rglob("*")) if not path.is_relative_to(home)] == before
        return lines

    return run


@pytest.mark.parametrize("cache", [os.devnull, f"{os.devnull}/below", LONG])
@pytest.mark.parametrize(
    "words",
    [("solve", "--gpu", "rtx5090", "--out", "lock"), ("inspect", "torch==2.1.0"), ("wheelhouse", "list")],
)
def test_a_cache_that_can_be_none(mmlock: Run, words: tuple[str, ...], cache: str) -> None:
    lines = mmlock(*words, MMLOCK_CACHE_DIR=cache)
    assert "cannot be used" in lines[0]
    assert lines[-1].startswith("hint: set MMLOCK_CACHE_DIR")


def test_a_cache_that_everybody_can_write(mmlock: Run, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    lines = mmlock("wheelhouse", "list", MMLOCK_CACHE_DIR=str(tmp_path / "open"))
    assert "everybody can write" in lines[0]


@pytest.mark.parametrize("out", [f"a/{LONG}/b", "\u00fc" * 128, f"{os.devnull}/lock", "file/lock"])
def test_an_out_folder_that_can_be_none_is_told_before_the_solve(
    mmlock: Run, tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    lines = mmlock("solve", "--gpu", "cpu", "--with", "torch", "--offline", "--out", out)
    assert "cannot be a folder" in lines[0]


def test_a_name_that_nobody_checked_is_no_internal_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: Path(LONG).is_file(), Terminal()) == 2
    assert capsys.readouterr().err.splitlines()[1] == "cause: File name too long"


@pytest.mark.parametrize("name", ["/dev/zero", "pipe", "."])
@pytest.mark.parametrize("option", ["-r", "--constraint", "--project"])
def test_a_requirements_file_without_end(mmlock: Run, tmp_path: Path, name: str, option: str) -> None:
    if (option, name) == ("--project", "."):
        pytest.skip("a folder is what it takes")
    os.mkfifo(tmp_path / "pipe")
    lines = mmlock("solve", "--gpu", "cpu", option, name, "--offline")
    assert any(word in lines[0] for word in ("device", "pipe", "folder"))


@pytest.mark.slow
@pytest.mark.parametrize("words", [("doctor",), ("locks", "--file")])
@pytest.mark.parametrize("name", ["/dev/zero", "pipe"])
def test_a_log_or_a_list_of_locks_without_end(
    mmlock: Run, tmp_path: Path, words: tuple[str, ...], name: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    lines = mmlock(*words, name)
    assert any(word in "\n".join(lines) for word in ("device", "pipe"))


@pytest.mark.parametrize("verb", ["build", "validate"])
def test_a_lock_whose_files_are_pipes(mmlock: Run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "lock").mkdir()
    os.mkfifo(tmp_path / "lock" / "pylock.toml")
    assert "pipe" in "\n".join(mmlock(verb, "lock"))
