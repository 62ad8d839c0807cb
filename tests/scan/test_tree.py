"""What the walk of a stranger's project reads: nothing outside of it, no pipes, and it always ends."""

from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from solved import facts

from mmlock.scan import tree as walk
from mmlock.scan.configs.faults import ConfigProblem
from mmlock.scan.known import known_of
from mmlock.scan.left_out import LeftOut, LeftOutReason, UnreadSourceError
from mmlock.scan.scan import Scan, scan
from mmlock.scan.text import scan_lines
from mmlock.scan.tree import Links, ProjectTree, list_files

HIDDEN = "from mmcv.ops import knn  # secret==1.0\n"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the project, with code, pins and a config that nobody may read."""
    folder = tmp_path / "outside"
    folder.mkdir()
    for name in ("code.py", "setup.py", "base.py"):
        (folder / name).write_text(HIDDEN)
    (folder / "requirements.txt").write_text("secret==1.0\n")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "pkg").mkdir(parents=True)
    (folder / "pkg" / "__init__.py").write_text("")
    (folder / "pkg" / "head.py").write_text("from mmcv.ops import nms\n")
    return folder


def read(root: Path, *configs: str) -> Scan:
    return scan(root, known_of(facts()), configs=configs)


def reasons(left_out: tuple[LeftOut, ...] | list[LeftOut]) -> dict[str, LeftOutReason]:
    return {str(one): one.reason for one in left_out}


# ---------------------------------------------------------------- links


@pytest.mark.parametrize("target", ["/", "..", "/proc/self/root", "../outside"])
def test_a_link_to_a_folder_outside_is_named_and_not_followed(
    project: Path, outside: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "link").symlink_to(target)
    known_of(facts())  # read before folders are watched
    listed: list[str] = []
    scandir = os.scandir

    def watched(path: str) -> Iterator[os.DirEntry[str]]:
        listed.append(os.path.realpath(path))
        return scandir(path)  # type: ignore[return-value]

    monkeypatch.setattr(os, "scandir", watched)
    found = read(project)
    assert reasons(found.left_out) == {"link": LeftOutReason.LINK_OUTSIDE}
    assert {use.op for use in found.uses} == {"nms"}
    assert set(listed) == {str(project), str(project / "pkg")}
    assert any("leads out of the project" in line for line in scan_lines(found, facts().ops))
    assert outside.exists()


@pytest.mark.parametrize("name", ["code.py", "requirements.txt", "setup.py"])
def test_a_link_to_a_file_outside_is_named_and_not_read(project: Path, outside: Path, name: str) -> None:
    (project / name).symlink_to(outside / name)
    found = read(project)
    assert reasons(found.left_out) == {name: LeftOutReason.LINK_OUTSIDE}
    assert {use.op for use in found.uses} == {"nms"}
    assert not found.pins


def test_links_inside_are_other_names_of_what_is_read_once(project: Path) -> None:
    (project / "loop").symlink_to(".")
    (project / "pkg" / "up").symlink_to("..")
    (project / "tools").mkdir()
    (project / "tools" / "pkg").symlink_to("../pkg")
    (project / "tools" / "twice.py").symlink_to("../pkg/head.py")
    (project / "tools" / "train.py").write_text(
        "from pkg import head\nimport twice\nif __name__ == '__main__':\n  pass\n"
    )
    found = read(project)
    assert [str(use.place) for use in found.uses] == ["pkg/head.py:1"]
    assert set(reasons(found.left_out).values()) == {LeftOutReason.LINK_REPEATED}
    assert {one.module for one in found.packages} == {"mmcv"}
    assert [str(step.place) for step in found.chains["pkg/head.py"]] == ["tools/train.py:1"]


def test_links_to_nothing_to_themselves_and_to_what_is_skipped_have_their_reasons(project: Path) -> None:
    (project / "gone").symlink_to("nowhere")
    (project / "self").symlink_to("self")
    (project / "a").symlink_to("b")
    (project / "b").symlink_to("a")
    (project / ".git").mkdir()
    (project / "hooks").symlink_to(".git")
    assert reasons(list_files(project).left_out) == {
        "gone": LeftOutReason.LINK_BROKEN,
        "self": LeftOutReason.LINK_BROKEN,
        "a": LeftOutReason.LINK_BROKEN,
        "b": LeftOutReason.LINK_BROKEN,
        "hooks": LeftOutReason.LINK_SKIPPED,
    }


def test_a_project_may_itself_be_named_by_a_link(project: Path, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(project)
    assert list_files(tmp_path / "named").files == ["pkg/__init__.py", "pkg/head.py"]
    assert {use.op for use in read(tmp_path / "named").uses} == {"nms"}


def test_paths_through_links_lead_to_one_name_and_circles_end() -> None:
    links = Links({"loop": "", "a/b": "c", "x": "x/y"})
    assert links.resolve("loop/loop/f.py") == "f.py"
    assert links.resolve("a/b/d/e.py") == "c/d/e.py"
    assert links.resolve("a/bc.py") == "a/bc.py"
    assert links.resolve("x/f.py").endswith("f.py")


# ---------------------------------------------------------------- no files


def test_pipes_sockets_and_devices_are_never_opened(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)  # the path of a socket must be short
    os.mkfifo(project / "pipe.py")
    os.mkfifo(project / "requirements.txt")
    os.mkfifo(project / "old.so")
    os.mkfifo(project / "old.egg")
    (project / "zero.py").symlink_to("/dev/zero")
    (project / "again.py").symlink_to("pipe.py")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.py")
        found = read(project)
    assert reasons(found.left_out) == {
        "pipe.py": LeftOutReason.NOT_A_FILE,
        "requirements.txt": LeftOutReason.NOT_A_FILE,
        "old.so": LeftOutReason.NOT_A_FILE,
        "old.egg": LeftOutReason.NOT_A_FILE,
        "again.py": LeftOutReason.NOT_A_FILE,
        "s.py": LeftOutReason.NOT_A_FILE,
        "zero.py": LeftOutReason.LINK_OUTSIDE,
    }


@pytest.mark.parametrize("kind", ["pipe", "link", "file"])
def test_what_took_the_place_of_a_listed_file_is_not_read(project: Path, outside: Path, kind: str) -> None:
    tree = list_files(project)
    head = project / "pkg" / "head.py"
    head.rename(project / "kept")
    if kind == "pipe":
        os.mkfifo(head)
    elif kind == "link":
        head.symlink_to(outside / "code.py")
    else:
        head.write_text(HIDDEN)
    with pytest.raises(UnreadSourceError) as error:
        tree.read("pkg/head.py")
    assert error.value.reason is LeftOutReason.CHANGED


# ---------------------------------------------------------------- what a text names


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../outside/requirements.txt", LeftOutReason.OUTSIDE),
        ("{outside}/requirements.txt", LeftOutReason.OUTSIDE),
        ("pkg/../../outside/requirements.txt", LeftOutReason.OUTSIDE),
        ("https://example.invalid/requirements.txt", LeftOutReason.OUTSIDE),
        ("link/requirements.txt", LeftOutReason.MISSING),
        ("gone.txt", LeftOutReason.MISSING),
    ],
)
@pytest.mark.parametrize("option", ["-r", "-c"])
def test_an_include_is_read_only_inside_the_project(
    project: Path, outside: Path, option: str, path: str, reason: LeftOutReason
) -> None:
    (project / "link").symlink_to(outside)
    (project / "requirements.txt").write_text(f"numpy==1.26.4\n{option} {path.format(outside=outside)}\n")
    found = read(project)
    assert {pin.name for pin in found.pins} == {"numpy"}
    assert reasons(found.left_out)["requirements.txt:2"] is reason


def test_an_include_through_a_link_inside_is_read(project: Path) -> None:
    (project / "reqs").mkdir()
    (project / "reqs" / "base.txt").write_text("torch==2.1.0\n")
    (project / "link").symlink_to("reqs")
    (project / "requirements.txt").write_text("-r link/base.txt\n-r pkg/../reqs/base.txt\n")
    assert [(pin.name, str(pin.place)) for pin in read(project).pins] == [("torch", "reqs/base.txt:1")]


@pytest.mark.parametrize("base", ["../../outside/base.py", "{outside}/base.py"])
def test_a_base_outside_of_the_project_is_not_read(project: Path, outside: Path, base: str) -> None:
    (project / "configs").mkdir()
    (project / "configs" / "c.py").write_text(f"_base_ = '{base.format(outside=outside)}'\n")
    for found in (read(project), read(project, "configs/c.py")):
        assert [one.problem for one in found.config_faults] == [ConfigProblem.OUTSIDE]
        assert "knn" not in {use.op for use in found.uses}


def test_a_base_through_a_link_inside_leads_to_its_file_and_a_circle_ends(project: Path) -> None:
    (project / "loop").symlink_to(".")
    (project / "c.py").write_text("_base_ = ['loop/b.py', 'loop/c.py']\nmodel = dict(type='A')\n")
    (project / "b.py").write_text("neck = dict(type='DCN')\n")
    found = read(project, "c.py")
    assert [one.problem for one in found.config_faults] == [ConfigProblem.CIRCLE]
    assert {str(use.place) for use in found.uses} == {"b.py:1"}


def test_a_setup_file_reads_no_requirements_outside(project: Path, outside: Path) -> None:
    text = "from setuptools import setup\nsetup(install_requires=open('{}').read().split())\n"
    (project / "setup.py").write_text(text.format(f"{outside}/requirements.txt"))
    found = read(project)
    assert not found.pins
    assert reasons(found.left_out) == {"setup.py": LeftOutReason.OUTSIDE}


# ---------------------------------------------------------------- bounds


@pytest.mark.slow
def test_ten_thousand_files_are_listed_in_order(project: Path) -> None:
    for folder in range(100):
        (project / f"d{folder:02}").mkdir()
        for file in range(100):
            (project / f"d{folder:02}" / f"f{file:02}.txt").touch()
    tree = list_files(project)
    assert len(tree.files) == 10_002
    assert tree.files == sorted(tree.files)
    assert not tree.left_out


@pytest.mark.parametrize("kind", ["files", "folders", "pipes"])
def test_entries_of_every_kind_are_bounded(project: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_ENTRIES", 50)
    for number in range(200):
        path = project / f"x{number}"
        {"files": Path.touch, "folders": Path.mkdir, "pipes": os.mkfifo}[kind](path)  # type: ignore[operator]
    tree = list_files(project)
    assert len(tree.files) + len(tree.left_out) <= 52
    assert LeftOutReason.TOO_MANY in {one.reason for one in tree.left_out}


def test_depth_is_bounded_without_recursion(project: Path) -> None:
    (project / "/".join(["d"] * 300)).mkdir(parents=True)
    tree = list_files(project)
    (left,) = tree.left_out
    assert (left.reason, left.path.count("/")) == (LeftOutReason.TOO_DEEP, walk.MOST_DEPTH)


def test_a_sparse_giant_costs_no_memory(project: Path) -> None:
    for name in ("giant.py", "requirements.txt", "README.md", "pyproject.toml", "a.ipynb"):
        with (project / name).open("wb") as file:
            file.truncate(2_000_000_000)
    tracemalloc.start()
    found = read(project)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert set(reasons(found.left_out).values()) == {LeftOutReason.TOO_LARGE}
    assert peak < 100_000_000


def test_bytes_in_all_are_bounded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "MOST_BYTES", 1000)
    for number in range(5):
        (project / f"m{number}.py").write_text("import torch  # " + "x" * 400)
    found = read(project)
    spent = [path for path, why in reasons(found.left_out).items() if why is LeftOutReason.TOO_MUCH]
    assert spent == ["m2.py", "m3.py", "m4.py"]


def test_only_what_was_listed_can_be_read(project: Path, outside: Path) -> None:
    tree = ProjectTree(project)
    for path in (f"{outside}/code.py", "../outside/code.py", "pkg/head.py", "pkg/../../outside/code.py"):
        with pytest.raises(UnreadSourceError) as error:
            tree.read(path)
        assert error.value.reason in {LeftOutReason.OUTSIDE, LeftOutReason.MISSING}


def test_a_name_with_escapes_or_no_text_is_kept_as_it_is(project: Path) -> None:
    name = "a\x1b[2J.py"
    (project / name).write_text("def f(:")
    with open(os.fsencode(project) + b"/\xff.py", "w") as file:  # noqa: PTH123
        file.write("import torch")
    found = read(project)
    assert [one.path for one in found.left_out] == [name]
    assert found.files == 4 - 1
