"""The one fetch loop: grants the wishes of scrapers, several at a time, each file once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import sha256
from urllib.parse import urlsplit

from msgspec import Struct

from mmlock.core.progress import Progress, silent
from mmlock.facts.scrape.fetch_page import Answer, Archive, Found, Get, Inside, Scrape, Wish
from mmlock.facts.scrape.metadata_chain import WHOLE_LIMIT
from mmlock.net.fetching import Fetched, FetchFault, FetchProblem
from mmlock.net.http import Client
from mmlock.net.ranged import RangeFault, member_of, read_member
from mmlock.net.workers import Workers

__all__ = ["CONCURRENCY", "Driver", "driver"]

CONCURRENCY = 8
"""Requests under way at once: what browsers do, and what the indexes bear."""

ARCHIVE_LIMIT = 256 * 1024 * 1024
_CHUNK = 32 * 1024
"""Some wheels keep a small directory; the end of the file in one request serves most of them."""


class Driver(Struct):
    """Runs scrapers over one client, which asks no host again that cannot be reached or only drips."""

    client: Client
    pool: Workers
    progress: Progress = silent

    def run(self, name: str, scrape: Scrape) -> Found:
        """What a scraper finds."""
        try:
            wishes = next(scrape)
            while True:
                wishes = scrape.send(self.grant(name, wishes))
        except StopIteration as stop:
            found: Found = stop.value
            return found

    def grant(self, name: str, wishes: Sequence[Wish]) -> list[Answer]:
        """Answers in the order of the wishes."""
        answers: dict[Wish, Answer] = {}
        todo = list(dict.fromkeys(wishes))
        hosts: set[str] = set()
        for wish in todo:
            host = urlsplit(wish.url).netloc
            if host not in hosts and not self.client.health.known(wish.url):
                # One request learns whether a host is there; many would each wait for it.
                hosts.add(host)
                answers[wish] = self._answer(wish)
        rest = [wish for wish in todo if wish not in answers]
        if rest:
            self.progress(f"{name}: {len(todo)} to read")
        running: list[tuple[Wish, Future[Answer]]] = [
            (wish, self.pool.submit(self._answer, wish)) for wish in rest
        ]
        for at, (wish, future) in enumerate(running, 1):
            answers[wish] = future.result()
            if at % 50 == 0:
                self.progress(f"{name}: {at} of {len(running)} read")
        return [answers[wish] for wish in wishes]

    def _answer(self, wish: Wish) -> Answer:
        if isinstance(wish, Get):
            return self.client.get(wish.url, accept=wish.accept)
        if isinstance(wish, Archive):
            return self._archive(wish)
        return self._inside(wish)

    def _archive(self, wish: Archive) -> Answer:
        """A whole file, from the cache for ever: its name there is its hash."""
        cache = self.client.cache
        known = cache.load(f"sha256:{wish.sha256}", "*/*") if cache else None
        if known:
            return known.page
        answer = self.client.get(wish.url, limit=ARCHIVE_LIMIT, keep=False)
        if isinstance(answer, FetchFault):
            return answer
        if sha256(answer.body).hexdigest() != wish.sha256:
            text = f"`{wish.url}` has another sha256 than its index says"
            return FetchFault(problem=FetchProblem.CORRUPT, url=wish.url, text=text)
        if cache:
            cache.store(f"sha256:{wish.sha256}", "*/*", answer, self.client.clock())
        return answer

    def _inside(self, wish: Inside) -> Answer:
        cache = self.client.cache
        key = f"{wish.url}#{wish.member}"
        known = cache.load(key, "*/*") if cache else None
        if known:
            return known.page
        answer = self._whole(wish) if wish.whole else self._beside(wish) or self._by_range(wish)
        if isinstance(answer, Fetched) and cache:
            cache.store(key, "*/*", answer, self.client.clock())
        return answer

    def _beside(self, wish: Inside) -> Answer | None:
        """What the index serves by itself; None when it does not, or serves something else."""
        if wish.beside is None:
            return None
        answer = self.client.get(wish.beside, keep=False)
        if isinstance(answer, FetchFault):
            # A server that is down says nothing of the wheel either.
            return answer if answer.problem in {FetchProblem.UNREACHABLE, FetchProblem.OFFLINE} else None
        if wish.beside_sha256 and sha256(answer.body).hexdigest() != wish.beside_sha256:
            return None
        return answer

    def _by_range(self, wish: Inside) -> Answer:
        return _member(wish, read_member(self.client, wish.url, wish.member, chunk=_CHUNK))

    def _whole(self, wish: Inside) -> Answer:
        whole = self.client.get(wish.url, limit=WHOLE_LIMIT, keep=False)
        if isinstance(whole, FetchFault):
            return whole
        return _member(wish, member_of(whole.body, wish.url, wish.member))


def _member(wish: Inside, read: bytes | RangeFault) -> Answer:
    if isinstance(read, RangeFault):
        problem = read.problem or FetchProblem.CORRUPT
        return FetchFault(problem=problem, url=wish.url, text=read.text)
    return Fetched(url=wish.url, content_type="", body=read)


@contextmanager
def driver(
    client: Client, *, progress: Progress = silent, concurrency: int = CONCURRENCY
) -> Iterator[Driver]:
    """A driver for one refresh. When it is given up, nothing is asked any more and nobody is waited for."""
    stop = threading.Event()
    slept = client.sleep

    def sleep(seconds: float) -> None:
        if not stop.is_set():
            slept(seconds)

    client.sleep = sleep
    pool, whole = Workers(concurrency), False
    try:
        with client:
            yield Driver(client=client, pool=pool, progress=progress)
            whole = True
    except BaseException:
        stop.set()
        client.stopped = True
        raise
    finally:
        pool.end(patient=whole)
