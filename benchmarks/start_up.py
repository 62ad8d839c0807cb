"""How long it takes to say hello: mmlock, the Python it runs on, and uv, in turns on this machine.

    python benchmarks/start_up.py [--rounds 15] [--json]

Every round runs each command once, so that neighbours share the weather; ratios are medians of paired runs.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from report import Table, median_ratio, parser_of, show, user_environ

from mmlock.resolve.closure.uv_find import find_uv

_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


def commands() -> dict[str, list[str]]:
    own = str(Path(sys.executable).parent / "mmlock")
    uv = find_uv(os.environ)
    assert uv is not None
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "uv --version": [uv.path, "--version"],
        "mmlock --version": [own, "--version"],
        "mmlock --help": [own, "--help"],
        "mmlock solve --help": [own, "solve", "--help"],
    }


def seconds(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, env=user_environ(), check=True)
    return time.perf_counter() - start


def compared(rounds: int) -> Table:
    words = commands()
    for command in words.values():
        seconds(command)  # bytecode and the disk's cache
    runs: dict[str, list[float]] = {name: [] for name in words}
    for _ in range(rounds):
        for name, command in words.items():
            runs[name].append(seconds(command))
    rows = []
    for name, found in runs.items():
        python, uv = (median_ratio(found, runs[base]) for base in ("python -c pass", "uv --version"))
        rows.append((name, 1000 * statistics.median(found), 1000 * min(found), python, uv))
    return Table(
        title=f"start-up, {rounds} rounds",
        columns=("command", "median ms", "least ms", "/ python", "/ uv"),
        rows=tuple(rows),
    )


def imports() -> Table:
    """What `mmlock --help` spends its imports on, by top module as Python itself tells it."""
    words = [sys.executable, "-X", "importtime", "-m", "mmlock", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, env=user_environ(), check=True)
    spent: dict[str, int] = {}
    for own, _, _, module in _IMPORT.findall(done.stderr):
        top = module.partition(".")[0]
        spent[top] = spent.get(top, 0) + int(own)
    top = sorted(spent.items(), key=lambda item: -item[1])[:8]
    return Table(
        title="imports of `mmlock --help`, one traced run",
        columns=("module", "ms"),
        rows=tuple((name, micro / 1000) for name, micro in top),
    )


def tables(rounds: int) -> Iterator[Table]:
    yield compared(rounds)
    yield imports()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    show(tables(arguments.rounds), as_json=arguments.json)


if __name__ == "__main__":
    main()
