"""Archives from strangers, and edits to what they hold."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.lock.model import PatchPlan
from mmlock.wheels.archive import unpack
from mmlock.wheels.patches import apply_patches


def tar_with(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 1) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = size if kind == tarfile.REGTYPE else 0
    return info


def test_the_top_folder_is_given_and_modes_are_plain(tmp_path: Path) -> None:
    run = member("p-1/run.sh")
    run.mode = 0o4777
    tree = unpack(tar_with(tmp_path / "p-1.tar.gz", run, member("p-1/a/b.txt")), tmp_path / "out")
    assert tree == tmp_path / "out" / "p-1"
    assert stat.S_IMODE((tree / "run.sh").stat().st_mode) == 0o755
    assert (tree / "a" / "b.txt").read_bytes() == b"x"


@pytest.mark.parametrize(
    "bad",
    [
        member("/etc/passwd"),
        member("p/../../escape"),
        member("..\\escape"),
        member("p/dev", tarfile.CHRTYPE),
        member("p/fifo", tarfile.FIFOTYPE),
        member("p/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("p/link", tarfile.SYMTYPE, "../../outside"),
        member("p/link", tarfile.LNKTYPE, "../outside"),
    ],
    ids=lambda info: f"{info.name}-{info.type.decode()}",
)
def test_a_hostile_tar_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    archive = tar_with(tmp_path / "bad.tar.gz", member("p/first"), bad)
    with pytest.raises(UsageError):
        unpack(archive, tmp_path / "deep" / "out")
    assert not (tmp_path / "deep" / "escape").exists()
    assert not (tmp_path / "escape").exists()


def test_a_link_through_a_link_writes_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = tar_with(
        tmp_path / "bad.tar.gz", member("p/door", tarfile.SYMTYPE, str(outside)), member("p/door/in")
    )
    with pytest.raises((UsageError, EnvironmentFault)):
        unpack(archive, tmp_path / "out")
    assert list(outside.iterdir()) == []


def test_links_stay_inside(tmp_path: Path) -> None:
    archive = tar_with(
        tmp_path / "p.tar.gz",
        member("p/b", tarfile.SYMTYPE, "a"),
        member("p/a"),
        member("p/c", tarfile.LNKTYPE, "p/a"),
    )
    tree = unpack(archive, tmp_path / "out")
    assert [(tree / name).read_bytes() for name in "abc"] == [b"x"] * 3
    assert (tree / "b").resolve() == tree / "a"


def test_chains_of_long_links_are_refused(tmp_path: Path) -> None:
    archive = tar_with(tmp_path / "p.tar.gz", member("p/a", tarfile.SYMTYPE, "d/" * 600))
    with pytest.raises(UsageError, match="too long"):
        unpack(archive, tmp_path / "out")


def test_a_python_without_the_filter_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(EnvironmentFault, match="cannot unpack archives safely"):
        unpack(tar_with(tmp_path / "p.tar.gz", member("p/a")), tmp_path / "out")


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    archive = tar_with(tmp_path / "p.tar.gz", member("p/a", size=5000), member("p/b", size=5000))
    with pytest.raises(UsageError, match="more than"):
        unpack(archive, tmp_path / "out", max_bytes=8000)
    with pytest.raises(UsageError, match="more than"):
        unpack(archive, tmp_path / "out2", max_files=1)


@pytest.mark.parametrize("name", ["../escape", "/abs", "C:/x", "a/../../b"])
def test_a_hostile_zip_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as pack:
        pack.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(UsageError):
        unpack(tmp_path / "p.zip", tmp_path / "out")


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("p/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as pack:
        pack.writestr(info, "/etc/passwd")
    with pytest.raises(UsageError):
        unpack(tmp_path / "p.zip", tmp_path / "out")


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "p.tar.gz").write_bytes(b"not an archive")
    with pytest.raises(UsageError, match="not an archive"):
        unpack(tmp_path / "p.tar.gz", tmp_path / "out")


def test_a_cut_archive_is_told(tmp_path: Path) -> None:
    whole = tar_with(tmp_path / "p.tar.gz", member("p/a", size=100_000))
    whole.write_bytes(whole.read_bytes()[:80])
    with pytest.raises(UsageError):
        unpack(whole, tmp_path / "out")


# ---------------------------------------------------------------- patches


def patch(file: str, find: str, new: str, name: str = "p") -> PatchPlan:
    return PatchPlan(id=name, file=file, find=find, replace=new, reason="test")


def test_every_place_is_edited(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("-std=c++17\n-std=c++17\n")
    (applied,) = apply_patches(tmp_path, [patch("setup.py", "c++17", "c++20")])
    assert applied.places == 2
    assert (tmp_path / "setup.py").read_text() == "-std=c++20\n-std=c++20\n"


def test_one_that_does_not_apply_stops_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    with pytest.raises(EnvironmentFault) as error:
        apply_patches(
            tmp_path, [patch("a", "one", "two"), patch("a", "absent", "x", "q"), patch("b", "x", "y", "r")]
        )
    told = "\n".join(error.value.lines())
    assert "`q` does not apply to `a`: its context is not there" in told
    assert "`r` names `b`, which is no file" in told
    assert (tmp_path / "a").read_text() == "one"


def test_one_that_was_applied_before_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("c++20")
    with pytest.raises(EnvironmentFault) as error:
        apply_patches(tmp_path, [patch("a", "c++17", "c++20")])
    assert "its result is there already" in error.value.causes[0]


def test_no_patch_reaches_outside(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "secret").write_text("one")
    with pytest.raises(EnvironmentFault):
        apply_patches(tree, [patch("../secret", "one", "two")])
    assert (tmp_path / "secret").read_text() == "one"


def test_line_ends_of_the_sources_stay(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\r\ntwo\r\n")
    apply_patches(tmp_path, [patch("a", "one\ntwo", "1\n2")])
    assert (tmp_path / "a").read_bytes() == b"1\r\n2\r\n"
