"""The one fetch loop: answers what scrapers ask for, several at a time, each file once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from hashlib import sha256
from urllib.parse import urlsplit

from msgspec import Struct

from mmlock.core.background import PULSE
from mmlock.core.progress import Progress, silent
from mmlock.facts.scrape.fetch_page import Answer, FetchPage, Get, Scrape, Scraped, WheelMember, WholeFile
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

    def run(self, name: str, scrape: Scrape) -> Scraped:
        """What a scraper finds."""
        try:
            requests = next(scrape)
            while True:
                requests = scrape.send(self.fetch(name, requests))
        except StopIteration as stop:
            found: Scraped = stop.value
            return found

    def fetch(self, name: str, requests: Sequence[FetchPage]) -> list[Answer]:
        """Answers in the order of the requests."""
        answers: dict[FetchPage, Answer] = {}
        todo = list(dict.fromkeys(requests))
        hosts: set[str] = set()
        for request in todo:
            host = urlsplit(request.url).netloc
            if host not in hosts and not self.client.health.known(request.url):
                # One request learns whether a host is there; many would each wait for it.
                hosts.add(host)
                answers[request] = self._answer(request)
        rest = [request for request in todo if request not in answers]
        if rest:
            self.progress(f"{name}: {len(todo)} to read")
        running: list[tuple[FetchPage, Future[Answer]]] = [
            (request, self.pool.submit(self._answer, request)) for request in rest
        ]
        for at, (request, future) in enumerate(running, 1):
            while not future.done():
                wait([future], PULSE)
            answers[request] = future.result()
            if at % 50 == 0:
                self.progress(f"{name}: {at} of {len(running)} read")
        return [answers[request] for request in requests]

    def _answer(self, request: FetchPage) -> Answer:
        if isinstance(request, Get):
            return self.client.get(request.url, accept=request.accept)
        if isinstance(request, WholeFile):
            return self._archive(request)
        return self._inside(request)

    def _archive(self, request: WholeFile) -> Answer:
        """A whole file, from the cache for ever: its name there is its hash."""
        cache = self.client.cache
        known = cache.load(f"sha256:{request.sha256}", "*/*") if cache else None
        if known:
            return known.page
        answer = self.client.get(request.url, limit=ARCHIVE_LIMIT, keep=False)
        if isinstance(answer, FetchFault):
            return answer
        if sha256(answer.body).hexdigest() != request.sha256:
            text = f"`{request.url}` has another sha256 than its index says"
            return FetchFault(problem=FetchProblem.CORRUPT, url=request.url, text=text)
        if cache:
            cache.store(f"sha256:{request.sha256}", "*/*", answer, self.client.clock())
        return answer

    def _inside(self, request: WheelMember) -> Answer:
        cache = self.client.cache
        key = f"{request.url}#{request.member}"
        known = cache.load(key, "*/*") if cache else None
        if known:
            return known.page
        answer = self._whole(request) if request.whole else self._beside(request) or self._by_range(request)
        if isinstance(answer, Fetched) and cache:
            cache.store(key, "*/*", answer, self.client.clock())
        return answer

    def _beside(self, request: WheelMember) -> Answer | None:
        """What the index serves by itself; None when it does not, or serves something else."""
        if request.beside is None:
            return None
        answer = self.client.get(request.beside, keep=False)
        if isinstance(answer, FetchFault):
            # A server that is down says nothing of the wheel either.
            return answer if answer.problem in {FetchProblem.UNREACHABLE, FetchProblem.OFFLINE} else None
        if request.beside_sha256 and sha256(answer.body).hexdigest() != request.beside_sha256:
            return None
        return answer

    def _by_range(self, request: WheelMember) -> Answer:
        return _member(request, read_member(self.client, request.url, request.member, chunk=_CHUNK))

    def _whole(self, request: WheelMember) -> Answer:
        whole = self.client.get(request.url, limit=WHOLE_LIMIT, keep=False)
        if isinstance(whole, FetchFault):
            return whole
        return _member(request, member_of(whole.body, request.url, request.member))


def _member(request: WheelMember, read: bytes | RangeFault) -> Answer:
    if isinstance(read, RangeFault):
        problem = read.problem or FetchProblem.CORRUPT
        return FetchFault(problem=problem, url=request.url, text=read.text)
    return Fetched(url=request.url, content_type="", body=read)


@contextmanager
def driver(
    client: Client, *, progress: Progress = silent, concurrency: int = CONCURRENCY
) -> Iterator[Driver]:
    """A driver for one refresh. After it is given up it sends no requests and waits for nobody."""
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
