"""Going on with half a file: only where the server proves that it is the same one, and within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mirror import BODY, Mirror, mirror

from mmlock.net.fetching import FetchFault, FetchProblem, Limits
from mmlock.net.http import Client
from mmlock.net.transfer import Transfer

__all__ = ["mirror"]

OLD, NEW = b"o" * 50_000, b"n" * 50_000


CLIENTS: list[Client] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().__exit__(None, None, None)


def transfer(mirror: Mirror, part: Path, *, size: int | None = None, **limits: float) -> Transfer:
    client = Client(environ={}, sleep=lambda _: None, limits=Limits(**limits))  # type: ignore[arg-type]
    CLIENTS.append(client)
    return Transfer(client=client, url=mirror.url, part=part, name="p", size=size)


def left(part: Path) -> list[str]:
    return sorted(path.name for path in part.parent.iterdir())


def broken_off(mirror: Mirror, part: Path, after: int = 20_000) -> None:
    """Leave a part behind, as an interrupted run does."""
    mirror.cuts = [after]
    assert isinstance(transfer(mirror, part, attempts=1).run(), FetchFault)
    assert part.stat().st_size == after
    mirror.asked.clear()


@pytest.mark.parametrize("length", ["told", "chunked", "closed"])
@pytest.mark.parametrize(
    ("etag", "modified"),
    [('"one"', None), (None, "Thu, 01 Jan 1970 00:00:00 GMT"), (None, None), ('W/"one"', None)],
)
@pytest.mark.parametrize("ranges", [True, False])
def test_every_kind_of_mirror_works(
    tmp_path: Path,
    mirror: Mirror,
    length: str,
    etag: str | None,
    modified: str | None,
    ranges: bool,  # noqa: FBT001
) -> None:
    mirror.length, mirror.etag, mirror.modified, mirror.ranges = length, etag, modified, ranges
    if length != "closed":  # there a cut looks like an end: only a size or a hash could tell
        mirror.cuts = [300_000]
    assert transfer(mirror, tmp_path / "part").run() is None
    assert (tmp_path / "part").read_bytes() == BODY
    proves = etag == '"one"' or modified
    if length != "closed":
        assert mirror.spans == [None, "bytes=300000-" if proves else None]
        assert mirror.asked[1].get("If-Range") == (etag or modified if proves else None)


def test_a_cut_that_looks_like_an_end_is_seen_where_the_size_is_known(tmp_path: Path, mirror: Mirror) -> None:
    mirror.length, mirror.cuts = "closed", [300_000]
    assert transfer(mirror, tmp_path / "part", size=len(BODY)).run() is None
    assert (tmp_path / "part").read_bytes() == BODY
    assert mirror.spans == [None, "bytes=300000-"]


def test_a_file_that_changed_in_between_is_fetched_anew(tmp_path: Path, mirror: Mirror) -> None:
    part = tmp_path / "part"
    mirror.body = OLD
    broken_off(mirror, part)
    mirror.body, mirror.etag = NEW, '"two"'
    assert transfer(mirror, part).run() is None
    assert part.read_bytes() == NEW
    assert mirror.asked[0]["If-Range"] == '"one"'


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Range": "bytes 20001-49999/50000"},
        {"Content-Range": "bytes 0-29999/30000"},
        {"Content-Range": "bytes 20000-49999/60000"},
        {"Content-Range": "bytes 20000-40000/50000"},
        {"Content-Range": "bytes 20000-49999/50001"},
        {"Content-Range": "bytes 20000-19999/20000"},
        {"Content-Range": "lines 20000-49999/50000"},
        {"Content-Range": "bytes 20000-49999/50000", "ETag": '"two"'},
    ],
)
def test_a_part_that_does_not_fit_is_thrown_away(
    tmp_path: Path, mirror: Mirror, headers: dict[str, str]
) -> None:
    part = tmp_path / "part"
    mirror.body = OLD
    broken_off(mirror, part)
    mirror.body, mirror.believes = NEW, True
    mirror.part = lambda start: (206, headers, NEW[start:])
    assert transfer(mirror, part).run() is None
    assert part.read_bytes() == NEW
    assert mirror.spans == ["bytes=20000-", None]


def test_a_server_that_has_less_than_is_here_starts_over(tmp_path: Path, mirror: Mirror) -> None:
    part = tmp_path / "part"
    mirror.body, mirror.length = OLD, "chunked"
    broken_off(mirror, part)
    mirror.body, mirror.length = b"short", "told"
    assert transfer(mirror, part).run() is None
    assert part.read_bytes() == b"short"


def test_a_part_of_another_url_or_of_unknown_state_is_not_used(tmp_path: Path, mirror: Mirror) -> None:
    part = tmp_path / "part"
    broken_off(mirror, part)
    (tmp_path / "part.state").write_bytes(b"{")
    assert transfer(mirror, part).run() is None
    part.unlink()
    broken_off(mirror, part)
    mirror.url += "?other"
    assert transfer(mirror, part).run() is None
    assert mirror.spans == [None]


def test_a_whole_part_needs_no_request(tmp_path: Path, mirror: Mirror) -> None:
    part = tmp_path / "part"
    assert transfer(mirror, part).run() is None
    again = transfer(mirror, part)
    assert again.run() is None
    assert again.resumed
    assert len(mirror.asked) == 1


@pytest.mark.parametrize(("length", "asked"), [("told", 1), ("chunked", 1), ("closed", 1)])
def test_what_is_too_large_is_refused_and_removed(
    tmp_path: Path, mirror: Mirror, length: str, asked: int
) -> None:
    mirror.length = length
    fault = transfer(mirror, tmp_path / "part", file_bytes=1000).run()
    assert isinstance(fault, FetchFault)
    assert fault.problem is FetchProblem.TOO_BIG
    assert ("is 1024000 bytes large" in fault.text) == (length == "told")  # refused at its head
    assert (left(tmp_path / "part"), len(mirror.asked)) == ([], asked)


def test_more_than_the_known_size_is_refused_and_removed(tmp_path: Path, mirror: Mirror) -> None:
    for mirror.length in ("told", "chunked"):
        fault = transfer(mirror, tmp_path / "part", size=1000).run()
        assert isinstance(fault, FetchFault)
        assert fault.problem in {FetchProblem.TOO_BIG, FetchProblem.CORRUPT}
        assert left(tmp_path / "part") == []


def test_what_breaks_off_again_and_again_but_gets_on_comes_whole(tmp_path: Path, mirror: Mirror) -> None:
    mirror.cuts = [50_000] * 12
    assert transfer(mirror, tmp_path / "part", attempts=3).run() is None
    assert (tmp_path / "part").read_bytes() == BODY
    assert len(mirror.asked) == 13


def test_what_never_gets_on_is_given_up(tmp_path: Path, mirror: Mirror) -> None:
    mirror.statuses = [503] * 9
    fault = transfer(mirror, tmp_path / "part", attempts=3).run()
    assert isinstance(fault, FetchFault)
    assert (fault.problem, len(mirror.asked)) == (FetchProblem.UNREACHABLE, 3)


@pytest.mark.parametrize("limits", [{"file_seconds": 0.0}, {"drip_seconds": 0.0, "drip_rate": 1e15}])
def test_a_download_has_so_much_time_and_the_next_run_goes_on(
    tmp_path: Path, mirror: Mirror, limits: dict[str, float]
) -> None:
    part = tmp_path / "part"
    fault = transfer(mirror, part, **limits).run()
    assert isinstance(fault, FetchFault)
    assert (fault.problem, len(mirror.asked)) == (FetchProblem.TOO_SLOW, 1)
    assert part.stat().st_size > 0
    assert transfer(mirror, part).run() is None
    assert part.read_bytes() == BODY


def test_a_part_without_being_asked_for_one_is_no_file(tmp_path: Path, mirror: Mirror) -> None:
    mirror.statuses = [206] * 9
    fault = transfer(mirror, tmp_path / "part", attempts=2).run()
    assert isinstance(fault, FetchFault)
    assert not (tmp_path / "part").exists()
