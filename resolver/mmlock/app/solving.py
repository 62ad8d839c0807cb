"""`mmlock solve`: one environment decided, checked and written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mmlock.app import repeat
from mmlock.app.compiled import Checked, compiled_wheels, left_out
from mmlock.app.data import lock_data
from mmlock.app.deciding import ROUNDS, Decided, State, decide
from mmlock.app.indexes import Indexes
from mmlock.app.interpret import Interpreted, interpret
from mmlock.app.refusal import no_answer
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.names import Confidence
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.judge import judge
from mmlock.lock.model import Finding, LockedEnv
from mmlock.lock.text import summary
from mmlock.lock.write import render_lock, write_lock
from mmlock.matrix.load import Matrix, open_matrix
from mmlock.plan.assemble import Decision, assemble
from mmlock.plan.findings import missing_extras
from mmlock.plan.steps import NoSources
from mmlock.solve.closure_model import Closer


def solve(request: SolveArguments, *, progress: Progress = silent, closer: Closer | None = None) -> Page:
    """Decide one environment; write its lock folder where the request names one.

    Raises UsageError, EnvironmentFault, MatrixError or NoAnswer.
    """
    arguments = request.checked()
    matrix = matrix_for(arguments)
    env, fresh = _locked(matrix, arguments, progress=progress, closer=closer)
    if arguments.out is not None:
        write_lock(env, arguments.out, arguments.lock_formats)
    page = Page(text=summary(env, arguments.out), data=lock_data(env))
    if fresh:  # an answer that rests on kept pages would live twice as long as they may
        repeat.remember(arguments, os.environ, page, render_lock(env, arguments.lock_formats))
    return page


def matrix_for(arguments: SolveArguments) -> Matrix:
    """The facts for a request: the committed ones, and the extensions it names."""
    matrix = open_matrix(arguments.matrices)
    if not arguments.extensions:
        return matrix
    from mmlock.lock.trees import read_extension
    from mmlock.matrix.extended import with_extensions

    return with_extensions(matrix, [read_extension(text, Path.cwd()) for text in arguments.extensions])


def locked(
    matrix: Matrix, arguments: SolveArguments, *, progress: Progress, closer: Closer | None = None
) -> LockedEnv:
    """The locked environment of a request."""
    return _locked(matrix, arguments, progress=progress, closer=closer)[0]


def _locked(
    matrix: Matrix, arguments: SolveArguments, *, progress: Progress, closer: Closer | None = None
) -> tuple[LockedEnv, bool]:
    """The locked environment, and whether its closure was asked of the index just now."""
    asked = interpret(matrix, arguments)
    state = State()
    with Indexes(
        index=arguments.index, offline=arguments.offline, progress=progress, environ=os.environ
    ) as indexes:
        for _ in range(ROUNDS):
            decided = decide(
                matrix,
                asked,
                closer or _uv(progress),
                progress=progress,
                wheelless=indexes.wheelless,
                state=state,
            )
            if not isinstance(decided, Decided):
                raise no_answer(matrix, asked, decided)
            env = assemble(_decision(matrix, asked, decided), indexes)
            if isinstance(env, tuple):
                raise _no_sources(env[0])
            if arguments.no_abi_check:
                unread = replace(env, findings=(*env.findings, left_out()))
                return _judged(matrix, unread), not decided.closed.from_cache
            checked = _checked(matrix, env, decided, indexes, progress)
            if checked.refusal is None:
                return _judged(matrix, checked.env), not decided.closed.from_cache
            progress(checked.refusal.reason)
            state.refusals.append(checked.refusal)
    raise NoAnswer(
        f"{ROUNDS} combinations were tried and their wheels do not fit each other",
        causes=[refusal.reason for refusal in state.refusals[-3:]],
        hints=["ask for another version, or look at one wheel with `mmlock inspect`"],
    )


def _checked(
    matrix: Matrix, env: LockedEnv, decided: Decided, indexes: Indexes, progress: Progress
) -> Checked:
    """The environment with its compiled wheels looked at, where it has any."""
    if not any(True for _ in compiled_wheels(env, decided)):
        return Checked(env=env, refusal=None)
    from mmlock.app.abi import check_abi

    return check_abi(matrix, env, decided, indexes.client, offline=indexes.offline, progress=progress)


def _no_sources(missing: NoSources) -> EnvironmentFault:
    return EnvironmentFault(
        f"the sources of {missing.package} {missing.version} are not recorded in the matrix",
        causes=["a build step needs them with their hash, and no index that mmlock reads serves them"],
        hints=["ask for another version; sources of your own project are named with `--extension DIR`"],
    )


def _uv(progress: Progress) -> Closer:
    from mmlock.solve.closure import UvCloser

    return UvCloser(progress=progress)


def _decision(matrix: Matrix, asked: Interpreted, decided: Decided) -> Decision:
    return Decision(
        matrix=matrix,
        rows=decided.rows,
        solution=decided.solution,
        closed=decided.closed,
        target=asked.target,
        stack=asked.stack,
        request=asked.arguments.words(),
        accelerators=asked.accelerators,
        newer=decided.newer,
        notes=(
            *missing_extras(matrix, asked.wishes, decided.solution, asked.target),
            *_passed_over(decided),
        ),
    )


def _passed_over(decided: Decided) -> Iterator[Finding]:
    """What the closure refused before it found an answer."""
    for refusal in decided.refusals:
        yield Finding(
            level="note",
            subject="closure",
            text=f"passed over {', '.join(sorted(label for _, label in refusal.options))}: "
            f"{first_line(refusal.reason)}",
            source=(decided.closed.engine,),
            confidence=Confidence.MEASURED,
        )


def first_line(text: str) -> str:
    """The start of an explanation, for a list."""
    return " ".join(text.split())[:300]


def _judged(matrix: Matrix, env: LockedEnv) -> LockedEnv:
    """The environment with the judge's doubts as findings. Raises when he refuses it."""
    objections = judge(env, matrix)
    refused = [o for o in objections if o.severity == "refuse"]
    if refused:
        raise NoAnswer(
            "the solution does not stand up to a second check",
            causes=[f"{o.subject}: {o.text}" for o in refused],
            hints=["this is a fault in mmlock or in its matrix: please report it with the command you ran"],
        )
    doubts = tuple(
        Finding(
            level="note",
            subject=o.subject,
            text=f"not checked: {o.text}",
            source=o.source,
            confidence=Confidence.INFERRED,
        )
        for o in objections
        if o.severity == "unknown" and not (o.rule == "archs" and _read(env, o.subject))
    )
    return replace(env, findings=(*env.findings, *doubts))


def _read(env: LockedEnv, subject: str) -> bool:
    """Whether the wheel's own files were read, which tells more than the matrix knows."""
    return any(p.name == subject and any(r.kind == "abi" for r in p.reasons) for p in env.packages)
