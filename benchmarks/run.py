"""All benchmarks, one after another: `make bench`.

    python benchmarks/run.py [NAME ...] [--quick] [--json] [--lock LOCK]

NAME is one of core_solve, start_up, closure_vs_uv, end_to_end, validate_cost. The last one runs where a
sealed lock for this machine is given. No number passes or fails: those of two machines, or of two hours on a
busy one, do not compare. What counts are the ratios of paired runs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from report import parser_of

BENCHMARKS = {
    "start_up": ("--rounds=5",),
    "core_solve": ("--rounds=3", "--count=200"),
    "closure_vs_uv": ("--runs=2",),
    "end_to_end": ("--rounds=2", "--direct=0"),
    "validate_cost": ("--rounds=1",),
}
"""In running order, with what makes each quick."""

ON_LOCKS = frozenset({"validate_cost"})
"""Those that need a sealed lock."""

NETWORK = frozenset({"closure_vs_uv", "end_to_end"})


def run(name: str, *, quick: bool, as_json: bool, lock: str | None) -> bool:
    """Run one; says whether it came to its end."""
    words = [sys.executable, str(Path(__file__).with_name(f"{name}.py"))]
    if name in ON_LOCKS:
        if lock is None:
            print(f"warning: {name} was left out: it needs a sealed lock, --lock LOCK\n", file=sys.stderr)
            return True
        words.append(lock)
    words += BENCHMARKS[name] if quick else ()
    words += ["--json"] if as_json else []
    if not as_json:
        print(f"== {name}\n", flush=True)
    if subprocess.run(words, check=False).returncode == 0:
        return True
    why = ": it needs a package index that can be reached" if name in NETWORK else ""
    print(f"warning: {name} did not finish{why}\n", file=sys.stderr)
    return False


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that everything runs")
    parser.add_argument("--lock", help="a sealed lock for this machine, such as `mmlock build` leaves")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(BENCHMARKS)):
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    names = [name for name in BENCHMARKS if name in arguments.names or not arguments.names]
    if arguments.json and len(names) > 1:
        parser.error("--json gives one document: name one benchmark")
    done = [run(name, quick=arguments.quick, as_json=arguments.json, lock=arguments.lock) for name in names]
    sys.exit(0 if all(done) else 1)


if __name__ == "__main__":
    main()
