"""What building mmcv's CPU ops costs: `mmlock build` against `pip wheel` on the same sources and inputs.

    python benchmarks/build_mmcv.py LOCK [--find-links DIR] [--jobs N] [--skip-pip]

LOCK is an unsealed lock folder, as `mmlock solve --gpu cpu --python 3.11 --torch 2.13.0 --out LOCK` writes
it. Reports CPU seconds (user and system, children included), which a busy machine changes least, for
mmlock's first build, a warm wheelhouse, and pip's build in the very environment that mmlock made.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds of all children, and wall seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    after, ended = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ended - started)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lock", type=Path)
    parser.add_argument("--find-links", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--skip-pip", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mmlock-bench-") as folder:
        home = Path(folder)
        # A cache of its own, or the wheelhouse would answer at once.
        environ = {**os.environ, "MMLOCK_CACHE_DIR": str(home / "cache")}
        links = ["--find-links", str(asked.find_links)] if asked.find_links else []

        def build(name: str, *more: str) -> Callable[[], object]:
            lock = home / name
            shutil.copytree(asked.lock, lock)
            words = [
                sys.executable,
                "-m",
                "mmlock",
                "build",
                "--yes",
                str(lock),
                *links,
                "--jobs",
                str(asked.jobs),
                *more,
            ]
            return lambda: subprocess.run(words, check=True, env=environ, stdout=subprocess.DEVNULL)

        first = measured(build("first", "--keep"))
        report("mmlock build", first, None)
        report("mmlock build, warm wheelhouse", measured(build("warm")), first)
        if not asked.skip_pip:
            report("pip wheel --no-build-isolation", measured(lambda: pip_wheel(home, asked.jobs)), first)
    return 0


def pip_wheel(home: Path, jobs: int) -> None:
    """The same patched sources, unbuilt, and the same environment, by plain pip."""
    (built,) = (home / "cache" / "builds").glob("*/sources/*/")
    sources = home / "plain" / built.name
    shutil.copytree(built, sources, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    venv = built.parents[1] / "venv"
    environ = {**os.environ, "MAX_JOBS": str(jobs), "PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    words = [venv / "bin" / "python", "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps"]
    words += ["--no-cache-dir", "-w", home / "out", sources]
    subprocess.run(words, check=True, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def report(name: str, spent: tuple[float, float], against: tuple[float, float] | None) -> None:
    cpu, wall = spent
    ratio = f"  {cpu / against[0]:.2f} x mmlock's CPU" if against and against[0] else ""
    print(f"{name:32} {cpu:8.1f} s CPU {wall:8.1f} s wall{ratio}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
