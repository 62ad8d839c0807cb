"""Parts of remote files."""

from __future__ import annotations

import io
import os
import random
import zipfile
from typing import TYPE_CHECKING

import pytest

from mmlock.net.fetching import FetchFault, FetchProblem
from mmlock.net.http import Client
from mmlock.net.ranged import RangedFile, RangeFault, read_metadata

if TYPE_CHECKING:
    from loopback_web import Web


def wheel(padding: int, metadata: bytes = b"Name: big\n", members: int = 1) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("big/lib.so", random.Random(0).randbytes(padding))  # noqa: S311
        for at in range(members):
            archive.writestr(f"big{at or ''}-1.dist-info/METADATA", metadata)
        archive.writestr("big/data.so", random.Random(1).randbytes(padding))  # noqa: S311
    return buffer.getvalue()


def sent(web: Web) -> int:
    """Bytes of the bodies of all answers to ranges."""
    total = 0
    for path, headers in web.asked:
        total += len(web.answer(path, headers).body)
    return total


def test_the_metadata_of_a_large_wheel_costs_little(web: Web, client: Client) -> None:
    data = wheel(3_000_000)
    url = web.put("/big-1-py3-none-any.whl", data)
    assert read_metadata(client, url) == b"Name: big\n"
    assert len(web.asked) <= 3
    asked = list(web.asked)
    assert sum(len(web.answer(path, headers).body) for path, headers in asked) < 300_000


@pytest.mark.parametrize("padding", [0, 10, 70_000])
def test_small_wheels_too(web: Web, client: Client, padding: int) -> None:
    url = web.put("/w", wheel(padding))
    assert read_metadata(client, url) == b"Name: big\n"


def test_every_read_is_that_of_the_file(web: Web, client: Client) -> None:
    data = os.urandom(300_001)
    remote = RangedFile(client, web.put("/w", data), budget=10**7, chunk=10_000)
    choose = random.Random(2)  # noqa: S311
    for _ in range(60):
        start, size = choose.randrange(len(data) + 10), choose.randrange(40_000)
        remote.seek(start)
        assert remote.read(size) == data[start : start + size]
    assert remote.size == len(data)
    remote.seek(0)
    assert remote.read() == data


def test_nothing_is_asked_for_twice(web: Web, client: Client) -> None:
    remote = RangedFile(client, web.put("/w", os.urandom(100_000)), budget=10**7, chunk=10_000)
    for _ in range(3):
        remote.seek(5_000)
        remote.read(20_000)
    assert remote.requests == 2


def test_a_server_without_ranges_is_given_up(web: Web, client: Client) -> None:
    web.ranges = False
    fault = read_metadata(client, web.put("/w", wheel(100)))
    assert isinstance(fault, RangeFault)
    assert "whole files only" in fault.text
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"<html>not a zip</html>", "no readable wheel"),
        (wheel(10, members=2), "2 METADATA files"),
        (wheel(10, members=0), "0 METADATA files"),
    ],
)
def test_what_is_no_wheel_is_a_value(web: Web, client: Client, data: bytes, word: str) -> None:
    fault = read_metadata(client, web.put("/w", data))
    assert isinstance(fault, RangeFault)
    assert word in fault.text


def test_a_missing_file_is_a_value(web: Web, client: Client) -> None:
    fault = read_metadata(client, web.root + "/none")
    assert isinstance(fault, RangeFault)
    assert "404" in fault.text


def test_a_zip_that_wants_too_much_is_given_up(web: Web, client: Client) -> None:
    url = web.put("/w", wheel(1_000_000, metadata=os.urandom(400_000)))
    fault = read_metadata(client, url, budget=200_000)
    assert isinstance(fault, RangeFault)
    assert "than allowed" in fault.text


def test_a_whole_answer_to_a_range_is_a_fault(web: Web, client: Client) -> None:
    web.ranges = False
    answer = client.get_range(web.put("/w", b"x" * 10), 0, 4)
    assert isinstance(answer, FetchFault)
    assert answer.problem is FetchProblem.NO_RANGES
