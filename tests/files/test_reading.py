"""Files that a user names: read when they are files, refused at once when they are anything else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmlock.files.digest import sha256_of
from mmlock.files.reading import ReadProblem, UnreadableError, read_bounded

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


def problem(path: Path | str, limit: int = 1000) -> ReadProblem:
    with pytest.raises(UnreadableError) as caught:
        read_bounded(path, limit)
    return caught.value.problem


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)
    assert read_bounded(path, 1000) == b"x" * 1000
    assert problem(path, 999) is ReadProblem.TOO_BIG


def test_folders_missing_files_and_impossible_names_are_told_apart(tmp_path: Path) -> None:
    assert problem(tmp_path) is ReadProblem.FOLDER
    assert problem(tmp_path / "no") is ReadProblem.MISSING
    assert problem(tmp_path / "a\0b") is ReadProblem.REFUSED
    assert problem(tmp_path / ("x" * 256)) is ReadProblem.REFUSED


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/random"])
def test_a_device_is_refused(device: str) -> None:
    assert problem(device) is ReadProblem.SPECIAL


def test_the_null_device_is_an_empty_file() -> None:
    assert read_bounded(os.devnull, 0) == b""


@posix
def test_a_pipe_that_nobody_fills_and_a_socket_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert problem(tmp_path / "pipe") is ReadProblem.SPECIAL
    assert problem(tmp_path / "link") is ReadProblem.SPECIAL
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(tmp_path / "s"))
        assert problem(tmp_path / "s") is ReadProblem.SPECIAL


@pytest.mark.slow
@posix
@pytest.mark.parametrize("name", ["/dev/stdin", "/proc/self/fd/0"])
def test_a_pipe_that_the_command_was_given_is_read_and_bounded(name: str) -> None:
    code = f"from mmlock.files.reading import read_bounded; print(read_bounded({name!r}, 10))"
    for text, code_wanted in (("0123456789", 0), ("0123456789a", 1)):
        ran = subprocess.run(
            [sys.executable, "-c", code], input=text, capture_output=True, text=True, check=False
        )
        assert ran.returncode == code_wanted, ran.stderr
        assert ("0123456789" in ran.stdout) == (code_wanted == 0)


def test_the_hash_is_of_all_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"")
    assert sha256_of(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    path.write_bytes(b"abc" * 1_000_000)
    assert sha256_of(path) == "f4096a131e7e6ebfa7a512b5c299e13b065df34d15624ee1202ab394cc4d7e90"
