"""Committed locks solved again, and what moved proposed in pull requests."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from mmlock.core.errors import EnvironmentFault, MmlockError
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.core.update_arguments import UpdateArguments
from mmlock.facts.matrix.diff import Change
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.files.atomic import write_aside
from mmlock.files.locking import BusyError, hold
from mmlock.upkeep.catalogue.locking import DecideWith
from mmlock.upkeep.forges.open import Opened, forge_for
from mmlock.upkeep.update.advisories import led_by_security
from mmlock.upkeep.update.base import UpdateBase, read_base
from mmlock.upkeep.update.body import body
from mmlock.upkeep.update.branches import BranchRun, LockRunError, MadeBranch, Workshop
from mmlock.upkeep.update.carry_out import CarryOut, Done
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob
from mmlock.upkeep.update.core_pins import held_by
from mmlock.upkeep.update.dashboard import LABEL, TITLE, DashboardText, dashboard
from mmlock.upkeep.update.facts import FOLDER, NO_FACTS, FactState, refreshed
from mmlock.upkeep.update.former_pulls import FormerPulls
from mmlock.upkeep.update.git import Git
from mmlock.upkeep.update.index_advisories import Advisories, NoAdvisories, ReleasePages, WithFacts
from mmlock.upkeep.update.memory import read_memory, without_memory
from mmlock.upkeep.update.move_solver import MoveSolver
from mmlock.upkeep.update.moves import MoveGroup, Moves, grouped
from mmlock.upkeep.update.plan import (
    Observed,
    Publish,
    SayEdited,
    UpdatePlan,
    edited_pairs,
    make_plan,
    our_pulls,
)
from mmlock.upkeep.update.policy import Policy
from mmlock.upkeep.update.report import (
    date_before,
    digest,
    may_merge,
    patches_page,
    pull_text,
    run_page,
    statuses,
)
from mmlock.upkeep.update.state import PullState, ticked

if TYPE_CHECKING:
    import httpx

__all__ = ["RunParts", "update"]

Clock = Callable[[], datetime]


class RunParts(Struct, frozen=True, kw_only=True):
    """What a run is made of that is above it."""

    decide: DecideWith
    """Solves pairs."""
    run_lock: Callable[[Path], BranchRun]
    """Builds a lock and runs its kernels."""
    refresh: Callable[[Path, Path], tuple[str, ...]]
    """Reads the indexes for the locks in a folder, and rewrites a folder of facts; gives what was unread."""


FACTS_ONLY = Cause(kind=CauseKind.FACTS, knob=Knob.FACTS)


def update(
    arguments: UpdateArguments,
    *,
    parts: RunParts,
    progress: Progress = silent,
    environ: Mapping[str, str] = os.environ,
    clock: Clock = lambda: datetime.now(tz=timezone.utc),
    lookup: ReleasePages | None = None,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> Page:
    """One run. Raises UsageError, EnvironmentFault (ForgeFault and GitFault among them) or MatrixError.

    `lookup` knows vulnerabilities and release notes; with `transport` and `sleep`, tests stand in for the
    forge and for time.
    """
    git = Git.at(arguments.file.resolve().parent, environ)
    git.require_whole()
    with _only_one(git):
        opened = forge_for(arguments, git, environ, clock, transport=transport, sleep=sleep)
        asked = lookup or (NoAdvisories() if arguments.offline else Advisories.of_index(environ))
        try:
            return _Run(arguments, opened, parts, progress, clock(), environ, asked).run()
        finally:
            opened.forge.close()
            if isinstance(asked, Advisories):
                asked.close()


@contextmanager
def _only_one(git: Git) -> Iterator[None]:
    """Two runs in one clone exclude each other; runs in several meet at the leases of their pushes."""
    path = git.common_folder() / "mmlock-update.lock"
    try:
        with hold(path):
            yield
    except BusyError as error:
        raise EnvironmentFault(
            "another `mmlock update` is at work in this repository",
            causes=[str(error)],
            hints=["wait until it has ended; a run that was killed holds nothing"],
        ) from error


class _Run:
    """One run, in a repository that nobody else updates meanwhile."""

    def __init__(
        self,
        arguments: UpdateArguments,
        opened: Opened,
        parts: RunParts,
        progress: Progress,
        now: datetime,
        environ: Mapping[str, str],
        lookup: ReleasePages,
    ) -> None:
        self.parts = parts
        self.lookup = lookup
        self.environ = environ
        self.arguments = arguments
        self.forge, self.git, self.base = opened.forge, opened.git, opened.base
        self.progress = progress
        self.now = now

    def run(self) -> Page:
        inside = self.arguments.file.resolve().relative_to(self.git.top.resolve())
        with tempfile.TemporaryDirectory(prefix="mmlock-update-") as place:
            commit = self.git.fetch(self.forge.remote, self.base)
            with self.git.work_tree(commit, Path(place) / "base") as tree:
                base = read_base(tree.top / inside, commit, self.base, self.arguments, self.now)
                return self._with_base(tree, base, Path(place))

    def _with_base(self, tree: Git, base: UpdateBase, place: Path) -> Page:
        observed = self._observe(base)
        self.facts = self._facts(base, place)
        solver = MoveSolver.of(base, self.facts, self.arguments, self.parts.decide, self.progress)
        moves, others = solver.moves()
        self.sliced = solver.sliced(moves, place)
        matrix = open_matrix(self.facts.now or self.arguments.matrices)
        self.lookup = WithFacts(pages=self.lookup, matrix=matrix)
        moves = replace(moves, moved=tuple(led_by_security(self.sliced.moves, self.lookup)))
        claimed = edited_pairs(observed, base.policy.branch_prefix)
        groups = grouped(moves.moved, base.policy, claimed)
        if self.sliced.rest and not any(one.cause.slug == CauseKind.FACTS for one in groups):
            groups = (
                *groups,
                MoveGroup(cause=FACTS_ONLY, apart="", moves=(), about=digest(self.sliced.rest)),
            )
        workshop = self._workshop(tree, base, others)
        made, broken = self._make(workshop, groups)
        moves = replace(moves, failed=tuple(dict.fromkeys((*moves.failed, *broken))))
        observed, plan = self._planned(observed, made, base, moves)
        if stuck := held_by(plan.outcomes):
            late = solver.without_core(stuck, self.lookup)
            moves = replace(moves, waiting=tuple(one for one in moves.waiting if one not in stuck))
            later = grouped(
                [move for move in (*moves.moved, *late) if move.cause.knob is Knob.DATE], base.policy, claimed
            )
            made = [one for one in made if one.group.cause.knob is not Knob.DATE]
            again, broken = self._make(workshop, later)
            made += again
            moves = replace(moves, failed=tuple(dict.fromkeys((*moves.failed, *broken))))
            observed, plan = self._planned(observed, made, base, moves)
        self.waiting = moves.waiting
        if not self.arguments.dry_run and (now := _to_run(plan, made, base.policy)):
            made, broken = self._make(workshop, tuple(one.group for one in made), run=now)
            moves = replace(moves, failed=tuple(dict.fromkeys((*moves.failed, *broken))))
            plan = self._plan(observed, made, base, moves)
        if self.arguments.patches is not None:
            return self._patches(self.arguments.patches, made, base, matrix, moves)
        done = Done()
        if not self.arguments.dry_run:
            done = self._carry_out(plan, made, base, matrix)
        text = self._dashboard(plan, done, moves, base)
        if not self.arguments.dry_run:
            self._put_dashboard(text)
        return run_page(plan, done, moves, without_memory(text), dry_run=self.arguments.dry_run)

    def _workshop(self, tree: Git, base: UpdateBase, others: frozenset[str]) -> Workshop:
        """What makes the commits. `others`: pairs that the later date alone would change."""
        return Workshop(
            tree=tree,
            file=base.file,
            catalogue=base.catalogue,
            pairs=base.later,
            base=base.commit,
            date=base.date,
            others=others,
            policy=base.policy,
            trust=base.trust,
            now=self.now,
            put_facts=lambda group: self._put_facts(group, base),
            run_lock=self.parts.run_lock,
        )

    # ------------------------------------------------------------ what is there

    def _observe(self, base: UpdateBase) -> Observed:
        prefix = base.policy.branch_prefix
        self.progress("reading pull requests")
        pulls = self.forge.open_pulls()
        self.issue = self.forge.dashboard(LABEL)
        self.memory = read_memory(self.issue.body if self.issue is not None else "")
        self.former = FormerPulls(self.forge, self.memory)
        self.git.fetch_branches(self.forge.remote, prefix)
        return Observed(
            pulls=pulls,
            earlier={},
            branches=self.git.branches(base.commit, prefix),
            ticks=ticked(self.issue.body) if self.issue is not None else frozenset(),
        )

    def _planned(
        self, observed: Observed, made: list[MadeBranch], base: UpdateBase, moves: Moves
    ) -> tuple[Observed, UpdatePlan]:
        """The plan, and what it rests on: with what became of the former pull requests of its proposals."""
        open_now = {pull.branch for pull in our_pulls(observed.pulls, base.policy.branch_prefix)}
        proposals = [one.proposal for one in made]
        asked = [one for one in proposals if one.branch not in open_now and not one.held_back]
        observed = replace(observed, earlier=self.former.of(asked))
        while True:
            plan = self._plan(observed, made, base, moves)
            opened = [one for one in plan.actions if isinstance(one, Publish) and one.pull is None]
            if not self.former.confirm(one.proposal.branch for one in opened):
                return observed, plan

    # ------------------------------------------------------------ what moves

    def _facts(self, base: UpdateBase, place: Path) -> FactState:
        """The facts beside `mmlock.toml`, refreshed where that is wanted; none where others were named."""
        if self.arguments.matrices is not None:
            return NO_FACTS
        refresh = partial(self.parts.refresh, base.catalogue.folder) if self.arguments.refresh else None
        return refreshed(base.file.parent, place, refresh)

    def _put_facts(self, group: MoveGroup, base: UpdateBase) -> tuple[str, ...]:
        """Write the changed facts of a group into the checkout; gives the paths."""
        paths = []
        for name, data in self.facts.files(self._changes(group)).items():
            path = base.file.parent / FOLDER / name
            write_aside(path, data, mode=None)
            paths.append(str(path))
        return tuple(paths)

    def _changes(self, group: MoveGroup) -> tuple[Change, ...]:
        if group.cause.knob is Knob.DATE:
            return ()
        found = self.sliced.changes.get(group.cause.slug, ())
        return found or (self.sliced.rest if not group.moves else ())

    def _plan(self, observed: Observed, made: list[MadeBranch], base: UpdateBase, moves: Moves) -> UpdatePlan:
        proposals = [one.proposal for one in made]
        return make_plan(observed, proposals, base.policy, now=self.now, unsure=moves.unsure)

    def _make(
        self, workshop: Workshop, groups: tuple[MoveGroup, ...], *, run: frozenset[str] = frozenset()
    ) -> tuple[list[MadeBranch], list[tuple[str, str]]]:
        """The commits, and the locks of those that could not be made. `run`: branches whose locks are run."""
        made: list[MadeBranch] = []
        broken: list[tuple[str, str]] = []
        for group in groups:
            self.progress(f"writing {group.branch}")
            try:
                made.append(workshop.make(group, run=group.branch in run))
            except MmlockError as error:
                broken += [(pair, _why_not(pair, error)) for pair in group.pairs]
        return made, broken

    # ------------------------------------------------------------ what is done

    def _carry_out(self, plan: UpdatePlan, made: list[MadeBranch], base: UpdateBase, matrix: Matrix) -> Done:
        by_branch = {one.proposal.branch: one for one in made}
        doing = CarryOut(
            forge=self.forge,
            git=self.git,
            base=self.base,
            policy=base.policy,
            body_of=lambda proposal, state: self._body(by_branch[proposal.branch], state, base, matrix),
            statuses_of=lambda proposal: statuses(by_branch[proposal.branch]),
            may_merge=lambda proposal: may_merge(by_branch[proposal.branch], base.policy),
            progress=self.progress,
            said=frozenset(self.memory.said),
        )
        return doing.do(plan)

    def _body(self, made: MadeBranch, state: PullState, base: UpdateBase, matrix: Matrix) -> str:
        top, file = self.git.top.resolve(), self.arguments.file.resolve()
        folder = (file.parent / base.catalogue.folder.relative_to(base.file.parent)).relative_to(top)
        text = pull_text(
            made,
            folder.as_posix(),
            matrix,
            dates=(date_before(base.catalogue, made.group.pairs), base.date),
            files=self.forge.file_url(made.proposal.branch),
            changes=self._changes(made.group),
            lookup=self.lookup,
            waiting=self.waiting,
            policy=base.policy,
        )
        return body(text, state, self.forge.body_limit)

    def _patches(
        self, folder: Path, made: list[MadeBranch], base: UpdateBase, matrix: Matrix, moves: Moves
    ) -> Page:
        """Patches for `git am` and their descriptions, instead of branches."""
        lines = []
        for one in made:
            if one.proposal.held_back:
                continue
            name = one.proposal.branch.replace("/", "-")
            proposal = one.proposal
            state = PullState(
                key=proposal.key, branch=proposal.branch, head=proposal.commit, pairs=proposal.pairs
            )
            patch = self.git.text("format-patch", "--stdout", "--binary", "-1", proposal.commit) + "\n"
            try:
                write_aside(folder / f"{name}.patch", patch.encode(errors="surrogateescape"), mode=None)
                write_aside(folder / f"{name}.md", self._body(one, state, base, matrix).encode(), mode=None)
            except OSError as error:
                why = error.strerror or str(error)
                raise EnvironmentFault(f"cannot write into `{folder}`", causes=[why]) from error
            lines.append(f"{folder / name}.patch: {proposal.title}")
        return patches_page(lines, moves)

    # ------------------------------------------------------------ what is told

    def _dashboard(self, plan: UpdatePlan, done: Done, moves: Moves, base: UpdateBase) -> str:
        found = DashboardText(
            outcomes=plan.outcomes,
            numbers=done.numbers,
            left=plan.left,
            waiting=moves.waiting,
            refused=moves.refused,
            failed=moves.failed,
            indexes=self.facts.unread,
            pairs=len(base.catalogue.pairs),
        )
        said = (one.pull.head for one in plan.actions if isinstance(one, SayEdited))
        memory = self.former.remember(plan.outcomes, said)
        return dashboard(found, base.policy, self.forge.body_limit, memory)

    def _put_dashboard(self, text: str) -> None:
        if self.issue is None:  # another run may have opened it while this one solved
            self.issue = self.forge.dashboard(LABEL)
        if self.issue is None:
            self.forge.open_dashboard(title=TITLE, body=text, label=LABEL)
        elif self.issue.body != text:
            self.forge.edit_dashboard(self.issue.number, text)


def _why_not(pair: str, error: MmlockError) -> str:
    """Why a lock is not proposed, in one line."""
    if isinstance(error, LockRunError) and error.pair != pair:
        return f"not proposed: `{error.pair}`, which moves with it, cannot be run"
    return ": ".join((error.message, *error.causes[:1]))


def _to_run(plan: UpdatePlan, made: list[MadeBranch], policy: Policy) -> frozenset[str]:
    """The groups that are about to be pushed and have locks that the policy wants run first."""
    pushed = {one.proposal.branch for one in plan.actions if isinstance(one, Publish) and one.push}
    return frozenset(
        one.group.branch
        for one in made
        if one.proposal.branch in pushed
        and any(m.target in policy.validate and m.pair not in one.ran for m in one.group.moves)
    )
