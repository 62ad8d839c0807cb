"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmlock.files.atomic import aside, write_aside, write_together


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_a_file_of_a_cache_is_private_and_one_for_the_user_obeys_the_umask(tmp_path: Path) -> None:
    write_aside(tmp_path / "new" / "cache", b"1")
    write_aside(tmp_path / "new" / "lock", b"2", mode=None)
    with aside(tmp_path / "new" / "script", mode=0o755) as place:
        place.write_bytes(b"3")
    assert [mode(tmp_path / "new" / name) for name in ("cache", "lock", "script")] == [0o600, 0o640, 0o755]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["cache", "lock", "script"]


def test_what_fails_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_aside(tmp_path / "a", b"old")
    with pytest.raises(RuntimeError), aside(tmp_path / "a") as place:  # noqa: PT012
        place.write_bytes(b"half")
        raise RuntimeError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_a_link_may_take_the_place(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    with aside(tmp_path / "target") as place:
        place.unlink()
        place.hardlink_to(source)
    assert (tmp_path / "target").samefile(source)


def test_a_name_as_long_as_the_disk_allows_can_be_written(tmp_path: Path) -> None:
    write_aside(tmp_path / ("x" * 255), b"1")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"1"


def test_of_several_files_all_are_written_before_one_is_renamed(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_bytes(b"old")
    missing = tmp_path / "gone" / "c"
    with pytest.raises(OSError, match="gone"):
        write_together({tmp_path / "a": b"new", missing: b"new"})
    assert (tmp_path / "a").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_last_one_is_renamed_last_and_within_the_guard(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    @contextmanager
    def guard() -> Iterator[None]:
        seen.append(sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")))
        yield
        seen.append(sorted(path.name for path in tmp_path.iterdir()))

    (tmp_path / "z").mkdir()  # in the way of the last but one: renaming a file to it fails
    files = {tmp_path / name: b"" for name in ("a", "b", "z")}
    with pytest.raises(OSError, match="z"):
        write_together(files, last=lambda path: path.name == "a", renaming=guard)
    assert seen == [["z"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "z"]
    (tmp_path / "z").rmdir()
    write_together(files, last=lambda path: path.name == "a", renaming=guard)
    assert seen[1:] == [["b"], ["a", "b", "z"]]
