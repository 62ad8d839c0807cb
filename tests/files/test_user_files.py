"""Files that a request names, read within bounds."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from mmlock.core.faults import Fault
from mmlock.files import user_files
from mmlock.files.user_files import UserFiles, read_text


def test_a_text_is_read_and_stdin_is_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "r.txt").write_text("six\n")
    assert read_text(str(tmp_path / "r.txt")) == "six\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"attrs\n")))
    assert read_text("-") == "attrs\n"


def test_more_than_a_person_writes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_files, "_LARGEST", 100)
    (tmp_path / "big").write_text("x" * 101)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * 101)))
    for place in (str(tmp_path / "big"), "-"):
        found = read_text(place)
        assert isinstance(found, Fault)
        assert "larger than" in found.text


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_what_a_shell_hands_over_is_read() -> None:
    reading, writing = os.pipe()
    thread = threading.Thread(target=lambda: (os.write(writing, b"six\n"), os.close(writing)))
    thread.start()
    try:
        assert read_text(f"/dev/fd/{reading}") == "six\n"
    finally:
        thread.join()
        os.close(reading)


def test_a_project_is_its_pyproject_where_that_says_something(tmp_path: Path) -> None:
    files = UserFiles()
    file = tmp_path / "pyproject.toml"
    assert files.project(str(tmp_path), parts=False) is None
    assert files.project(str(tmp_path), parts=True) == str(file)
    file.write_text("[tool.ruff]\n")
    assert files.project(str(tmp_path), parts=False) is None
    file.write_text("[project]\nname='p'\n")
    assert files.project(str(tmp_path), parts=False) == str(file)
    assert files.project(str(file), parts=False) == str(file)
    file.write_bytes(b"\xff\xfe")
    assert files.project(str(tmp_path), parts=False) == str(file)  # whoever reads it says what is wrong
    assert not files.is_folder("\0")
