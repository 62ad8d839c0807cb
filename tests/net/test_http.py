"""The client against a real socket."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from mmlock.net.fetching import Fetched, FetchFault, FetchProblem, Limits
from mmlock.net.http import Client
from mmlock.net.page_cache import PageCache

if TYPE_CHECKING:
    from loopback_web import Reply, Web


def problem(answer: Fetched | FetchFault) -> FetchProblem:
    assert isinstance(answer, FetchFault), answer
    return answer.problem


def body(answer: Fetched | FetchFault) -> bytes:
    assert isinstance(answer, Fetched), answer
    return answer.body


def test_a_file_comes_with_its_type(web: Web, client: Client) -> None:
    answer = client.get(web.put("/a", b"hello"))
    assert body(answer) == b"hello"
    assert answer.content_type == "text/html"


def test_redirects_tell_the_last_address(web: Web, client: Client, reply: type[Reply]) -> None:
    web.put("/new", b"here")
    answer = client.get(web.put("/old", reply(status=301, headers={"Location": "/new"})))
    assert body(answer) == b"here"
    assert answer.url.endswith("/new")


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_what_may_pass_is_tried_again(
    web: Web, client: Client, reply: type[Reply], slept: list[float], status: int
) -> None:
    url = web.put("/a", reply(status=status), reply(status=status), b"fine")
    assert body(client.get(url)) == b"fine"
    assert len(slept) == 2
    assert 0.2 <= slept[0] <= 0.6
    assert 0.4 <= slept[1] <= 1.2


def test_the_server_may_say_when(web: Web, client: Client, reply: type[Reply], slept: list[float]) -> None:
    told = [
        reply(status=503, headers={"Retry-After": "7"}),
        reply(status=503, headers={"Retry-After": "9999"}),
    ]
    assert body(client.get(web.put("/a", *told, b"fine"))) == b"fine"
    assert slept == [7.0, 30.0]


def test_a_date_to_come_back_is_understood(web: Web, slept: list[float], reply: type[Reply]) -> None:
    headers = {"Retry-After": "Thu, 01 Jan 1970 00:01:40 GMT"}
    url = web.put("/a", reply(status=503, headers=headers), b"fine")
    with Client(environ={}, sleep=slept.append, clock=lambda: 95.0) as client:
        assert body(client.get(url)) == b"fine"
    assert slept == [5.0]


def test_an_error_that_stays_is_a_value(
    web: Web, client: Client, reply: type[Reply], slept: list[float]
) -> None:
    answer = client.get(web.put("/a", reply(status=500)))
    assert problem(answer) is FetchProblem.UNREACHABLE
    assert "500" in answer.text
    assert len(slept) == 3


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, FetchProblem.NOT_FOUND),
        (410, FetchProblem.NOT_FOUND),
        (401, FetchProblem.DENIED),
        (403, FetchProblem.DENIED),
        (418, FetchProblem.STATUS),
    ],
)
def test_what_will_not_change_is_asked_once(
    web: Web, client: Client, reply: type[Reply], status: int, expected: FetchProblem
) -> None:
    assert problem(client.get(web.put("/a", reply(status=status)))) is expected
    assert len(web.asked) == 1


def test_a_closed_port_and_a_bad_url_are_values(client: Client) -> None:
    assert problem(client.get("http://127.0.0.1:9/")) is FetchProblem.UNREACHABLE
    assert problem(client.get("no-url")) is FetchProblem.NOT_FOUND
    assert problem(client.get("ftp://x/y")) is FetchProblem.NOT_FOUND


def test_what_is_too_big_is_left(web: Web) -> None:
    url = web.put("/a", b"x" * 1001)
    with Client(environ={}, limits=Limits(max_bytes=1000)) as client:
        assert problem(client.get(url)) is FetchProblem.TOO_BIG


def test_the_wanted_form_is_asked_for(web: Web, client: Client) -> None:
    client.get(web.put("/a", b"x"), accept="application/json")
    assert web.asked[0][1]["Accept"] == "application/json"


def test_passwords_in_urls_are_sent_but_not_kept(web: Web, client: Client) -> None:
    url = web.put("/a", b"x").replace("http://", "http://user:secret@")
    answer = client.get(url)
    assert "Authorization" in web.asked[0][1]
    assert "secret" not in answer.url


def test_netrc_is_read(web: Web, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password pw\n")
    with Client(environ={"NETRC": str(tmp_path / "netrc")}) as client:
        client.get(web.put("/a", b"x"))
    assert "Authorization" in web.asked[0][1]


# ---------------------------------------------------------------- cache


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def caching(tmp_path: Path, clock: Clock) -> Client:
    return Client(environ={}, cache=PageCache(tmp_path / "pages"), clock=clock)


def test_a_fresh_page_is_not_asked_for_again(web: Web, caching: Client, clock: Clock) -> None:
    url = web.put("/a", b"one", b"two")
    with caching as client:
        first = client.get(url)
        clock.now += 599
        assert client.get(url) == first
        clock.now += 2
        assert body(client.get(url)) == b"two"


def test_a_kept_page_says_how_old_it_is(web: Web, caching: Client, clock: Clock) -> None:
    url, told, start = web.put("/a", b"one"), list[float](), clock.now
    caching.served = told.append
    with caching as client:
        client.get(url)
        assert told == []
        clock.now += 599
        client.get(url)
    assert told == [start]


def test_a_stale_page_is_asked_for_by_its_tag(
    web: Web, caching: Client, clock: Clock, reply: type[Reply]
) -> None:
    url = web.put("/a", reply(body=b"one", headers={"ETag": '"1"'}))
    with caching as client:
        client.get(url)
        clock.now += 5000
        assert body(client.get(url)) == b"one"
        assert web.asked[1][1]["If-None-Match"] == '"1"'
        clock.now += 599  # the answer made it fresh again
        client.get(url)
    assert len(web.asked) == 2


def test_pages_in_other_forms_are_other_pages(web: Web, caching: Client) -> None:
    url = web.put("/a", b"one", b"two")
    with caching as client:
        assert body(client.get(url, accept="a/a")) == b"one"
        assert body(client.get(url, accept="b/b")) == b"two"


def test_a_broken_entry_is_fetched_again(web: Web, caching: Client, tmp_path: Path) -> None:
    url = web.put("/a", b"one", b"two")
    with caching as client:
        client.get(url)
        (entry,) = [path for path in (tmp_path / "pages").rglob("*") if path.is_file()]
        entry.write_bytes(entry.read_bytes()[:-1])
        assert body(client.get(url)) == b"two"


def test_offline_takes_any_age_and_asks_nobody(web: Web, caching: Client, clock: Clock) -> None:
    url = web.put("/a", b"one")
    with caching as client:
        client.get(url)
    clock.now += 1e7
    with replace(caching, offline=True) as client:
        assert body(client.get(url)) == b"one"
        assert problem(client.get(url + "b")) is FetchProblem.OFFLINE
        assert problem(client.get_range(url, 0, 1)) is FetchProblem.OFFLINE
    assert len(web.asked) == 1


def test_faults_are_not_kept(web: Web, caching: Client) -> None:
    with caching as client:
        assert problem(client.get(web.root + "/a")) is FetchProblem.NOT_FOUND
        assert body(client.get(web.put("/a", b"now"))) == b"now"


@pytest.mark.slow
def test_a_few_bytes_that_become_many_are_unpacked_piece_by_piece(
    web: Web, client: Client, reply: type[Reply]
) -> None:
    packed = gzip.compress(bytes(100 << 20))
    url = web.put("/bomb", reply(body=packed, headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    try:
        found = client.get(url, limit=4 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found, FetchFault)
    assert found.problem is FetchProblem.TOO_BIG
    assert peak < 24 << 20


def test_gzip_that_breaks_off_or_is_none_is_no_answer(web: Web, client: Client, reply: type[Reply]) -> None:
    packed = gzip.compress(b"a page" * 1000)
    for path, body in {"/cut": packed[:-9], "/none": b"<html>"}.items():
        url = web.put(path, reply(body=body, headers={"Content-Encoding": "gzip"}))
        found = client.get(url)
        assert isinstance(found, FetchFault)
        assert found.problem is FetchProblem.UNREACHABLE
    whole = web.put("/whole", reply(body=packed, headers={"Content-Encoding": "gzip"}))
    answer = client.get(whole)
    assert isinstance(answer, Fetched)
    assert answer.body == b"a page" * 1000
