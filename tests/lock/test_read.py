from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.lock.write import write_lock


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        read_lock(tmp_path / "none")
    assert caught.value.causes == ("there is no such folder",)


@pytest.mark.parametrize("name", ["pylock.toml", "build.toml"])
def test_a_missing_half(unsealed: LockedEnv, tmp_path: Path, name: str) -> None:
    write_lock(unsealed, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(EnvironmentFault) as caught:
        read_lock(tmp_path)
    assert caught.value.causes == (f"`{name}` is missing",)


def test_halves_of_two_solves(unsealed: LockedEnv, tmp_path: Path) -> None:
    write_lock(unsealed, tmp_path)
    source = replace(unsealed.build[0].source, name="mmcv-2.2.0.tar.gz")
    other = replace(unsealed, build=(replace(unsealed.build[0], version="2.2.0", source=source),))
    write_lock(other, tmp_path / "other")
    (tmp_path / "other" / "build.toml").replace(tmp_path / "build.toml")
    with pytest.raises(UsageError) as caught:
        read_lock(tmp_path)
    assert caught.value.causes == (
        "`pylock.toml` waits for mmcv 2.1.0 (build)",
        "`build.toml` makes mmcv 2.2.0 (build)",
    )


def test_a_file_that_is_not_text(sealed: LockedEnv, tmp_path: Path) -> None:
    write_lock(sealed, tmp_path)
    (tmp_path / "pylock.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError) as caught:
        read_lock(tmp_path)
    assert "is not UTF-8 text" in caught.value.message


def test_a_lock_of_another_tool(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "uv"\npackages = []\n')
    with pytest.raises(UsageError) as caught:
        read_lock(tmp_path)
    assert "`created-by` is not `mmlock`" in caught.value.causes
    assert "`tool` is missing; it must be a table" in caught.value.causes
