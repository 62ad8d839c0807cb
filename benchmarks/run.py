"""All benchmarks, one after another: `make bench`.

    python benchmarks/run.py [NAME ...] [--lock LOCK] [--quick] [--json]

NAME is one of start_up, core_solve, closure_vs_uv, end_to_end, binary_reading, refresh_pypi, validate_cost.
Without any, all run that need nothing but an index. No number passes or fails: those of two machines, or of
two hours on a busy one, do not compare. What counts are the ratios of paired runs. README.md tells what was
reached.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from report import parser_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """How one is started."""

    words: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    """What makes it quick."""
    network: bool = False
    lock: bool = False
    """Whether it needs a sealed lock folder for this machine."""
    named: bool = False
    """Whether it runs only when it is named: it takes minutes, or what it needs must be given."""
    tables: bool = True
    """Whether it can tell its tables as JSON."""


BENCHMARKS = {
    "start_up": Benchmark(quick=("--rounds=5",)),
    "core_solve": Benchmark(quick=("--rounds=3", "--count=200")),
    "closure_vs_uv": Benchmark(quick=("--runs=2",), network=True),
    "end_to_end": Benchmark(quick=("--rounds=2", "--direct=0"), network=True),
    "binary_reading": Benchmark(words=("--verdict",), tables=False),
    "refresh_pypi": Benchmark(quick=("--newest=1",), network=True, named=True, tables=False),
    "validate_cost": Benchmark(quick=("--rounds=1",), network=True, lock=True, named=True),
}
"""In running order."""


def run(name: str, *, lock: str | None, quick: bool, as_json: bool) -> bool:
    """Run one; says whether it came to its end."""
    one = BENCHMARKS[name]
    words = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *one.words]
    words += one.quick if quick else ()
    words += ["--json"] if as_json else []
    words += [lock] if one.lock and lock else []
    if not as_json:
        print(f"== {name}\n", flush=True)
    if subprocess.run(words, check=False).returncode == 0:
        return True
    why = ": it needs a package index that can be reached" if one.network else ""
    print(f"warning: {name} did not finish{why}\n", file=sys.stderr)
    return False


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all that need nothing")
    parser.add_argument("--lock", help="a sealed lock folder for this machine, for validate_cost")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that everything runs")
    arguments = parser.parse_args()
    asked = set(arguments.names) | ({"validate_cost"} if arguments.lock else set())
    if unknown := sorted(asked - set(BENCHMARKS)):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if not arguments.lock and (lacking := [name for name in asked if BENCHMARKS[name].lock]):
        parser.error(f"{', '.join(lacking)}: name a sealed lock folder with --lock")
    names = [n for n, one in BENCHMARKS.items() if n in asked or not (arguments.names or one.named)]
    if arguments.json and (len(names) > 1 or not all(BENCHMARKS[name].tables for name in names)):
        parser.error("--json gives one document: name one benchmark that has tables")
    done = [run(name, lock=arguments.lock, quick=arguments.quick, as_json=arguments.json) for name in names]
    sys.exit(0 if all(done) else 1)


if __name__ == "__main__":
    main()
