"""Whole trees: what is read, what is passed over, how a file is reached."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from solved import facts

from mmlock.core.errors import UsageError
from mmlock.scan.known import known_of
from mmlock.scan.left_out import LeftOutReason
from mmlock.scan.scan import Scan, scan
from mmlock.scan.text import scan_lines


def tree(root: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def scanned(root: Path) -> Scan:
    return scan(root, known_of(facts()))


def test_a_chain_leads_from_a_script_to_the_import(tmp_path: Path) -> None:
    found = scanned(
        tree(
            tmp_path,
            {
                "tools/train.py": "import sys\nfrom pkg import models\nif __name__ == '__main__':\n  pass",
                "pkg/__init__.py": "",
                "pkg/models/__init__.py": "from .head import Head",
                "pkg/models/head.py": "from mmcv.ops import point_sample\nclass Head: pass",
            },
        )
    )
    assert [str(step.place) for step in found.chains["pkg/models/head.py"]] == [
        "tools/train.py:2",
        "pkg/models/__init__.py:1",
    ]
    assert [str(place) for place in found.conclusion.guard] == ["pkg/models/head.py:1"]


def test_modules_of_the_project_are_no_packages(tmp_path: Path) -> None:
    found = scanned(
        tree(
            tmp_path,
            {
                "seg/train.py": "import mmseg_custom, mmseg, os, cv2\nimport missing_thing",
                "seg/mmseg_custom/__init__.py": "import torch",
            },
        )
    )
    assert {one.module: (one.packages[0], one.known) for one in found.packages} == {
        "cv2": ("opencv-python", True),
        "missing_thing": ("missing-thing", False),
        "mmseg": ("mmsegmentation", True),
        "torch": ("torch", True),
    }


def test_what_cannot_be_read_is_told_and_nothing_else_is_lost(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "good.py": "from mmcv.ops import nms",
            "two.py": "print 'hello'\n",
            "broken.py": "def f(:\n",
            "null.py": b"a = 1\0",
            "latin.py": "# -*- coding: latin-1 -*-\nname = 'é'".encode("latin-1"),
            "bytes.py": b"name = '\xff\xfe'",
            "deep.py": "x = " + "(" * 5000 + ")" * 5000,
            "nested.py": "-" * 20000 + "1",
            ".git/hooks/a.py": "from mmcv.ops import knn",
            "env/pyvenv.cfg": "",
            "env/lib/b.py": "from mmcv.ops import knn",
        },
    )
    (root / "loop").symlink_to(root)
    (root / "gone.py").symlink_to("nowhere")
    found = scanned(root)
    assert [use.op for use in found.uses] == ["nms"]
    why = {(one.path, one.line): one.reason for one in found.left_out}
    assert why.pop(("deep.py", None), None) or why.pop(("deep.py", 1))
    assert why.pop(("nested.py", None), None) or why.pop(("nested.py", 1))
    assert why == {
        ("two.py", None): LeftOutReason.PYTHON_2,
        ("broken.py", 1): LeftOutReason.SYNTAX,
        ("null.py", None): LeftOutReason.NULL_BYTES,
        ("bytes.py", None): LeftOutReason.ENCODING,
        ("env", None): LeftOutReason.ENVIRONMENT,
        ("loop", None): LeftOutReason.LINK_REPEATED,
        ("gone.py", None): LeftOutReason.LINK_BROKEN,
    }
    assert scan_lines(found, facts().ops)


def test_a_giant_file_is_passed_over(tmp_path: Path) -> None:
    with (tmp_path / "giant.py").open("wb") as file:
        file.truncate(500_000_000)
    (left,) = scanned(tmp_path).left_out
    assert (left.path, left.reason) == ("giant.py", LeftOutReason.TOO_LARGE)


def test_nothing_of_the_project_is_executed(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    touch = f"open({str(marker)!r}, 'w').close()\n"
    root = tree(
        tmp_path / "project",
        {"setup.py": touch, "conftest.py": touch, "configs/a.py": touch, "mmcv/__init__.py": touch},
    )
    scanned(root)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["missing", "file.py", "nul\0l"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.py").write_text("")
    with pytest.raises(UsageError) as error:
        scanned(tmp_path / name)
    assert error.value.hints


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "conda-meta"])
def test_an_environment_is_no_project(tmp_path: Path, mark: str) -> None:
    if mark == "conda-meta":
        (tmp_path / mark).mkdir()
    else:
        (tmp_path / mark).write_text("home = /usr/bin\n")
    with pytest.raises(UsageError, match="is a Python environment") as error:
        scanned(tmp_path)
    assert any("mmlock doctor --python" in hint for hint in error.value.hints)


def test_the_whole_machine_is_no_project() -> None:
    with pytest.raises(UsageError, match="the root of the file system"):
        scanned(Path("/"))


def test_of_an_empty_folder_nothing_is_claimed(tmp_path: Path) -> None:
    text = "\n".join(scan_lines(scanned(tmp_path), facts().ops))
    assert "not use mmcv" not in text
    assert "nothing is known about this project" in text
