"""What is asked ahead is what will be asked, and is asked once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mmlock.core.artifact import Artifact, IndexSettings
from mmlock.core.background import Background
from mmlock.core.names import PackageName, Sha256
from mmlock.core.progress import silent
from mmlock.resolve.loop.indexes import Indexes
from mmlock.resolve.plan.files import PYPI, WheelLocation

if TYPE_CHECKING:
    from closure_fixtures import Index

SIX = PackageName("six")
FILE = Artifact(name="six-1.0-py3-none-any.whl", url="https://x/six", sha256=Sha256("a" * 64))
KNOWN = WheelLocation(index=PYPI, files=(FILE,), url=None, ask=False, version="1.0")


def _indexes(environ: Mapping[str, str], index: str | None = None, *, offline: bool = False) -> Indexes:
    settings = IndexSettings(index_url=index)
    return Indexes(index=settings, offline=offline, progress=silent, environ=environ)


def test_a_page_that_was_begun_is_fetched_once(index: Index, tmp_path: Path) -> None:
    index.add("six", "1.0")
    with _indexes({"MMLOCK_CACHE_DIR": str(tmp_path)}, index.url) as indexes:
        indexes.begin([(KNOWN, SIX), (KNOWN, SIX)])
        (there,) = indexes.mirrored((FILE,), SIX, "1.0")
    assert index.asked == ["/simple/six/"]
    assert there == FILE  # other bytes, so it is not the same file


def test_nothing_is_begun_that_would_not_be_asked(index: Index, tmp_path: Path) -> None:
    own = {"MMLOCK_CACHE_DIR": str(tmp_path)}
    named = WheelLocation(index=index.url, files=(), url="https://x/y", ask=False, version="1.0")
    for offline, place in ((True, KNOWN), (False, named)):
        with _indexes(own, index.url, offline=offline) as indexes:
            indexes.begin([(place, SIX)])
            assert not indexes._begun


def test_background_work_gives_its_result_or_its_error() -> None:
    assert Background(lambda: time.monotonic() > 0).result() is True
    broken = Background(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        broken.result()
