from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock

ALL = ("build.toml", "pylock.toml", "requirements.txt", "why.md")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_gets_all_files_and_nothing_else(unsealed: LockedEnv, tmp_path: Path) -> None:
    folder = tmp_path / "lockfiles" / "openmmlab" / "rtx5090"
    report = write_lock(unsealed, folder)
    assert report.written == ALL
    assert report.unchanged == report.removed == ()
    assert names(folder) == list(ALL)
    assert read_lock(folder) == unsealed


def test_unchanged_files_are_not_touched(unsealed: LockedEnv, tmp_path: Path) -> None:
    write_lock(unsealed, tmp_path)
    before = {name: (tmp_path / name).stat().st_ino for name in ALL}
    report = write_lock(unsealed, tmp_path)
    assert report.unchanged == ALL
    assert report.written == ()
    assert {name: (tmp_path / name).stat().st_ino for name in ALL} == before


def test_only_what_changed_is_written(unsealed: LockedEnv, tmp_path: Path) -> None:
    write_lock(unsealed, tmp_path)
    report = write_lock(replace(unsealed, engine="uv 9"), tmp_path)
    assert report.written == ("pylock.toml", "why.md")


def test_stale_steps_go_when_sealed(unsealed: LockedEnv, sealed: LockedEnv, tmp_path: Path) -> None:
    write_lock(unsealed, tmp_path)
    report = write_lock(sealed, tmp_path)
    assert report.removed == ("build.toml",)
    assert read_lock(tmp_path) == sealed


def test_a_format_that_is_not_wanted_is_not_left_stale(unsealed: LockedEnv, tmp_path: Path) -> None:
    write_lock(unsealed, tmp_path)
    report = write_lock(unsealed, tmp_path, ["pylock"])
    assert report.removed == ("requirements.txt",)
    assert names(tmp_path) == ["build.toml", "pylock.toml", "why.md"]


def test_an_unknown_format_is_told(sealed: LockedEnv, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_lock(sealed, tmp_path, ["poetry"])
    assert "`poetry`" in caught.value.message
    assert names(tmp_path) == []


def test_foreign_files_are_left_alone(sealed: LockedEnv, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "build.toml").write_text("[mine]\n")
    write_lock(sealed, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "build.toml").read_text() == "[mine]\n"


@pytest.mark.parametrize("name", ["requirements.txt", "pylock.toml", "why.md"])
def test_a_foreign_file_in_the_way_is_not_overwritten(sealed: LockedEnv, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("torch\n")
    with pytest.raises(EnvironmentFault) as caught:
        write_lock(sealed, tmp_path)
    assert f"{name}` is in the way" in caught.value.message
    assert caught.value.hints
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == "torch\n"


def test_a_folder_in_the_way_of_a_file(sealed: LockedEnv, tmp_path: Path) -> None:
    (tmp_path / "why.md").mkdir()
    with pytest.raises(EnvironmentFault) as caught:
        write_lock(sealed, tmp_path)
    assert "why.md" in caught.value.causes[0]
    assert names(tmp_path) == ["why.md"]


def test_a_file_in_the_way_of_the_folder(sealed: LockedEnv, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("x")
    with pytest.raises(EnvironmentFault):
        write_lock(sealed, tmp_path / "lock" / "deep")
    assert names(tmp_path) == ["lock"]


def test_a_full_disk_leaves_nothing(
    sealed: LockedEnv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = Path.write_bytes, []

    def full(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) == 2:
            write(path, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(EnvironmentFault) as caught:
        write_lock(sealed, tmp_path / "new" / "lock")
    assert "No space left on device" in caught.value.causes[0]
    assert names(tmp_path) == []


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(sealed: LockedEnv, read_only: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        write_lock(sealed, read_only)
    assert "--out" in caught.value.hints[0]
    assert names(read_only) == []


def test_a_place_where_no_folder_can_be(sealed: LockedEnv) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("needs a file system that takes no folders")
    with pytest.raises(EnvironmentFault) as caught:
        write_lock(sealed, Path("/proc/mmlock/lock"))
    assert "/proc/mmlock" in caught.value.causes[0]
