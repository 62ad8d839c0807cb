"""The closure of the default stack, by mmlock and by bare `uv pip compile`, in turns on this machine.

    python benchmarks/closure_vs_uv.py [--runs 5] [--latency 30] [--index https://pypi.org/simple]

Three states: *cold* (empty caches), *warm* (uv's cache filled, mmlock's own answer forgotten) and *repeat*
(nothing changed). Each run of mmlock is a process of its own, as a user's is, and stands next to a run of
uv; the table gives medians and the median of the paired ratios. Requests and bytes are counted by a proxy
on the loopback interface, which holds what it fetched, so that both see the same index at the same speed,
`--latency` milliseconds away.
Nothing is written but temporary caches.

Two bare runs are compared with: `uv`, which is given the core as ordinary requirements (as a user would),
and `uv*`, which is given the very files that mmlock hands over (the same question).
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from closure_question import CORE, WANTED
from counting_index import Proxy, counting_index
from report import Table, parser_of, show, user_environ

from mmlock.resolve.closure.metadata_wheel import place_wheels
from mmlock.resolve.closure.uv_find import find_uv

BARE = ("torch==2.11.0", "numpy<2", *WANTED)


@dataclass(frozen=True)
class Run:
    seconds: float
    requests: int
    bytes: int


def measured(words: list[str], environ: Mapping[str, str], proxy: Proxy) -> Run:
    proxy.counts.take()
    start = time.perf_counter()
    done = subprocess.run(words, env=dict(environ), capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr[-3000:]
    return Run(seconds, *proxy.counts.take())


def uv_words(requirements: Path, index: str) -> list[str]:
    uv = find_uv(os.environ)
    assert uv is not None
    words = [uv.path, "pip", "compile", str(requirements), "--format", "pylock.toml", "--no-config"]
    words += ["--only-binary", ":all:", "--python-version", "3.12", "--default-index", index, "--quiet"]
    return [*words, "--python-platform", "x86_64-manylinux_2_28", "--python", sys.executable]


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if not key.startswith(("UV_", "PIP_"))}


def one_round(contestants: Mapping[str, list[str]], folder: Path, proxy: Proxy) -> dict[str, dict[str, Run]]:
    """Cold, warm and repeat of every contestant, state by state so that neighbours share the weather."""
    environs = {
        name: clean(user_environ())
        | {"UV_CACHE_DIR": str(folder / name / "uv"), "MMLOCK_CACHE_DIR": str(folder / name / "own")}
        for name in contestants
    }
    found: dict[str, dict[str, Run]] = {}
    for state in ("cold", "warm", "repeat"):
        found[state] = {}
        for name, words in contestants.items():
            if state == "warm":
                shutil.rmtree(folder / name / "own" / "closure", ignore_errors=True)
            found[state][name] = measured(words, environs[name], proxy)
    return found


def table(rounds: list[dict[str, dict[str, Run]]]) -> Table:
    rows = []
    for state in ("cold", "warm", "repeat"):
        for name in rounds[0][state]:
            runs = [found[state][name] for found in rounds]
            ratios = [
                statistics.median(found[state][name].seconds / found[state][bare].seconds for found in rounds)
                for bare in ("uv", "uv*")
            ]
            ms = round(1000 * statistics.median(run.seconds for run in runs))
            rows.append((state, name, ms, *ratios, runs[-1].requests, round(runs[-1].bytes / 1000)))
    return Table(
        title=f"the closure of the default stack, {len(rounds)} rounds",
        columns=("state", "who", "ms", "/ uv", "/ uv*", "requests", "kB"),
        rows=tuple(rows),
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--latency", type=float, default=30, help="milliseconds before every answer")
    parser.add_argument("--index", default="https://pypi.org/simple")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        counting_index(arguments.index, arguments.latency / 1000) as proxy,
    ):
        folder, index = Path(name), f"{proxy.url}/simple"
        (folder / "bare.txt").write_text("\n".join(BARE))
        (folder / "same.txt").write_text("\n".join([*place_wheels(CORE, folder / "core"), *WANTED]))
        contestants = {
            "uv": uv_words(folder / "bare.txt", index),
            "uv*": uv_words(folder / "same.txt", index),
            "mmlock": [sys.executable, str(Path(__file__).with_name("closure_question.py")), index],
        }
        one_round(contestants, folder / "first", proxy)  # fills the proxy
        rounds = [one_round(contestants, folder / str(at), proxy) for at in range(arguments.runs)]
    show([table(rounds)], as_json=arguments.json)


if __name__ == "__main__":
    main()
