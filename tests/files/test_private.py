"""Cache folders: for this user alone, and refused when somebody else could have put something there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.files.private import open_cache, private_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may do this")

SOMEBODY = 12345


def test_a_new_cache_and_what_it_lies_in_are_for_this_user_alone(tmp_path: Path) -> None:
    made = open_cache({"XDG_CACHE_HOME": str(tmp_path / "home" / ".cache")})
    assert made == tmp_path / "home" / ".cache" / "mmlock"
    for folder in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(("mode", "who"), [(0o777, "everybody"), (0o1777, "everybody"), (0o770, "group")])
def test_a_cache_that_others_may_write_is_refused_and_the_way_out_works(
    tmp_path: Path, mode: int, who: str
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(mode)
    with pytest.raises(EnvironmentFault, match=who) as caught:
        open_cache({"MMLOCK_CACHE_DIR": str(tmp_path / "shared")})
    assert "chmod go-w" in caught.value.hints[0]
    assert open_cache({"MMLOCK_CACHE_DIR": str(tmp_path / "shared" / "mmlock")}).is_dir()


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o750])
def test_a_cache_that_others_may_only_read_is_used(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    assert private_folder(tmp_path) == tmp_path


@root
def test_a_cache_of_somebody_else_is_refused_by_a_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(tmp_path, SOMEBODY, SOMEBODY)
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY + 1)
    with pytest.raises(EnvironmentFault, match="another user"):
        private_folder(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    assert private_folder(tmp_path) == tmp_path
    os.chown(tmp_path, 0, 0)
    assert private_folder(tmp_path) == tmp_path


@root
def test_root_uses_a_mounted_cache_but_none_that_anybody_could_have_planted(tmp_path: Path) -> None:
    home = Path("/root") / f".mmlock-test-{os.getpid()}"
    home.mkdir()
    try:
        os.chown(home, SOMEBODY, SOMEBODY)
        assert private_folder(home) == home
    finally:
        home.rmdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    planted = tmp_path / "open" / "cache"
    planted.mkdir(mode=0o700)
    os.chown(planted, SOMEBODY, SOMEBODY)
    with pytest.raises(EnvironmentFault, match="another user"):
        private_folder(planted)


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/below", "FILE", "FILE/below", "LONG", "NUL"])
def test_what_can_be_no_cache_is_one_clear_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    place = place.replace("FILE", str(tmp_path / "file"))
    place = place.replace("LONG", str(tmp_path / ("x" * 256))).replace("NUL", "a\0b")
    with pytest.raises(EnvironmentFault, match="cannot be used") as caught:
        open_cache({"MMLOCK_CACHE_DIR": place})
    assert caught.value.exit_code == 2
    assert "MMLOCK_CACHE_DIR" in caught.value.hints[0]


def test_a_cache_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o555)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(EnvironmentFault, match="cannot be used"):
        private_folder(tmp_path)
