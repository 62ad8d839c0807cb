"""A host that holds the work and sends next to nothing is not waited for for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mmlock.net.fetching import Fetched, FetchFault, FetchProblem, Limits
from mmlock.net.http import Client
from mmlock.net.slow_hosts import Patience

if TYPE_CHECKING:
    from loopback_web import Reply, Web


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def patience(clock: Clock) -> Patience:
    return Patience(seconds=10.0, rate=100.0, clock=clock)


def test_a_host_is_waited_for_until_its_time_is_spent(patience: Patience, clock: Clock) -> None:
    assert patience.lost("slow.example") is None
    with patience.waiting("slow.example"):
        patience.received("slow.example", 40)
        clock.now = 10.0
        assert patience.lost("slow.example") is None
        clock.now = 11.0
        said = patience.lost("slow.example")
    assert said is not None
    assert "`slow.example` is too slow: in 11 seconds it sent 40 bytes" in said
    assert patience.lost("other.example") is None


def test_a_host_that_sends_at_a_fair_rate_has_all_the_time(patience: Patience, clock: Clock) -> None:
    with patience.waiting("far.example"):
        clock.now = 1000.0
        patience.received("far.example", 100_000)
        assert patience.lost("far.example") is None


def test_requests_at_once_are_counted_once_and_time_without_any_not_at_all(
    patience: Patience, clock: Clock
) -> None:
    with patience.waiting("slow.example"), patience.waiting("slow.example"):
        clock.now = 9.0
    clock.now = 500.0
    assert patience.lost("slow.example") is None
    with patience.waiting("slow.example"):
        clock.now = 502.0
        assert patience.lost("slow.example") is not None
    assert patience.lost("slow.example") is not None


def test_pages_within_their_time_cannot_add_up_past_that_of_the_host(
    web: Web, reply: Callable[..., Reply]
) -> None:
    body = b"slow" * 20
    urls = [web.put(f"/{number}", reply(body=body, pieces=4)) for number in range(20)]
    limits = Limits(attempts=3, total_seconds=30.0, host_seconds=0.02, host_rate=1e9)
    with Client(environ={}, limits=limits) as client:
        answers = [client.get(url) for url in urls]
    late = [one for one in answers if isinstance(one, FetchFault)]
    assert {one.problem for one in late} == {FetchProblem.TOO_SLOW}
    assert "is too slow" in late[-1].text
    assert len(web.asked) < len(urls)


def test_the_same_pages_are_read_where_their_rate_is_fair(web: Web, reply: Callable[..., Reply]) -> None:
    urls = [web.put(f"/{number}", reply(body=b"slow" * 20, pieces=4)) for number in range(3)]
    limits = Limits(attempts=1, total_seconds=30.0, host_seconds=0.0, host_rate=0.0)
    with Client(environ={}, limits=limits) as client:
        assert all(isinstance(client.get(url), Fetched) for url in urls)
