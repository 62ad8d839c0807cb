"""What is kept of closures, and when it counts."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from mmlock.core.artifact import Artifact, ClosedPackage
from mmlock.core.cache import cache_root, fresh_seconds
from mmlock.core.errors import EnvironmentFault, UsageError
from mmlock.core.names import PackageName, Sha256
from mmlock.resolve.closure.cache import ClosureCache, request_digest
from mmlock.resolve.closure.closer import UvCloser
from mmlock.resolve.closure.model import Closed, ClosureConflict, Unreachable

if TYPE_CHECKING:
    from package_index import Index, MakeQuestion


@pytest.fixture
def answer() -> Closed:
    file = Artifact(name="six-1-py3-none-any.whl", url="http://x/six", sha256=Sha256("a" * 64), size=3)
    package = ClosedPackage(name=PackageName("six"), version="1", files=(file,), via=("you",))
    return Closed(packages=(package,), engine="uv 1", from_cache=False)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_an_unchanged_repeat_does_not_start_uv(
    index: Index, ask: MakeQuestion, environ: dict[str, str], tmp_path: Path
) -> None:
    index.add("six", "1")
    first = UvCloser(environ=environ).close(ask("six"))
    asked = len(index.asked)
    # A uv that cannot be started would show: only the cache can answer.
    broken = {"UV_CACHE_DIR": str(tmp_path / "file")}
    (tmp_path / "file").write_text("not a folder")
    second = UvCloser(environ=environ | broken).close(ask("six"))
    assert second == replace(first, from_cache=True)
    assert len(index.asked) == asked


def test_what_is_served_says_how_old_it_is(answer: Closed, tmp_path: Path) -> None:
    clock, told = Clock(), list[float]()
    cache = ClosureCache(tmp_path, clock=clock, served=told.append)
    cache.store("d" * 64, answer)
    clock.now += 500
    assert (cache.load("d" * 64) is not None, told) == (True, [1_000_000.0])
    clock.now += 500
    assert (cache.load("d" * 64), told) == (None, [1_000_000.0])


def test_a_refusal_is_kept_too(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.add("six", "1")
    first = closer.close(ask("six>=2"))
    asked = len(index.asked)
    assert isinstance(first, ClosureConflict)
    assert closer.close(ask("six>=2")) == first
    assert len(index.asked) == asked


@pytest.mark.slow
def test_an_unreachable_index_is_asked_again(index: Index, ask: MakeQuestion, closer: UvCloser) -> None:
    index.pages["six"] = (500, b"")
    assert isinstance(closer.close(ask("six")), Unreachable)
    del index.pages["six"]
    index.add("six", "1")
    assert isinstance(closer.close(ask("six")), Closed)


def test_offline_takes_an_answer_of_any_age(
    index: Index, ask: MakeQuestion, environ: dict[str, str], tmp_path: Path
) -> None:
    index.add("six", "1")
    UvCloser(environ=environ).close(ask("six"))
    cold = environ | {"UV_CACHE_DIR": str(tmp_path / "cold"), "MMLOCK_CACHE_TTL": "0"}
    again = UvCloser(environ=cold).close(ask("six", offline=True))
    assert isinstance(again, Closed)
    assert again.from_cache


def test_an_entry_grows_old(answer: Closed, tmp_path: Path) -> None:
    clock = Clock()
    cache = ClosureCache(tmp_path, ttl=600, clock=clock)
    cache.store("d" * 64, answer)
    clock.now += 599
    assert cache.load("d" * 64) == replace(answer, from_cache=True)
    clock.now += 2
    assert cache.load("d" * 64) is None
    assert cache.load("d" * 64, any_age=True) is not None
    clock.now -= 5000  # a clock that was set back
    assert cache.load("d" * 64) is None


@pytest.mark.parametrize("bytes_", [b"", b"{", b"\xff\xfe", b"[]", b'{"digest": "x", "stored": 1}'])
def test_a_broken_entry_is_ignored_and_written_again(answer: Closed, tmp_path: Path, bytes_: bytes) -> None:
    cache = ClosureCache(tmp_path)
    cache.store("d" * 64, answer)
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(bytes_)
    assert cache.load("d" * 64) is None
    cache.store("d" * 64, answer)
    assert cache.load("d" * 64) is not None


def test_a_part_of_the_cache_that_cannot_be_written_costs_nothing_but_time(
    index: Index, ask: MakeQuestion, closer: UvCloser, environ: dict[str, str]
) -> None:
    index.add("numpy", "1")
    (Path(environ["MMLOCK_CACHE_DIR"]) / "closure").write_text("in the way")
    assert isinstance(closer.close(ask("numpy")), Closed)


def test_a_cache_that_cannot_be_used_at_all_is_said_at_once(environ: dict[str, str]) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be used"):
        UvCloser(environ=environ | {"MMLOCK_CACHE_DIR": os.devnull})


@pytest.mark.slow
def test_writers_at_once_leave_a_whole_entry(answer: Closed, tmp_path: Path) -> None:
    cache = ClosureCache(tmp_path)
    seen: list[bool] = []

    def work() -> None:
        for _ in range(50):
            cache.store("d" * 64, answer)
            seen.append(cache.load("d" * 64) is not None)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(seen)
    assert len(seen) == 200
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".json"]


def test_what_is_old_and_unasked_for_goes(answer: Closed, tmp_path: Path) -> None:
    import os

    cache = ClosureCache(tmp_path)
    cache.store("dd" + "1" * 62, answer)
    (old,) = tmp_path.rglob("*.json")
    os.utime(old, (1, 1))
    cache.store("dd" + "2" * 62, answer)
    assert not old.exists()
    assert cache.load("dd" + "2" * 62) is not None


def test_what_is_kept_of_a_lock_is_a_part_of_the_question(ask: MakeQuestion) -> None:
    request = ask("six")
    kept = replace(request, preferences=((PackageName("six"), "1.0"),))
    assert request_digest(kept) != request_digest(request)


def test_the_name_of_an_answer_is_all_it_depends_on(ask: MakeQuestion) -> None:
    request = ask("six")
    name = request_digest(request, "uv 1")
    assert name == request_digest(replace(request, offline=True), "uv 1")
    assert name != request_digest(request, "uv 2")
    assert name != request_digest(replace(request, python="3.11"), "uv 1")
    assert name != request_digest(replace(request, drop=(PackageName("six"),)), "uv 1")


def test_the_ttl_must_be_a_number() -> None:
    assert fresh_seconds({}) == 600
    assert fresh_seconds({"MMLOCK_CACHE_TTL": "0"}) == 0
    with pytest.raises(UsageError, match="MMLOCK_CACHE_TTL"):
        fresh_seconds({"MMLOCK_CACHE_TTL": "soon"})


@pytest.mark.parametrize(
    ("environ", "system", "expected"),
    [
        ({"MMLOCK_CACHE_DIR": "/m", "XDG_CACHE_HOME": "/x"}, "linux", "/m"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "linux", "/x/mmlock"),
        ({"HOME": "/h"}, "linux", "/h/.cache/mmlock"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Caches/mmlock"),
        ({"LOCALAPPDATA": "/l", "USERPROFILE": "/u"}, "win32", "/l/mmlock/cache"),
    ],
)
def test_the_cache_has_its_place(environ: dict[str, str], system: str, expected: str) -> None:
    assert cache_root(environ, system) == Path(expected)
