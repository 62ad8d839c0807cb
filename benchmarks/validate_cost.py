"""What a validation costs: its installation against bare uv, and where the rest of the time goes.

    python benchmarks/validate_cost.py LOCK [--rounds N] [--json]

LOCK is a sealed lock folder for this machine. Bare uv makes an environment and runs `uv pip sync` on
the same `pylock.toml`; both find every file in uv's cache. Runs stand in pairs, in turn first and second.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from report import Table, median_ratio, parser_of, show

from mmlock.lock.read import read_lock
from mmlock.wheels.buildenv import find_python
from mmlock.wheels.find_uv import find_uv


def bare(lock: Path, python: str, home: Path) -> float:
    """Seconds that uv takes to make an environment and to fill it."""
    prefix = home / "bare"
    shutil.rmtree(prefix, ignore_errors=True)
    uv = find_uv().path
    started = time.monotonic()
    subprocess.run([uv, "venv", "-q", "--no-project", "--python", python, str(prefix)], check=True)
    sync = [uv, "pip", "sync", "-q", str(lock / "pylock.toml"), "--python", str(prefix / "bin" / "python")]
    subprocess.run(sync, check=True)
    return time.monotonic() - started


def validated(lock: Path, home: Path) -> dict[str, float]:
    """Seconds of each stage of a whole validation, and of all."""
    words = [sys.executable, "-m", "mmlock", "validate", "--yes", str(lock), "--format", "json"]
    started = time.monotonic()
    ran = subprocess.run([*words, "--out", str(home / "verdict.json")], capture_output=True, check=False)
    whole = time.monotonic() - started
    told = json.loads(ran.stdout)
    if told["result"] != "PASSED":
        sys.exit(f"error: the lock is {told['result']}: {told['reasons']}")
    details = told["statement"]["predicate"]["mmlock"]
    suites = {f"suite {one['name']}": _spent(one) for one in details["suites"]}
    return {**details["seconds"], **suites, "whole": whole}


def _spent(suite: dict[str, object]) -> float:
    checks = suite["checks"]
    assert isinstance(checks, list)
    return float(str(suite["seconds"])) + sum(check.get("seconds", 0.0) for check in checks)


def tables(lock: Path, rounds: int) -> Iterator[Table]:
    env = read_lock(lock)
    python = find_python(find_uv(), env.python, None)
    theirs, ours = [], []
    with tempfile.TemporaryDirectory(prefix="mmlock-bench-", dir=Path.home() / ".cache") as folder:
        home = Path(folder)
        bare(lock, python, home)  # fills uv's cache
        for turn in range(rounds):
            for first in (True, False):
                if first == (turn % 2 == 0):
                    theirs.append(bare(lock, python, home))
                else:
                    ours.append(validated(lock, home))
    installs = [one["install"] for one in ours]
    yield Table(
        title=f"installing {len(env.packages)} packages, {rounds} pairs, {os.cpu_count()} cores",
        columns=("what", "median s", "ratio"),
        rows=(
            ("uv venv and uv pip sync", statistics.median(theirs), 1.0),
            (
                "mmlock validate, its install stage",
                statistics.median(installs),
                median_ratio(installs, theirs),
            ),
        ),
    )
    yield Table(
        title="one validation",
        columns=("stage", "median s"),
        rows=tuple((name, statistics.median(one[name] for one in ours)) for name in ours[0]),
        notes=("a suite's seconds are its imports and its checks; torch is imported by each suite anew",),
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    show(tables(arguments.lock.absolute(), arguments.rounds), as_json=arguments.json)


if __name__ == "__main__":
    main()
