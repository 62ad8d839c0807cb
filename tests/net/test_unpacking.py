"""Answers that become far more than they are."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from mmlock.net.fetching import Fetched, FetchFault, FetchProblem
from mmlock.net.http import Client
from mmlock.net.unpacking import BombError, pieces

if TYPE_CHECKING:
    from loopback_web import Reply, Web


class Parts(httpx.SyncByteStream):
    """A body that says how much of it was taken."""

    def __init__(self, data: bytes, size: int = 4096) -> None:
        self.parts = [data[at : at + size] for at in range(0, len(data), size)]
        self.taken = 0

    def __iter__(self):  # type: ignore[no-untyped-def] # noqa: ANN204
        for part in self.parts:
            self.taken += len(part)
            yield part


def bomb(megabytes: int) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    return b"".join([*(engine.compress(zeros) for _ in range(megabytes)), engine.flush()])


@pytest.mark.slow
def test_a_bomb_is_left_after_its_first_bytes() -> None:
    stream = Parts(bomb(60))
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=stream)
    given = 0
    with pytest.raises(BombError):  # noqa: PT012
        for piece in pieces(response):
            given += len(piece)
    assert given <= 4 << 20
    assert stream.taken < 20_000


@pytest.mark.slow
def test_a_bomb_from_a_server_is_a_value(web: Web, client: Client, reply: type[Reply]) -> None:
    answer = client.get(web.put("/a", reply(body=bomb(30), headers={"Content-Encoding": "gzip"})))
    assert isinstance(answer, FetchFault)
    assert answer.problem is FetchProblem.TOO_BIG
    assert len(web.asked) == 1


@pytest.mark.slow
def test_a_long_page_of_the_same_words_is_no_bomb(web: Web, client: Client, reply: type[Reply]) -> None:
    names = (f"mmcv-2.{n // 1000}.{n % 1000}-cp3{n % 9}-linux_x86_64.whl" for n in range(90_000))
    rows = (f"<a href='./{name}'>./{name}</a><br>\n" for name in names)
    page = "".join(rows).encode()
    packed = gzip.compress(page)
    assert len(page) > 8 << 20
    answer = client.get(web.put("/a", reply(body=packed, headers={"Content-Encoding": "gzip"})))
    assert isinstance(answer, Fetched)
    assert answer.body == page


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "BR"])
def test_what_was_not_asked_for_is_not_unpacked(
    web: Web, client: Client, reply: type[Reply], encoding: str
) -> None:
    packed = zlib.compress(bytes(20 << 20), 9)
    answer = client.get(web.put("/a", reply(body=packed, headers={"Content-Encoding": encoding})))
    assert isinstance(answer, FetchFault)
    assert web.asked[0][1]["Accept-Encoding"] == "gzip"


def test_an_encoding_that_is_none_is_taken_as_the_bytes_themselves(
    web: Web, client: Client, reply: type[Reply]
) -> None:
    for name in ("identity", "utf-8", "none"):
        answer = client.get(web.put(f"/{name}", reply(body=b"x", headers={"Content-Encoding": name})))
        assert isinstance(answer, Fetched)
        assert answer.body == b"x"
