"""Every lock that `mmlock.toml` names is solved again, written or compared."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct

from mmlock.core.catalogue import Catalogue, LocksArguments, Pair, parse_catalogue
from mmlock.core.errors import MmlockError, UsageError
from mmlock.core.faults import Fault
from mmlock.core.progress import Progress, advance, silent
from mmlock.core.report import Page
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.files.user_files import UserFiles, read_text
from mmlock.upkeep.catalogue.outcome import Failed, Outcome
from mmlock.upkeep.catalogue.state import Entry, State, StateKind, compare, entries, strays, write_entry
from mmlock.upkeep.catalogue.table import put_table, stale_table
from mmlock.upkeep.known_locks import accept
from mmlock.validate.attest.trust import Trust
from mmlock.validate.evidence import notes, notes_data, trust_for
from mmlock.validate.proven import Evidence, PassedOver, validations

MOST_JOBS = 4


__all__ = [
    "Decide",
    "DecideWith",
    "Failed",
    "Outcome",
    "Solving",
    "locks",
    "matrix_at",
    "read_catalogue",
    "solve_pairs",
]

Decide = Callable[[Pair], Outcome]
"""Solves one pair. It may go to other processes."""
DecideWith = Callable[["Solving"], Decide]
"""What solves pairs, from what they are solved with."""


def locks(request: LocksArguments, decide: DecideWith, *, progress: Progress = silent) -> Page:
    """Solve every pair and write what differs, or with `check` only tell it. One refusal stops no other.

    Raises UsageError for a `mmlock.toml` that cannot be used, EnvironmentFault where nothing can be written.
    """
    catalogue = read_catalogue(request.file)
    pairs = _chosen(catalogue, request.only)
    # All are decided before any is written: what verdicts prove must not depend on who was first.
    trust = trust_for(request.allowed_signers, request.file)
    solving = Solving.of(catalogue, pairs, request, trust)
    outcomes = solve_pairs(solving, pairs, decide(solving), progress=progress)
    states = [(pair, _take(pair, outcome, request, trust)) for pair, outcome in outcomes]
    loose = () if request.only else strays(catalogue)
    table = _table(catalogue, request, trust)
    return _page(states, loose, table, solving.passed_over, check=request.check)


class Solving(Struct, frozen=True, kw_only=True):
    """What pairs are solved with."""

    proven: Evidence
    """What the verdicts of all locks prove."""
    own: Mapping[str, Evidence]
    """What those prove that a pair names itself, by the pair."""
    jobs: int | None
    offline: bool
    matrices: Path | None

    @classmethod
    def of(
        cls, catalogue: Catalogue, pairs: Iterable[Pair], request: LocksArguments, trust: Trust
    ) -> Solving:
        """With the verdicts in the catalogue's folder."""
        return cls(
            proven=validations((catalogue.folder,), trust) if catalogue.folder.is_dir() else Evidence(),
            own={p.name: validations(p.request.verdicts, trust) for p in pairs if p.request.verdicts},
            jobs=request.jobs,
            offline=request.offline,
            matrices=request.matrices,
        )

    @property
    def passed_over(self) -> tuple[PassedOver, ...]:
        """The verdicts that do not count."""
        own = (one for each in self.own.values() for one in each.passed_over)
        return tuple(dict.fromkeys((*self.proven.passed_over, *own)))


def solve_pairs(
    solving: Solving, pairs: tuple[Pair, ...], decide: Decide, *, progress: Progress = silent
) -> list[tuple[Pair, Outcome]]:
    """Each pair with its outcome, in their order. Nothing is written."""
    outcomes: list[tuple[Pair, Outcome]] = []
    for decided in _outcomes(pairs, solving.jobs, decide):
        outcomes.append(decided)
        progress(f"solved {len(outcomes)} of {len(pairs)}: {decided[0].name}")
        advance(progress, "locks", len(outcomes), len(pairs))
    return outcomes


def read_catalogue(file: Path) -> Catalogue:
    """The catalogue in a file."""
    text = read_text(str(file))
    if isinstance(text, Fault):
        raise UsageError(
            f"`{file}` cannot be read",
            causes=[text.text],
            hints=["it names the stacks to lock and their targets; `mmlock locks --help` shows one"],
        )
    return parse_catalogue(text, file, UserFiles())


def _chosen(catalogue: Catalogue, only: Iterable[str]) -> tuple[Pair, ...]:
    words = tuple(word.strip("/") for word in only)
    names = {name for pair in catalogue.pairs for name in (pair.name, pair.stack)}
    if unknown := sorted(set(words) - names):
        raise UsageError(
            f"`{unknown[0]}` is not in the catalogue",
            hints=[
                "expected STACK/TARGET or one of "
                + ", ".join(sorted({pair.stack for pair in catalogue.pairs}))
            ],
        )
    return tuple(p for p in catalogue.pairs if not words or p.name in words or p.stack in words)


# ---------------------------------------------------------------- deciding


def _outcomes(pairs: tuple[Pair, ...], jobs: int | None, decide: Decide) -> Iterator[tuple[Pair, Outcome]]:
    """Each pair with its outcome, in their order; several processes where that pays."""
    jobs = min(jobs or min(os.cpu_count() or 1, MOST_JOBS), len(pairs))
    if jobs <= 1:
        yield from ((pair, decide(pair)) for pair in pairs)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # `spawn`: the same on every system, and no thread of this process is copied.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from zip(pairs, pool.map(decide, pairs), strict=True)


# ---------------------------------------------------------------- what comes of it


@cache
def matrix_at(path: Path | None) -> Matrix:
    """The facts of a run, read once a process."""
    return open_matrix(path)


def _take(pair: Pair, outcome: Outcome, request: LocksArguments, trust: Trust) -> State:
    if isinstance(outcome, Failed):
        return State(kind=StateKind.FAILED, lines=outcome.lines)
    if request.check:
        return compare(pair, outcome, matrix_at(request.matrices), trust)
    state = write_entry(pair, outcome, trust)
    if pair.request.out is not None:
        accept(pair.request.out)
    return state


def _table(catalogue: Catalogue, request: LocksArguments, trust: Trust) -> str | None:
    """What became of the table of all locks, in words; None where there is none to keep."""
    if catalogue.table is None or (request.check and request.only):
        return None
    try:
        held: tuple[Entry, ...] = tuple(entries(catalogue, trust))
    except MmlockError:
        if request.check:
            return "stale"
        raise
    if request.check:
        return "stale" if stale_table(catalogue.table, held, catalogue.folder) else "up to date"
    return "written" if put_table(catalogue.table, held, catalogue.folder) else "unchanged"


def _page(
    states: list[tuple[Pair, State]],
    loose: tuple[str, ...],
    table: str | None,
    ignored: tuple[PassedOver, ...],
    *,
    check: bool,
) -> Page:
    lines = []
    for pair, state in states:
        lines.append(f"{pair.name}: {state.word}")
        lines += [f"  {line}" for line in state.lines]
    lines += [f"{name}: a lock that the catalogue does not name" for name in loose]
    if table is not None:
        lines.append(f"table: {table}")
    failed = sum(state.failed for _, state in states)
    stale = sum(state.stale for _, state in states) + len(loose) + (table == "stale")
    lines += ["", _sum(states, stale=stale if check else None, failed=failed)]
    data = {
        "pairs": [
            {"pair": p.name, "state": s.kind, "stale": s.stale, "refused": s.refused, "lines": list(s.lines)}
            for p, s in states
        ],
        "strays": list(loose),
        "table": table,
        "stale": stale if check else 0,
        "failed": failed,
        "ignored_verdicts": notes_data(ignored),
    }
    return Page(text="\n".join(lines) + "\n" + notes(ignored), data=data)


def _sum(states: list[tuple[Pair, State]], *, stale: int | None, failed: int) -> str:
    told = [f"{len(states)} pairs"]
    refusals = sum(state.refused for _, state in states)
    told += [f"{refusals} without a solution, see `refused.toml`"] if refusals else []
    told += [f"{failed} failed"] if failed else []
    if stale is not None:
        why = {StateKind.FACTS: "by changed facts", StateKind.INDEX: "by an index that moved"}
        counts = {text: sum(state.kind is kind for _, state in states) for kind, text in why.items()}
        causes = ", ".join(f"{count} {text}" for text, count in counts.items() if count)
        told.append(f"{stale} out of date{f' ({causes})' if causes else ''}" if stale else "all up to date")
    return ", ".join(told)
