"""`mmlock solve`: one environment decided, checked and written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.cache import unheard
from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.names import PackageName, requirement_name
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.facts.matrix.load import Matrix, open_matrix
from mmlock.facts.matrix.packages import OnPyPI
from mmlock.files.folders import check_target
from mmlock.files.private import open_cache
from mmlock.lock.folders import VERDICT
from mmlock.lock.json_twins import lock_data
from mmlock.lock.model import LockedEnv
from mmlock.lock.read import lock_in
from mmlock.resolve.closure.model import Closer
from mmlock.resolve.judge.accepted import accepted
from mmlock.resolve.loop import answer_cache as repeat
from mmlock.resolve.loop.compiled import WheelCheck, compiled_wheels, left_out, ordinary_wheels
from mmlock.resolve.loop.decision import decision
from mmlock.resolve.loop.indexes import Indexes
from mmlock.resolve.loop.loop import ROUNDS, Resolution, decide
from mmlock.resolve.loop.nogoods import LoopState
from mmlock.resolve.loop.placeholders import refuse_placeholders
from mmlock.resolve.loop.prefetch import Prefetch
from mmlock.resolve.loop.project_extras import split_extras, with_extras
from mmlock.resolve.loop.project_findings import told, untaken
from mmlock.resolve.request.bound_packages import require_ordinary
from mmlock.resolve.request.interpret import interpret
from mmlock.resolve.request.model import InterpretedRequest
from mmlock.resolve.request.pinned_hashes import hold_hashes
from mmlock.wheels.build_tools import with_tools

if TYPE_CHECKING:
    from mmlock.facts.matrix.model import Validation
    from mmlock.resolve.closure.conda_side import CondaSide
    from mmlock.resolve.plan.steps import NoSources
    from mmlock.validate.proven import Evidence


def solve(
    request: SolveArguments,
    *,
    progress: Progress = silent,
    closer: Closer | None = None,
    place: Path | None = None,
) -> Page:
    """Decide one environment; write its lock folder where the request names one.

    `place`: where the answer is kept for a repeat. Raises UsageError, EnvironmentFault, MatrixError or
    NoAnswer.
    """
    arguments = request.checked()
    if arguments.out is not None:
        check_target(arguments.out)
    matrix = matrix_for(arguments)
    evidence = _evidence(arguments)
    asked = [time.time()]  # and when that was asked which earlier runs have kept
    env = locked_with_wishes(
        matrix,
        arguments,
        progress=progress,
        closer=closer,
        served=asked.append,
        validations=evidence.rows if evidence else (),
    )
    from mmlock.lock.write import render_lock

    env = _with_verdict(env, arguments)
    files = render_lock(env, arguments.lock_formats)
    out = None if arguments.dry_run else arguments.out
    gone = () if out is None else write_files(files, env, arguments, out)
    page = _page(env, arguments, evidence)
    if place is not None:
        repeat.remember(place, page, files, min(asked))
    if not gone:
        return page
    assert isinstance(page.data, dict)
    return Page(text=page.text + "".join(f"{line}\n" for line in gone), data={**page.data, "removed": gone})


def write_files(
    files: Mapping[str, str | None], env: LockedEnv, arguments: SolveArguments, folder: Path
) -> tuple[str, ...]:
    """Write a lock and take away what was made for the one before; says what is gone."""
    from mmlock.lock.write import put_lock

    beside = any((folder / name).exists() for name in (VERDICT, "wheels"))
    if not beside:
        put_lock(files, folder)
        return ()
    from mmlock.upkeep.stale import drop_stale
    from mmlock.validate.evidence import trust_for

    before = lock_in(folder)
    put_lock(files, folder)
    return drop_stale(folder, before, env, trust_for(arguments.allowed_signers))


def _evidence(arguments: SolveArguments) -> Evidence | None:
    if not arguments.verdicts:
        return None
    from mmlock.validate.evidence import evidence

    return evidence(arguments)


def _with_verdict(env: LockedEnv, arguments: SolveArguments) -> LockedEnv:
    """The environment with the verdict that its folder has of it already."""
    if arguments.out is None or not (arguments.out / VERDICT).is_file():
        return env
    from mmlock.validate.evidence import trust_for
    from mmlock.validate.own_verdict import with_verdict

    return with_verdict(env, arguments.out, trust_for(arguments.allowed_signers))


def _page(env: LockedEnv, arguments: SolveArguments, evidence: Evidence | None) -> Page:
    from mmlock.lock.text import summary

    out = None if arguments.dry_run else arguments.out
    unwritten = "dry run: nothing was written\n" if arguments.dry_run else ""
    text, data = summary(env, out) + unwritten, lock_data(env)
    if evidence is None or not evidence.passed_over:
        return Page(text=text, data=data)
    from mmlock.validate.evidence import notes, notes_data

    ignored = evidence.passed_over
    return Page(text=text + notes(ignored), data={**data, "ignored_verdicts": notes_data(ignored)})


def matrix_for(arguments: SolveArguments) -> Matrix:
    """The facts for a request: the committed ones, and the extensions it names."""
    matrix = open_matrix(arguments.matrices)
    if not arguments.extensions:
        return matrix
    from mmlock.facts.matrix.with_extensions import with_extensions
    from mmlock.lock.trees import read_extension

    return with_extensions(matrix, [read_extension(text, Path.cwd()) for text in arguments.extensions])


def locked_with_wishes(
    matrix: Matrix,
    arguments: SolveArguments,
    *,
    progress: Progress,
    closer: Closer | None = None,
    served: Callable[[float], object] = unheard,
    validations: Iterable[Validation] = (),
) -> LockedEnv:
    """`locked`, with what a project may need besides; where that has no answer, with less, and says so."""
    kept = partial(locked, matrix, progress=progress, closer=closer, served=served, validations=validations)
    arguments, extras = split_extras(matrix, arguments, progress=progress, served=served)
    first: NoAnswer | None = None
    for count in range(len(extras) + 1):
        try:
            return kept(with_extras(arguments, extras[count:], extras[:count], first))
        except NoAnswer as refused:
            first = first or refused
            if count < len(extras):
                progress(f"without {extras[count].what}: {refused.message}")
    assert first is not None
    raise first


def locked(
    matrix: Matrix,
    arguments: SolveArguments,
    *,
    progress: Progress,
    closer: Closer | None = None,
    served: Callable[[float], object] = unheard,
    validations: Iterable[Validation] = (),
) -> LockedEnv:
    """The locked environment of a request. `served` receives the age of what earlier runs had kept.

    `validations`: what verdicts prove, besides the recorded ones.
    """
    require_ordinary(matrix, arguments)
    matrix = with_own_wheels(matrix, arguments, progress, served)
    asked = interpret(matrix, arguments, validations)
    channel = _conda(matrix, asked) if asked.arguments.with_conda else None
    with Indexes(
        index=asked.arguments.index,
        offline=asked.arguments.offline,
        progress=progress,
        environ=os.environ,
        served=served,
    ) as indexes:
        rounds = _Rounds(channel.matrix if channel else matrix, asked, channel, indexes, progress)
        return rounds.locked(closer, served)


class _Rounds:
    """Decides a core with its closure and looks at its wheels, until all of them fit."""

    def __init__(
        self,
        matrix: Matrix,
        asked: InterpretedRequest,
        channel: CondaSide | None,
        indexes: Indexes,
        progress: Progress,
    ) -> None:
        self._matrix = matrix
        self._asked = asked
        self._channel = channel
        self._indexes = indexes
        self._progress = progress
        self._state = LoopState()

    def locked(self, closer: Closer | None, served: Callable[[float], object]) -> LockedEnv:
        """The first environment with nothing against it. Raises NoAnswer when none is found in time."""
        ahead = Prefetch(matrix=self._matrix, request=self._asked, indexes=self._indexes)
        pip = closer or _uv(ahead, self._progress, served)
        used = self._channel.closer(pip) if self._channel else pip
        for _ in range(ROUNDS):
            decided = self._decided(used, ahead)
            env = self._written(decided, pip)
            if self._asked.arguments.no_abi_check:
                return accepted(self._matrix, replace(env, findings=(*env.findings, left_out())))
            checked = _checked(self._matrix, env, decided, self._indexes, self._progress)
            if checked.unfit is not None:
                self._progress(checked.unfit.reason)
                self._state.unfit.append(checked.unfit)
            elif checked.refusal is not None:
                self._progress(checked.refusal.reason)
                self._state.refusals.append(checked.refusal)
            else:
                return accepted(self._matrix, checked.env)
        raise self._given_up()

    def _decided(self, closer: Closer, ahead: Prefetch) -> Resolution:
        """The next combination. Raises NoAnswer where there is none."""
        decided = decide(
            self._matrix,
            self._asked,
            closer,
            progress=self._progress,
            wheelless=self._indexes.wheelless,
            state=self._state,
            on_core=ahead.decided,
        )
        if isinstance(decided, Resolution):
            return decided
        from mmlock.resolve.loop.refusal import no_answer

        raise no_answer(self._matrix, self._asked, decided)

    def _written(self, decided: Resolution, pip: Closer) -> LockedEnv:
        """The environment of a combination, with what is to be said of it."""
        from mmlock.resolve.plan.assemble import assemble

        matrix, asked, arguments = self._matrix, self._asked, self._asked.arguments
        env = assemble(decision(matrix, asked, decided), self._indexes)
        if isinstance(env, tuple):
            raise _no_sources(matrix, env[0])
        if not self._indexes.offline:
            refuse_placeholders(env, _requested(asked), self._indexes.client)
        env = with_tools(env, arguments, pip)
        if self._channel:
            env = replace(env, findings=(*env.findings, *self._channel.findings))
        env = told(hold_hashes(env, arguments.requirements), arguments)
        return replace(env, findings=(*env.findings, *untaken(matrix, asked, decided)))

    def _given_up(self) -> NoAnswer:
        refusals, unfit = self._state.refusals[-3:], self._state.unfit[-3:]
        return NoAnswer(
            f"the wheels of {ROUNDS} combinations are incompatible with each other",
            causes=[*(one.reason for one in refusals), *(one.reason for one in unfit)],
            hints=["request another version, or check a wheel with `mmlock inspect`"],
        )


def with_own_wheels(
    matrix: Matrix,
    arguments: SolveArguments,
    progress: Progress,
    served: Callable[[float], object] = unheard,
) -> Matrix:
    """The facts with what the request's own indexes of wheels have. Raises UsageError, EnvironmentFault."""
    if not arguments.wheel_indexes:
        return matrix
    from mmlock.facts.matrix.with_wheels import with_wheels
    from mmlock.resolve.loop.wheel_indexes import read_wheel_indexes

    with Indexes(
        index=arguments.index, offline=arguments.offline, progress=progress, environ=os.environ, served=served
    ) as indexes:
        return with_wheels(matrix, read_wheel_indexes(matrix, arguments.wheel_indexes, indexes, progress))


def _conda(matrix: Matrix, asked: InterpretedRequest) -> CondaSide:
    from mmlock.resolve.closure.conda_side import conda_side

    arguments = asked.arguments
    return conda_side(
        matrix,
        asked.target,
        arguments.channels,
        cache=None if arguments.offline else open_cache(os.environ) / "conda-pages",
        exclude_newer=arguments.exclude_newer,
        origins=arguments.origins,
    )


def _requested(asked: InterpretedRequest) -> Iterator[str]:
    """Ordinary packages that were requested by name."""
    return (requirement_name(one.text) for one in asked.plain_requirements)


def _checked(
    matrix: Matrix, env: LockedEnv, decided: Resolution, indexes: Indexes, progress: Progress
) -> WheelCheck:
    """The environment with its compiled wheels looked at, where it has any."""
    words = tuple(matrix.defaults.get("compiled-for-torch", "").split())
    if not any(True for _ in (*compiled_wheels(env, decided), *ordinary_wheels(env, decided, words))):
        return WheelCheck(env=env, refusal=None)
    from mmlock.resolve.loop.abi import check_abi

    return check_abi(matrix, env, decided, indexes.client, offline=indexes.offline, progress=progress)


def _no_sources(matrix: Matrix, missing: NoSources) -> EnvironmentFault:
    row = matrix.described.get(PackageName(missing.package))
    if row is not None and row.pypi is OnPyPI.NOTHING:
        note = f"; {row.note}" if row.note else ""
        hints = [f"its authors build it with `{row.install}` ({row.home}){note}"]
    else:
        hints = ["request another version; for sources of your own project, use `--extension DIR`"]
    return EnvironmentFault(
        f"the sources of {missing.package} {missing.version} are not recorded",
        causes=["a build step needs them with their hash, and no index that mmlock reads has them"],
        hints=hints,
    )


def user_closer(progress: Progress) -> Closer:
    """uv, with the cache of this user."""
    from mmlock.resolve.closure.closer import UvCloser

    return UvCloser(progress=progress)


def _uv(ahead: Prefetch, progress: Progress, served: Callable[[float], object]) -> Closer:
    from mmlock.resolve.closure.cache import ClosureCache
    from mmlock.resolve.closure.closer import UvCloser

    cache = ClosureCache.of_user(os.environ, served=served)
    return UvCloser(cache=cache, progress=progress, meanwhile=ahead.work)
