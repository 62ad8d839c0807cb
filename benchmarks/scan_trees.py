"""What reading whole source trees costs: median seconds of some rounds, beside parsing alone.

python benchmarks/scan_trees.py TREE...        # unpacked sources, such as those of mmdet and mmdet3d
"""

from __future__ import annotations

import argparse
import ast
import os
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from report import Table

from mmlock.facts.matrix.load import open_matrix
from mmlock.scan.known import known_of
from mmlock.scan.scan import scan

ROUNDS = 3


def median(work: Callable[[], object]) -> float:
    """Median seconds of some rounds, the first left out."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def parsed(root: Path) -> None:
    """The floor: every file read and parsed, nothing looked at."""
    for path in root.rglob("*.py"):
        try:
            ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue


def main() -> None:
    """One row for each tree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("trees", nargs="+", type=Path)
    known = known_of(open_matrix())
    warnings.simplefilter("ignore")
    rows = []
    for root in parser.parse_args().trees:
        found = scan(root, known)
        lines = sum(path.read_bytes().count(b"\n") for path in root.rglob("*.py"))
        ours, floor = median(partial(scan, root, known)), median(partial(parsed, root))
        counts = (found.files, lines, len(found.conclusion.ops), len(found.pins))
        rows.append((root.name, *counts, ours, floor, ours / floor))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    columns = ("tree", "files", "lines", "ops", "pins", "scan s", "parse s", "ratio")
    load = f"load {os.getloadavg()[0]:.1f}; peak {peak} MB"
    print(Table(title="Whole trees", columns=columns, rows=tuple(rows), notes=(load,)).text())


if __name__ == "__main__":
    main()
