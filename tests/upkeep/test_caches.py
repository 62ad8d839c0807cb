"""What of a cache goes: what can be had again, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mmlock.upkeep.caches import parts, prune


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("pages/a/page", "answers/x.json", "wheelhouse/built.whl", "builds/b/log", "thesis/last.tex"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"12345")
    return tmp_path


def test_each_part_has_its_size(root: Path) -> None:
    found = {one.name: (one.size, one.files, one.disposable) for one in parts(root)}
    assert found == {
        "answers": (5, 1, True),
        "builds": (5, 1, False),
        "pages": (5, 1, True),
        "wheelhouse": (5, 1, False),
    }


def test_what_cannot_be_had_again_stays(root: Path) -> None:
    assert [one.name for one in prune(root, days=None, dry_run=True)] == ["answers", "pages"]
    assert (root / "pages/a/page").exists()
    assert [one.name for one in prune(root, days=None, dry_run=False)] == ["answers", "pages"]
    assert sorted(path.name for path in root.iterdir()) == ["builds", "thesis", "wheelhouse"]


def test_what_was_used_lately_stays(root: Path) -> None:
    old = root / "pages/a/page"
    os.utime(old, (1000, 1000))
    assert [one.name for one in prune(root, days=1, dry_run=False)] == ["pages"]
    assert not old.exists()
    assert (root / "answers/x.json").exists()


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list(prune(tmp_path / "no", days=None, dry_run=False)) == []
    assert list(parts(Path("/dev/null"))) == []


@pytest.mark.skipif(os.name == "nt", reason="links of POSIX")
def test_a_link_is_removed_and_not_what_it_leads_to(root: Path) -> None:
    (root / "pages" / "link").symlink_to(root / "thesis")
    (root / "pages" / "file").symlink_to(root / "thesis" / "last.tex")
    list(prune(root, days=None, dry_run=False))
    assert (root / "thesis/last.tex").exists()
