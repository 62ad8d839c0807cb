"""Sources that are compiled as one file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mmlock.core.errors import EnvironmentFault
from mmlock.lock.model import SourceGroup
from mmlock.wheels.grouping import group_sources

PAIR = SourceGroup(file="src/both.cpp", parts=("src/a.cpp", "src/b.cpp"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "c.h").write_text("#pragma once\ninline int c() { return 3; }\n")
    (tmp_path / "src" / "a.cpp").write_text('#include "c.h"\nint a() { return c(); }\n')
    (tmp_path / "src" / "b.cpp").write_text('#include "c.h"\nint a();\nint main() { return a() + c(); }\n')
    return tmp_path


def test_a_group_takes_the_place_of_its_parts_and_compiles(tree: Path) -> None:
    group_sources(tree, [PAIR])
    assert sorted(path.name for path in (tree / "src").glob("*.cpp")) == ["both.cpp"]
    subprocess.run(["g++", tree / "src" / "both.cpp", "-o", tree / "program"], check=True)
    assert subprocess.run([tree / "program"], check=False).returncode == 6


@pytest.mark.parametrize(
    ("group", "says"),
    [
        (SourceGroup(file="src/both.cpp", parts=("src/a.cpp", "src/gone.cpp")), "`src/gone.cpp` is no file"),
        (SourceGroup(file="src/a.cpp", parts=("src/b.cpp",)), "`src/a.cpp` is in the way"),
        (SourceGroup(file="both.cpp", parts=("src/a.cpp",)), "`src/a.cpp` is not in"),
        (SourceGroup(file="../x.cpp", parts=("../y.cpp",)), "`../x.cpp` is not in"),
    ],
)
def test_other_sources_than_the_recipe_knows_are_left_alone(
    tree: Path, group: SourceGroup, says: str
) -> None:
    before = sorted(path.name for path in tree.rglob("*"))
    with pytest.raises(EnvironmentFault) as error:
        group_sources(tree, [PAIR, group])
    assert any(says in cause for cause in error.value.causes)
    assert sorted(path.name for path in tree.rglob("*")) == before
