"""No all-clear that is false: what `import` needs, and what is gone below an installation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_environments import World, make_world

from mmlock.doctor.checks import examine
from mmlock.doctor.doctor_commands import command, core
from mmlock.doctor.environment.imports import imported_by
from mmlock.doctor.environment.model import Trouble, TroubleSeverity
from mmlock.doctor.environment_fixes import cures

from .conftest import matrix
from .looking import read, troubles


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "env")


def fails(world: World) -> list[Trouble]:
    return [one for one in troubles(world) if one.severity is TroubleSeverity.FAILS]


@pytest.mark.slow
def test_a_compiled_module_that_asks_for_numpy_fails_without_it(world: World) -> None:
    files = {"cv2/__init__.py": b"", "cv2/cv2.abi3.so": b"\x7fELF\0numpy.core.multiarray failed to import\0"}
    bounds = [f"numpy>={bound}" for bound in ("1.17.0", "1.19.3", "1.21.2", "1.23.5")]
    world.dist("opencv-python", "4.10.0.84", files, requires=bounds)
    (one,) = fails(world)
    assert one.title == "numpy is not installed; opencv-python 4.10.0.84 requires it"
    assert "cv2/cv2.abi3.so" in one.evidence[0]
    world.dist("numpy", "1.26.4")
    assert fails(world) == []


def test_an_import_is_followed_through_the_modules_of_its_package(world: World) -> None:
    files = {
        "a/__init__.py": b"from . import b\n",
        "a/b.py": b"from a.c.d import thing\n",
        "a/c/__init__.py": b"",
        "a/c/d.py": b"import os\nimport six\n",
    }
    world.dist("a", "1", files, requires=["six"])
    (one,) = fails(world)
    assert "`a/c/d.py`, line 2" in one.evidence[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        b"try:\n    import six\nexcept ImportError:\n    six = None\n",
        b"def f():\n    import six\n",
        b"if 0:\n    import six\n",
        b"\xff\xfe not python (",
        b"x = " + b"(" * 5000,
    ],
)
def test_what_is_not_imported_at_once_is_a_risk(world: World, source: bytes) -> None:
    world.dist("a", "1", {"a/__init__.py": source}, requires=["six"])
    assert fails(world) == []
    assert any("six is not installed" in one.title for one in troubles(world))


def test_an_import_that_goes_in_circles_ends(world: World) -> None:
    world.dist("a", "1", {"a/__init__.py": b"from a import b\n", "a/b.py": b"import a\nfrom a import b\n"})
    (dist,) = [one for one in read(world).distributions if one.name == "a"]
    assert imported_by(dist, frozenset({"six"})) is None


def test_a_missing_requirement_is_told_once_for_all_who_want_it(world: World) -> None:
    for name in ("a", "b", "c", "d"):
        world.dist(name, "1", requires=["six>=1", "six>=1.2"])
    told = [one.title for one in troubles(world) if "six" in one.title]
    assert told == ["six is not installed; a 1, b 1 and c 1 and 1 more require it"]


def test_an_editable_installation_whose_folder_is_gone_fails(world: World) -> None:
    folder = world.dist("thing", "1.0", {"__editable__.thing-1.0.pth": b"/nowhere/src\n"})
    url = {"url": "file:///nowhere/src", "dir_info": {"editable": True}}
    (folder / "direct_url.json").write_text(json.dumps(url))
    (one,) = fails(world)
    assert "was installed from `/nowhere/src`, which does not exist" in one.title
    assert not any("Remove `" in text for text in one.advice)


@pytest.mark.slow
def test_a_pth_with_other_entries_loses_one_line(world: World, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    path = world.site / "easy-install.pth"
    path.write_text(f"/nowhere/gone\n{tmp_path / 'there'}\n")
    (one,) = [one for one in troubles(world) if "easy-install.pth" in one.title]
    assert one.advice[0].startswith(f"Remove the line `/nowhere/gone` from `{path}`, not the file")
    path.write_text("/nowhere/gone\n")
    (one,) = [one for one in troubles(world) if "easy-install.pth" in one.title]
    assert one.advice == (f"Remove `{path}`.",)


def test_an_egg_link_and_its_line_are_one_fault(world: World) -> None:
    (world.site / "easy-install.pth").write_text("/nowhere/gone\n/usr\n")
    (world.site / "mmdet3d.egg-link").write_text("/nowhere/gone\n.")
    (one,) = [one for one in troubles(world) if one.check == "leftovers"]
    assert "mmdet3d was installed from `/nowhere/gone`" in one.title
    assert "and the line `/nowhere/gone` in `easy-install.pth`" in one.advice[1]


def test_two_flavours_of_one_module_are_never_asked_for_together(world: World) -> None:
    world.torch()
    for name in ("opencv-python", "opencv-python-headless"):
        world.dist(name, "4.10.0.84", {f"cv2/{name}.py": b""}, requested=True)
    env = read(world)
    for proposed in cures(env, matrix(), examine(env, matrix())[0], None):
        assert sum(text.startswith("opencv") for text in proposed.packages) == 1


def test_the_flavour_that_another_package_requires_is_kept(world: World) -> None:
    world.torch()
    world.dist("albumentations", "1", requires=["opencv-python-headless"], requested=True)
    for name in ("opencv-python", "opencv-python-headless"):
        world.dist(name, "4.10.0.84", {f"cv2/{name}.py": b""}, requested=True)
    env = read(world)
    first = next(cures(env, matrix(), examine(env, matrix())[0], None))
    assert first.packages == ("albumentations",)


def test_an_environment_without_torch_is_not_given_one(world: World) -> None:
    for name in ("opencv-python", "opencv-python-headless"):
        world.dist(name, "4.10.0.84", {f"cv2/{name}.py": b""}, requested=True)
    env = read(world)
    assert list(cures(env, matrix(), examine(env, matrix())[0], None)) == []


@pytest.mark.slow
def test_an_old_mmdet_without_mmcv_gets_the_mmcv_of_its_era(world: World) -> None:
    world.torch("1.13.1+cpu")
    world.dist("mmdet", "2.28.2", requested=True)
    env = read(world)
    found = examine(env, matrix())[0]
    assert any("Install mmcv-full" in text for one in found for text in one.advice)
    first = next(cures(env, matrix(), found, "cpu"))
    assert {"mmdet==2.28.2", "mmcv-full"} <= set(first.packages)
    assert "mmcv" not in first.packages
    solved = next(one for one in cures(env, matrix(), found, "cpu") if core(matrix(), one))
    assert "mmdet==2.28.2" in command(solved)
