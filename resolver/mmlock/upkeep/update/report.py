"""What an update tells: descriptions, statuses, and the report of a run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from mmlock.core.catalogue import Catalogue
from mmlock.core.report import Page
from mmlock.facts.matrix.diff import Change
from mmlock.facts.matrix.load import Matrix
from mmlock.upkeep.forges.model import CommitState, CommitStatus
from mmlock.upkeep.update.advisories import Lookup, with_advisories
from mmlock.upkeep.update.body import PullText
from mmlock.upkeep.update.branches import MadeBranch
from mmlock.upkeep.update.carry_out import Done
from mmlock.upkeep.update.causes import Knob
from mmlock.upkeep.update.facts import fact_lines
from mmlock.upkeep.update.index_advisories import ReleasePages
from mmlock.upkeep.update.moves import Move, MoveGroup, Moves
from mmlock.upkeep.update.plan import UpdatePlan
from mmlock.upkeep.update.policy import Policy
from mmlock.upkeep.update.view import LockView, view

__all__ = ["date_before", "digest", "may_merge", "patches_page", "pull_text", "run_page", "statuses"]


def pull_text(
    made: MadeBranch,
    folder: str,
    matrix: Matrix,
    *,
    dates: tuple[str | None, str],
    files: str,
    changes: tuple[Change, ...],
    lookup: ReleasePages,
    waiting: tuple[str, ...],
    policy: Policy,
) -> PullText:
    """What the description of a pull request tells. `dates`: before and after; `waiting`: see `Moves`."""
    group = made.group
    by_date = group.cause.knob is Knob.DATE
    return PullText(
        cause=group.cause,
        locks=tuple(_view(made, m, folder, matrix, lookup) for m in group.moves),
        notes=_notes(group, lookup),
        date_before=dates[0] if by_date else None,
        date_after=dates[1] if by_date else None,
        files=files,
        facts=fact_lines(changes),
        waiting=tuple(pair for pair in group.pairs if pair in waiting),
        merges=bool(group.moves) and all(m.target in policy.automerge for m in group.moves),
    )


def _notes(group: MoveGroup, lookup: ReleasePages) -> Mapping[str, str]:
    """Pages with the notes of what changed, by package."""
    found: dict[str, str] = {}
    for move in group.moves:
        for one in (*move.diff.packages, *move.diff.steps) if move.diff is not None else ():
            version = (one.new or "").partition(" ")[0].partition("+")[0]
            if version and one.name not in found and (link := lookup.notes(one.name, version)) is not None:
                found[one.name] = link
    return found


def _view(made: MadeBranch, move: Move, folder: str, matrix: Matrix, lookup: Lookup) -> LockView:
    place = f"{folder}/{move.pair}"
    seen = view(move.pair, place, move.old, move.new, matrix, verdict=_told(made, move.pair))
    return with_advisories(seen, move.old, move.new, lookup)


def date_before(catalogue: Catalogue, pairs: Sequence[str]) -> str | None:
    """The oldest `exclude-newer` of these pairs; None: one has none."""
    found = [pair.request.exclude_newer for pair in catalogue.pairs if pair.name in pairs]
    return min((one for one in found if one), default=None)


def digest(changes: tuple[Change, ...]) -> str:
    """What changed, as a key: the same changes are the same proposal."""
    return hashlib.sha256("\n".join(fact_lines(changes)).encode()).hexdigest()


def statuses(made: MadeBranch) -> Iterator[CommitStatus]:
    """What is known of a commit: never more than was done."""
    moves = made.group.moves
    yield CommitStatus(context="mmlock/solved", state=CommitState.SUCCESS, text=f"{len(moves)} locks solved")
    yield CommitStatus(context="mmlock/judged", state=CommitState.SUCCESS, text="a second check agrees")
    open_steps = sum(not move.new.sealed for move in moves)
    yield CommitStatus(
        context="mmlock/built",
        state=CommitState.PENDING if open_steps else CommitState.SUCCESS,
        text=f"{open_steps} locks have steps to build or download" if open_steps else "all locks are sealed",
    )
    silent_ones = sum(move.pair not in made.ran for move in moves)
    partly = sum(not one.passed for one in made.ran.values())
    said = f"{silent_ones} of {len(moves)} locks were not run" if silent_ones else "all kernels ran"
    yield CommitStatus(
        context="mmlock/validated",
        state=CommitState.PENDING if silent_ones or partly else CommitState.SUCCESS,
        text=f"{said}; {partly} did not show all that they promise" if partly else said,
    )


def _told(made: MadeBranch, pair: str) -> str | None:
    ran = made.ran.get(pair)
    return None if ran is None else ran.text


def may_merge(made: MadeBranch, policy: Policy) -> bool:
    """Whether the policy merges it: all its targets are listed, and all its locks were run."""
    moves = made.group.moves
    return bool(moves) and all(
        m.target in policy.automerge and (ran := made.ran.get(m.pair)) is not None and ran.passed
        for m in moves
    )


def run_page(plan: UpdatePlan, done: Done, moves: Moves, text: str, *, dry_run: bool) -> Page:
    """The report of a run, with the dashboard."""
    lines = list(done.lines)
    if dry_run:
        lines = [f"{one.proposal.branch}: {one.proposal.title} ({one.fate})" for one in plan.outcomes]
        lines.append("dry run: nothing was pushed or written")
    told = [*lines, "", text] if lines else [text]
    data = {
        "proposals": [
            {
                "branch": one.proposal.branch,
                "title": one.proposal.title,
                "fate": one.fate.value,
                "pairs": list(one.proposal.pairs),
                "number": done.numbers[one.proposal.branch].number
                if one.proposal.branch in done.numbers
                else None,
            }
            for one in plan.outcomes
        ],
        "refused": [{"pair": pair, "reason": reason} for pair, reason, _ in moves.refused],
        "failed": [{"pair": pair, "error": error} for pair, error in moves.failed],
        "pushed": done.pushed,
        "opened": done.opened,
        "closed": done.closed,
        "rejected": done.rejected,
        "dry_run": dry_run,
    }
    return Page(text="\n".join(told), data=data)


def patches_page(lines: Sequence[str], moves: Moves) -> Page:
    """The report where patches were written."""
    told = [*lines, *(f"{pair}: {error}" for pair, error in moves.failed)]
    data = {
        "patches": list(lines),
        "failed": [{"pair": pair, "error": error} for pair, error in moves.failed],
    }
    return Page(text="\n".join(told or ["nothing moves"]) + "\n", data=data)
