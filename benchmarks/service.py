"""How many different solves a service answers: `python benchmarks/service.py URL [CLIENTS] [SECONDS]`.

Each request differs from all others (the driver of the machine), so none is answered from memory; the
closures are those of a few targets and come from mmlock's cache, as on a server that is warm. For
equal requests use wrk.
"""

from __future__ import annotations

import sys
import threading
import time
from statistics import quantiles

import httpx

GPUS = ("rtx5090", "rtx4090", "a100", "t4", "h100", "v100")


def main(url: str, clients: int, seconds: float) -> None:
    """Ask for so long with so many clients, and print what came."""
    took: list[float] = []
    statuses: dict[int, int] = {}
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        with httpx.Client(base_url=url, timeout=120) as http:
            turn = 0
            while time.monotonic() < end:
                body = {"gpus": [GPUS[(number + turn) % len(GPUS)]], "driver": f"600.{number}.{turn}"}
                started = time.monotonic()
                answer = http.post("/api/v1/solve", json=body, params={"wait": 30})
                took.append(time.monotonic() - started)
                statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
                turn += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parts = quantiles(took, n=100)
    print(f"{clients} clients, {seconds:.0f} s: {len(took) / seconds:.1f} solves/s, statuses {statuses}")
    print(f"p50 {parts[49] * 1000:.0f} ms, p99 {parts[98] * 1000:.0f} ms")


if __name__ == "__main__":
    place, number, long = (*sys.argv[1:], "50", "60")[:3] if len(sys.argv) == 2 else sys.argv[1:4]  # noqa: PLR2004
    main(place, int(number), float(long))
