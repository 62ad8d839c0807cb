"""Sources of the user's own tree in a build folder that is used again."""

from __future__ import annotations

import os
from pathlib import Path

from mmlock.wheels.sources import renew

OLD = 1_000_000_000


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (OLD, OLD))
    return folder


def test_only_what_differs_gets_a_new_time(tmp_path: Path) -> None:
    old = put(tmp_path / "old", {"ops/a.cpp": "a", "ops/b.cpp": "b", "ops/gone.py": "x"})
    put(old, {"ops/build/temp.linux/a.o": "object", "ops/build/lib.linux/gone.py": "x"})
    new = put(tmp_path / "new", {"ops/a.cpp": "a", "ops/sub/c.cpp": "c"})
    (new / "ops" / "b.cpp").write_text("changed")
    renew(new, old)
    times = {p.relative_to(old).as_posix(): p.stat().st_mtime for p in old.rglob("*") if p.is_file()}
    assert times.pop("ops/b.cpp") > OLD
    assert set(times) == {"ops/a.cpp", "ops/sub/c.cpp", "ops/build/temp.linux/a.o"}
    assert set(times.values()) == {OLD}
    assert (old / "ops" / "b.cpp").read_text() == "changed"
    assert not new.exists()


def test_the_first_sources_are_taken_as_they_are(tmp_path: Path) -> None:
    new = put(tmp_path / "new", {"a.cpp": "a"})
    renew(new, tmp_path / "old")
    assert (tmp_path / "old" / "a.cpp").read_text() == "a"
