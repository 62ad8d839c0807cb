"""What is asked ahead is what will be asked, and is asked once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from solved import facts

from mmlock.app.ahead import Ahead
from mmlock.app.deciding import Decided, decide
from mmlock.app.indexes import Indexes
from mmlock.app.interpret import interpret
from mmlock.core.arguments import SolveArguments
from mmlock.core.artifact import Artifact, IndexSettings
from mmlock.core.background import Background
from mmlock.core.names import PackageName, Platform, Sha256, normalize
from mmlock.core.progress import silent
from mmlock.core.requirements import Asked
from mmlock.plan.files import PYPI, Place
from mmlock.solve.closure import UvCloser
from mmlock.solve.closure_model import Closed, ClosureAnswer, ClosureRequest, Wanted

if TYPE_CHECKING:
    from closure_fixtures import Index

SIX = PackageName("six")
FILE = Artifact(name="six-1.0-py3-none-any.whl", url="https://x/six", sha256=Sha256("a" * 64))
KNOWN = Place(index=PYPI, files=(FILE,), url=None, ask=False, version="1.0")


class _Recording(UvCloser):
    """Answers everything with nothing, and keeps what was begun."""

    def __init__(self, ahead: Ahead) -> None:
        super().__init__(environ={})
        self.ahead = ahead
        self.begun: list[ClosureRequest] = []
        self.asked: list[ClosureRequest] = []

    def begin(self, request: ClosureRequest) -> None:
        self.begun.append(request)

    def close(self, request: ClosureRequest) -> ClosureAnswer:
        self.asked.append(request)
        self.ahead.work()
        return Closed(packages=(), engine="uv 0", from_cache=False)


def _indexes(environ: Mapping[str, str], index: str | None = None, *, offline: bool = False) -> Indexes:
    settings = IndexSettings(index_url=index)
    return Indexes(index=settings, offline=offline, progress=silent, environ=environ)


def test_the_tools_of_a_build_are_asked_for_beside_the_closure(tmp_path: Path) -> None:
    arguments = SolveArguments(
        requirements=(Asked(name=normalize("mmcv"), specifier="==2.1.0"),), gpus=("rtx5090",), python="3.12"
    ).checked()
    asked = interpret(facts(), arguments)
    ahead = Ahead(
        matrix=facts(), asked=asked, indexes=_indexes({"MMLOCK_CACHE_DIR": str(tmp_path)}, offline=True)
    )
    closer = ahead.closer = _Recording(ahead)
    found = decide(facts(), asked, closer, progress=silent, wheelless=lambda *_: False, told=ahead.decided)
    assert isinstance(found, Decided)
    (tools,) = closer.begun
    names = {one.text for one in tools.wanted}
    assert {"ninja", "pip", "wheel"} <= names
    assert "numpy" not in names  # mmcv requires it, so the lock will hold it
    assert "torch" not in " ".join(names)
    assert (tools.core, tools.constraints, tools.python) == ((), (), "3.12")


def test_a_page_that_was_begun_is_fetched_once(index: Index, tmp_path: Path) -> None:
    index.add("six", "1.0")
    with _indexes({"MMLOCK_CACHE_DIR": str(tmp_path)}, index.url) as indexes:
        indexes.begin([(KNOWN, SIX), (KNOWN, SIX)])
        (there,) = indexes.mirrored((FILE,), SIX, "1.0")
    assert index.asked == ["/simple/six/"]
    assert there == FILE  # other bytes, so it is not the same file


def test_nothing_is_begun_that_would_not_be_asked(index: Index, tmp_path: Path) -> None:
    own = {"MMLOCK_CACHE_DIR": str(tmp_path)}
    named = Place(index=index.url, files=(), url="https://x/y", ask=False, version="1.0")
    for offline, place in ((True, KNOWN), (False, named)):
        with _indexes(own, index.url, offline=offline) as indexes:
            indexes.begin([(place, SIX)])
            assert not indexes._begun


def test_a_question_that_was_begun_is_answered_once(index: Index, tmp_path: Path) -> None:
    index.add("six", "1.0")
    closer = UvCloser(environ={"UV_CACHE_DIR": str(tmp_path / "uv"), "MMLOCK_CACHE_DIR": str(tmp_path)})
    question = ClosureRequest(
        python="3.12",
        platform=Platform.LINUX_X86_64,
        glibc="2.28",
        core=(),
        wanted=(Wanted(text="six", via="a test"),),
        constraints=(),
        index=IndexSettings(index_url=index.url),
    )
    closer.begin(question)
    closer.begin(question)
    answer = closer.close(question)
    assert isinstance(answer, Closed)
    assert not answer.from_cache
    assert [package.name for package in answer.packages] == ["six"]
    assert index.asked.count("/simple/six/") == 1


def test_background_work_gives_its_result_or_its_error() -> None:
    assert Background(lambda: time.monotonic() > 0).result() is True
    broken = Background(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        broken.result()
