"""What the loop decided, as the plan takes it, with notes on what was requested and what was passed over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mmlock.core.names import Confidence, requirement_name
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import Finding, FindingKind, Level
from mmlock.net.credentials import redact
from mmlock.resolve.loop.loop import Resolution
from mmlock.resolve.request.interpret import mistaken
from mmlock.resolve.request.model import InterpretedRequest

if TYPE_CHECKING:
    from mmlock.resolve.plan.assemble import Decision

__all__ = ["decision"]


def decision(matrix: Matrix, asked: InterpretedRequest, decided: Resolution) -> Decision:
    """The resolution as the plan takes it: with what to tell of the request."""
    from mmlock.resolve.plan.assemble import Decision
    from mmlock.resolve.plan.findings import missing_extras
    from mmlock.resolve.plan.name_requirements import names_taken

    return Decision(
        matrix=matrix,
        rows=decided.rows,
        solution=decided.solution,
        closed=decided.closed,
        target=asked.target,
        stack=asked.stack,
        request=asked.arguments.words(),
        accelerators=asked.accelerators,
        providers=asked.arguments.providers,
        newer=decided.newer,
        torch_ops=asked.arguments.torch_ops,
        notes=(
            *missing_extras(matrix, asked.core_requirements, decided.solution, asked.target),
            *(_about_request(text) for text in mistaken(matrix, asked.plain_requirements)),
            *(_about_request(text) for text in _left_out(asked, decided)),
            *(
                _about_request(f"the marker of `{text}` is false for every Python of this target", Level.NOTE)
                for text in asked.idle
            ),
            *(_about_request(text, Level.NOTE) for text in _recorded(asked)),
            *_unread_requires(matrix),
            *_passed_over(decided),
            *_unfit(decided),
            *names_taken(
                matrix, decided.solution, decided.name_bounds, asked.target, decided.closed.packages
            ),
        ),
    )


def _about_request(text: str, level: Level = Level.WARNING) -> Finding:
    source = ("the request",)
    return Finding(
        level=level,
        kind=FindingKind.REQUEST,
        subject="request",
        text=text,
        source=source,
        confidence=Confidence.MEASURED,
    )


def _unread_requires(matrix: Matrix) -> Iterator[Finding]:
    """Extensions of the user's tree of which nobody knows what they need."""
    for name, one in sorted(matrix.extensions.items()):
        if one.requires.unread is not None:
            yield Finding(
                level=Level.WARNING,
                subject=name,
                text=f"its requirements are not plain text in {one.requires.unread}, which is not run: "
                "request those that are missing",
                source=(one.tree.path,),
                confidence=Confidence.MEASURED,
            )


def _recorded(asked: InterpretedRequest) -> Iterator[str]:
    """Indexes of the request that nothing was asked of."""
    for url in asked.recorded_indexes:
        yield (
            f"ordinary packages are not taken from `{redact(url)}`: it is for torch and mmcv, "
            "whose files are facts of mmlock"
        )


def _left_out(asked: InterpretedRequest, decided: Resolution) -> Iterator[str]:
    """What was requested by name and is left out as the cure of a known breakage."""
    wanted = {requirement_name(one.text): one.text for one in asked.plain_requirements}
    for breach in decided.solution.cured:
        for name in breach.breakage.drop:
            if name in wanted:
                yield f"`{wanted[name]}` was requested and is left out: {breach.breakage.title}"


def _passed_over(decided: Resolution) -> Iterator[Finding]:
    """What the closure refused before it found an answer."""
    for refusal in decided.refusals:
        yield Finding(
            level=Level.NOTE,
            kind=FindingKind.PASSED_OVER,
            subject="closure",
            text=f"passed over {' with '.join(refusal.labels)}: {first_line(refusal.reason)}",
            source=(decided.closed.engine,),
            confidence=Confidence.MEASURED,
        )


def _unfit(decided: Resolution) -> Iterator[Finding]:
    """Versions of ordinary packages whose compiled files do not go with the torch of the lock."""
    for one in decided.unfit:
        yield Finding(
            level=Level.NOTE,
            kind=FindingKind.PASSED_OVER,
            subject=one.name,
            text=f"passed over {one.name} {one.version}: {first_line(one.reason)}",
            source=("read from the wheel's own ELF files",),
            confidence=Confidence.MEASURED,
        )


def first_line(text: str) -> str:
    """The start of an explanation, for a list."""
    return " ".join(text.split())[:300]
