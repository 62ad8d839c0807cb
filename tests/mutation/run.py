"""Mutation testing: `python tests/mutation/run.py --mutants 20 --out report.json`, or MUTANTS=20.

Needs the extra `mutation`, and a system that forks. Exit 1 when a room's tests see too few.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mutant_runner import BrokenRoom, Outcome, Verdict, copy_tree, run_room
from mutants import Mutant, Room, equivalents, rooms, sample

ENOUGH = 0.9
"""The part of the mutants not argued equivalent that tests must kill."""
FULL = 800
"""Mutants of a whole run. A smaller sample refutes `ENOUGH` only when it is two standard errors below."""


def main() -> int:
    told = _arguments()
    chosen = [room for name, room in rooms().items() if not told.room or name in told.room]
    mutants = sample(told.mutants, told.seed, chosen)
    argued = equivalents()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="mmlock-mutants-") as folder:
        tree = copy_tree(Path(folder))
        for room in chosen:
            own = [m for m in mutants if m.room == room.name and m.change not in argued]
            for verdict in _apart(room, own, tree):
                verdicts.append(verdict)
                print(line(verdict), flush=True)
    equivalent = [mutant for mutant in mutants if mutant.change in argued]
    told.out and told.out.write_text(
        json.dumps(report(verdicts, equivalent, argued), indent=1) + "\n", "utf-8"
    )
    print(table(verdicts, equivalent))
    return int(score(verdicts) < enough(len(mutants)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=int(os.environ.get("MUTANTS", "800")))
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--room", action="append", help="only this room of rooms.toml")
    parser.add_argument("--out", type=Path, help="the report as JSON")
    return parser.parse_args()


def _apart(room: Room, mutants: list[Mutant], tree: Path) -> Iterable[Verdict]:
    """The verdicts from a process of the room's own."""
    if not mutants:
        return
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(room, mutants, tree, theirs))
    process.start()
    theirs.close()
    try:
        while (said := ours.recv()) is not None:
            if isinstance(said, str):
                raise SystemExit(f"error: the tests fail without a mutant: {said}")
            yield said
    finally:
        process.join()


def _serve(room: Room, mutants: list[Mutant], tree: Path, out: Connection) -> None:
    try:
        for verdict in run_room(room, mutants, tree):
            out.send(verdict)
        out.send(None)
    except BrokenRoom as error:
        out.send(str(error))


def line(verdict: Verdict) -> str:
    change = verdict.mutant.change
    where = f"{change.file.rpartition('/')[2]}:{verdict.mutant.line} {change.function}"
    text = f"{verdict.outcome.value:9} {verdict.seconds:5.1f}s {where} {verdict.mutant.operator}"
    if verdict.outcome is Outcome.SURVIVED:
        text += f"\n    - {change.was}\n    + {change.becomes}"
    return text


def enough(number: int) -> float:
    """The score that so many mutants must reach."""
    return ENOUGH if number >= FULL else ENOUGH - 2 * (ENOUGH * (1 - ENOUGH) / max(1, number)) ** 0.5


def score(verdicts: list[Verdict]) -> float:
    seen = sum(verdict.outcome is not Outcome.SURVIVED for verdict in verdicts)
    return seen / len(verdicts) if verdicts else 1.0


def table(verdicts: list[Verdict], equivalent: list[Mutant]) -> str:
    rows = ["room         mutants killed timed-out survived equivalent score"]
    for name in [*rooms(), "all"]:
        own = [v for v in verdicts if name in {v.mutant.room, "all"}]
        same = sum(name in {mutant.room, "all"} for mutant in equivalent)
        if not own and not same:
            continue
        count = Counter(verdict.outcome for verdict in own)
        killed, late, alive = (count[o] for o in (Outcome.KILLED, Outcome.TIMED_OUT, Outcome.SURVIVED))
        rows.append(f"{name:12} {len(own) + same:7} {killed:6} {late:9} {alive:8} {same:10} {score(own):.1%}")
    return "\n".join(rows)


def report(verdicts: list[Verdict], equivalent: list[Mutant], argued: dict) -> dict[str, object]:  # type: ignore[type-arg]
    rows = [
        {
            "room": v.mutant.room,
            "operator": v.mutant.operator,
            "line": v.mutant.line,
            **asdict(v.mutant.change),
            "outcome": v.outcome.value,
            "by": v.by,
            "cpu_seconds": round(v.seconds, 2),
        }
        for v in verdicts
    ]
    rows += [
        {
            "room": m.room,
            "operator": m.operator,
            "line": m.line,
            **asdict(m.change),
            "outcome": "equivalent",
            "why": argued[m.change],
        }
        for m in equivalent
    ]
    return {"score": round(score(verdicts), 4), "enough": enough(len(rows)), "mutants": rows}


if __name__ == "__main__":
    sys.exit(main())
