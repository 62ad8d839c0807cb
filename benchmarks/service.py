"""What a service does: `python benchmarks/service.py [URL] [--clients N] [--seconds S] [--solves N]`.

Without a URL one is started. It asks for

- a warm solve, one client, next to bare uv as a process on the same closure: p50 of each, and the ratio;
- different solves by many clients: each differs from all others (the driver of the machine), so none is
  answered from memory; closures are those of a few targets and come from mmlock's cache, as on a warm server;
- repeats by many clients: the same bytes again;
- the matrix page;
- memory of the server and of its processes, before and after all that, and after `--solves` more.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from bare import requirements, uv_words

from mmlock.client import ServiceClient
from mmlock.core.arguments import SolveArguments

GPUS = ("rtx5090", "rtx4090", "a100", "t4", "h100", "v100")
INDEX = "https://pypi.org/simple"
SOLVE = "/api/v1/solve?wait=30"
_numbers = itertools.count(1)


@contextmanager
def service() -> Iterator[tuple[str, psutil.Process]]:
    """A server of its own."""
    words = [sys.executable, "-m", "mmlock", "serve", "--port", "0"]
    with tempfile.TemporaryDirectory() as state:
        environ = {**os.environ, "MMLOCK_STATE_DIR": state}
        with (Path(state) / "log").open("w") as log:
            process = subprocess.Popen(words, stderr=log, env=environ)
        try:
            while not (found := re.search(r"serving on (\S+)", (Path(state) / "log").read_text())):
                time.sleep(0.1)
            yield found[1], psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def different() -> bytes:
    """A question that nobody put before."""
    number = next(_numbers)
    body = {"gpus": [GPUS[number % len(GPUS)]], "driver": f"600.{os.getpid() % 1000}.{number}"}
    return json.dumps(body).encode()


def same() -> bytes:
    """A question that everybody puts."""
    return json.dumps({"gpus": [GPUS[0]]}).encode()


async def ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    body: bytes,
    path: str = "/api/v1/solve?wait=30",
) -> int:
    """Put a question over an open connection; the status."""
    verb = "POST" if body else "GET"
    head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", answer)
    assert length is not None
    await reader.readexactly(int(length[1]))
    return int(answer[9:12])


async def load(url: str, clients: int, seconds: float, question: Callable[[], bytes]) -> str:
    """Ask for so long with so many clients."""
    took: list[float] = []
    statuses: Counter[int] = Counter()
    parts = urlsplit(url)
    end = time.monotonic() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
        while time.monotonic() < end:
            started = time.monotonic()
            statuses[await ask(reader, writer, question())] += 1
            took.append(time.monotonic() - started)
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(client() for _ in range(clients)))
    each = statistics.quantiles(took, n=100)
    rate = len(took) / (time.monotonic() - started)
    return (
        f"{rate:.1f}/s, p50 {each[49] * 1000:.0f} ms, p99 {each[98] * 1000:.0f} ms, statuses {dict(statuses)}"
    )


async def one(
    url: str, count: int, question: Callable[[], bytes], path: str = "/api/v1/solve?wait=30"
) -> float:
    """The p50 of one client, in seconds."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    took = []
    for _ in range(count):
        started = time.monotonic()
        status = await ask(reader, writer, question(), path)
        assert status == 200, status  # noqa: PLR2004
        took.append(time.monotonic() - started)
    writer.close()
    return statistics.median(took)


def bare_uv(url: str, count: int) -> float:
    """The p50 of uv as a process on the closure of a solve, in seconds; its cache is warm."""
    with ServiceClient(url) as client:
        env = client.solve(SolveArguments(gpus=(GPUS[0],))).lock
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "requirements.in"
        file.write_text("\n".join(requirements(env)) + "\n")
        took = []
        for _ in range(count + 1):
            started = time.monotonic()
            subprocess.run(uv_words(env, file, INDEX), check=True, stdout=subprocess.DEVNULL)
            took.append(time.monotonic() - started)
    return statistics.median(took[1:])


def memory(server: psutil.Process | None) -> str:
    """Resident megabytes of the server and of each of its processes."""
    if server is None:
        return "not measured: the server is somebody else's"
    sizes = [one.memory_info().rss >> 20 for one in (server, *server.children(recursive=True))]
    return " + ".join(map(str, sizes)) + " MB"


def measure(url: str, server: psutil.Process | None, clients: int, seconds: float, solves: int) -> None:
    """Print all of it."""
    for gpu in GPUS:  # the closures, once
        asyncio.run(one(url, 1, lambda gpu=gpu: json.dumps({"gpus": [gpu]}).encode()))  # type: ignore[misc]
    asyncio.run(one(url, 12, different))
    before = memory(server)
    pairs = [(asyncio.run(one(url, 5, different)), bare_uv(url, 5)) for _ in range(4)]
    ours, uv = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    print(f"warm solve: p50 {ours * 1000:.0f} ms; bare uv {uv * 1000:.0f} ms; ratio {ours / uv:.2f}")
    print(f"different, {clients} clients: {asyncio.run(load(url, clients, seconds, different))}")
    print(f"repeats, {clients} clients: {asyncio.run(load(url, clients, seconds, same))}")
    asyncio.run(one(url, 1, bytes, "/matrix?gpu=rtx5090"))
    print(f"matrix page: p50 {asyncio.run(one(url, 20, bytes, '/matrix?gpu=rtx5090')) * 1000:.0f} ms")
    print(f"memory: {before} before, {memory(server)} after")
    for done in range(0, solves, 500):
        asyncio.run(one(url, min(500, solves - done), different))
        print(f"memory after {done + 500} more solves: {memory(server)}", flush=True)


def main() -> None:
    """Measure the service that was named, or a new one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", nargs="?")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--solves", type=int, default=0)
    asked = parser.parse_args()
    if asked.url:
        measure(asked.url, None, asked.clients, asked.seconds, asked.solves)
        return
    with service() as (url, server):
        measure(url, server, asked.clients, asked.seconds, asked.solves)


if __name__ == "__main__":
    main()
