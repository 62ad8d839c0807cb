"""What a project said, as findings of its lock: notes, pins, and advice that is not kept."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mmlock.core.arguments import SolveArguments
from mmlock.core.names import Confidence
from mmlock.core.project_pins import PinRole
from mmlock.facts.matrix.load import Matrix
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv
from mmlock.resolve.loop.loop import Resolution
from mmlock.resolve.request.model import InterpretedRequest

__all__ = ["told", "untaken"]


def told(env: LockedEnv, arguments: SolveArguments) -> LockedEnv:
    """The environment with what reading the project found."""
    notes = (_of_project(place, text) for place, text in (*arguments.notes, *_missing(env, arguments)))
    pins = (_of_project(pin.place, pin.why, _PINS[pin.role], pin.text) for pin in arguments.pins)
    return replace(env, findings=(*env.findings, *notes, *pins))


def _missing(env: LockedEnv, arguments: SolveArguments) -> Iterator[tuple[str, str]]:
    """Imports that nothing declares and that the lock does not bring by another way either."""
    held = {package.name for package in env.packages} | {step.package for step in env.steps}
    held |= {choice.name for choice in env.conda_core}
    for one in arguments.undeclared:
        if one.name not in held:
            text = f"`{one.module}` is imported but not declared: the lock may lack it"
            yield one.place, f"{text}; add it by the name of its distribution: `--with NAME`"


_PINS = {
    PinRole.BINDS: FindingKind.PIN_BINDS,
    PinRole.BOUNDS: FindingKind.PIN_BOUNDS,
    PinRole.ADVISES: FindingKind.PIN_ADVISES,
    PinRole.GUESSED: FindingKind.PIN_GUESSED,
    PinRole.LEFT_OUT: FindingKind.PIN_LEFT_OUT,
}


def _of_project(
    place: str, text: str, kind: FindingKind = FindingKind.PROJECT, detail: str | None = None
) -> Finding:
    return Finding(
        level=Level.NOTE,
        kind=kind,
        subject=place,
        detail=detail,
        text=text,
        source=(place,),
        confidence=Confidence.MEASURED,
    )


def untaken(matrix: Matrix, asked: InterpretedRequest, decided: Resolution) -> Iterator[Finding]:
    """Advice of the project that is not kept."""
    if not asked.arguments.advice:
        return
    from mmlock.resolve.loop.untaken_advice import untaken_advice

    for one in untaken_advice(matrix, asked, decided):
        text = f"advice `{one.advice.text}` is not kept ({one.chosen} is in the lock): {one.reason}"
        yield _of_project(one.advice.origin, text, FindingKind.ADVICE, one.advice.text)
