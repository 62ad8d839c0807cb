"""`mmlock solve`: one environment decided, checked and written."""

from __future__ import annotations

import os

from mmlock.app.data import lock_data
from mmlock.app.deciding import Decided, decide
from mmlock.app.indexes import Indexes
from mmlock.app.interpret import Interpreted, interpret
from mmlock.app.refusal import no_answer
from mmlock.core.arguments import SolveArguments
from mmlock.core.errors import EnvironmentFault, NoAnswer
from mmlock.core.names import Confidence
from mmlock.core.progress import Progress, silent
from mmlock.core.report import Page
from mmlock.judge import Objection, judge
from mmlock.lock.model import Finding, LockedEnv
from mmlock.lock.text import summary
from mmlock.matrix.load import Matrix, open_matrix
from mmlock.plan.assemble import Decision, assemble
from mmlock.solve.closure_model import Closer


def solve(request: SolveArguments, *, progress: Progress = silent, closer: Closer | None = None) -> Page:
    """Decide one environment; write its lock folder where the request names one.

    Raises UsageError, EnvironmentFault, MatrixError or NoAnswer.
    """
    arguments = request.checked()
    matrix = open_matrix(arguments.matrices)
    env = locked(matrix, arguments, progress=progress, closer=closer)
    folder = None
    if arguments.out is not None:
        from mmlock.lock.write import write_lock

        folder = arguments.out
        write_lock(env, folder, arguments.lock_formats)
    return Page(text=summary(env, folder), data=lock_data(env))


def locked(
    matrix: Matrix, arguments: SolveArguments, *, progress: Progress, closer: Closer | None = None
) -> LockedEnv:
    """The locked environment of a request."""
    asked = interpret(matrix, arguments)
    with Indexes(
        index=arguments.index, offline=arguments.offline, progress=progress, environ=os.environ
    ) as indexes:
        decided = decide(
            matrix, asked, closer or _uv(progress), progress=progress, wheelless=indexes.wheelless
        )
        if not isinstance(decided, Decided):
            raise no_answer(matrix, asked, decided)
        env = assemble(_decision(matrix, asked, decided), indexes)
    if isinstance(env, tuple):
        raise EnvironmentFault(
            f"the sources of {env[0].package} {env[0].version} are not recorded in the matrix",
            causes=["a build step needs them with their hash"],
            hints=["update the matrix, or ask for another version"],
        )
    return _judged(matrix, env)


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
        notes=tuple(
            Finding(
                level="note",
                subject="closure",
                text=f"passed over {', '.join(sorted(label for _, label in refusal.options))}: "
                f"{first_line(refusal.reason)}",
                source=(decided.closed.engine,),
                confidence=Confidence.MEASURED,
            )
            for refusal in decided.refusals
        ),
    )


def first_line(text: str) -> str:
    """The start of an explanation, for a list."""
    return " ".join(text.split())[:300]


def _judged(matrix: Matrix, env: LockedEnv) -> LockedEnv:
    """The environment with the judge's doubts as findings. Raises when he refuses it."""
    from dataclasses import replace

    objections = judge(env, matrix)
    refused = [o for o in objections if o.severity == "refuse" and not _told(env, o)]
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
        if o.severity == "unknown"
    )
    return replace(env, findings=(*env.findings, *doubts))


def _told(env: LockedEnv, objection: Objection) -> bool:
    """Whether the solve knew of it and says so: a known breakage nothing better could avoid."""
    return any(f.level == "warning" and f.subject == objection.subject for f in env.findings)
