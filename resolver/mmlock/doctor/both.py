"""`mmlock doctor LOG --python PATH`: a text, read with the environment that it comes from at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mmlock.core.doctor_arguments import DoctorArguments
from mmlock.core.names import normalize
from mmlock.core.progress import Progress
from mmlock.core.report import Page
from mmlock.doctor.environment.model import Environment, Trouble, TroubleKind, TroubleSeverity
from mmlock.doctor.environment.text import environment_data, environment_lines
from mmlock.doctor.examine import Seen, proposals
from mmlock.doctor.log_entities import LogEntity, installed
from mmlock.doctor.model import Diagnosis, Proposal
from mmlock.doctor.text import diagnosis_data, diagnosis_lines
from mmlock.facts.matrix.load import Matrix

_MISSING = re.compile(r"No module named '?(?P<top>\w+)'?$")


def facts_of(env: Environment) -> tuple[LogEntity, ...]:
    """What an environment tells of what a text may leave out; it is asked last, so its word holds."""
    return installed(_facts(env))


def _facts(env: Environment) -> Iterator[tuple[str, str]]:
    for device in env.devices:
        yield "gpu", device.name
    if env.interpreter.python:
        yield "python", env.interpreter.python
    if env.torch:
        yield "torch", str(env.torch.facts.build)
    for what, value in (("cuda", env.cuda), ("driver", env.driver)):
        if value:
            yield what, value
    for name, dist in env.installed.items():
        if name != "torch":
            yield name, dist.version


def both(
    matrix: Matrix,
    diagnoses: tuple[Diagnosis | None, Sequence[Diagnosis]],
    seen: Seen,
    arguments: DoctorArguments,
    progress: Progress,
    cut: int = 0,
) -> Page:
    """One report: the cause by the text, what the files say of it, and the cure that keeps the rest."""
    first, others = diagnoses
    commands: tuple[Proposal, ...] = ()
    if seen.wrong:
        progress("solving for a lock that fixes the environment")
        commands = tuple(proposals(matrix, seen, arguments))
    if first is not None and commands:
        first = replace(first, solves=(), commands=(), advice=first.without_lock)
    confirming, rest = _parted(first, seen.troubles)
    if first is not None and (moved := _moved(first, seen)):
        first = replace(first, title=moved.title, advice=moved.advice, cause=(), evidence=moved.evidence)
        confirming = (moved, *(one for one in confirming if one is not moved))
        rest = tuple(one for one in rest if one is not moved)
    lines = list(diagnosis_lines(first, others)) if first else ["no known symptom in the text"]
    lines += [f"{cut} lines of the text are so long that a part of them was not read"] if cut else []
    lines += ["", *_verdict(first, confirming, seen)]
    told = first is not None and (bool(confirming) or not seen.wrong)
    lines += environment_lines(seen.env, (*confirming, *rest), seen.holding, commands, answered=told)
    data = {
        "cause": diagnosis_data(first) if first else None,
        "others": [diagnosis_data(one) for one in others],
        "environment": environment_data(seen.env, (*confirming, *rest), seen.holding, commands),
        "confirmed_by": [trouble.check.value for trouble in confirming],
        "cut": cut,
        "wrong": seen.wrong,
    }
    return Page(text="\n".join(lines), data=data)


def _parted(
    first: Diagnosis | None, troubles: Sequence[Trouble]
) -> tuple[tuple[Trouble, ...], tuple[Trouble, ...]]:
    """The troubles of packages that the lines of the cause name, and the others."""
    if first is None:
        return (), tuple(troubles)
    words = {normalize(word) for line in first.lines for word in re.findall(r"[A-Za-z][\w-]+", line.text)}
    named = tuple(
        one
        for one in troubles
        if one.severity is not TroubleSeverity.NOTE and words & {normalize(p) for p in _names(one)}
    )
    return named, tuple(one for one in troubles if one not in named)


def _names(trouble: Trouble) -> Iterator[str]:
    yield from trouble.packages
    yield from (name.removesuffix("-full").removesuffix("-lite") for name in trouble.packages)


def _moved(first: Diagnosis, seen: Seen) -> Trouble | None:
    """The installation whose sources are gone, where it is the module that the text misses."""
    module = next((m["top"] for line in first.lines if (m := _MISSING.search(line.text))), None)
    if module is None:
        return None
    named = {str(normalize(module))} | {dist.name for dist in seen.env.distributions if module in dist.tops}
    return next(
        (
            one
            for one in seen.troubles
            if one.check is TroubleKind.LEFTOVERS
            and one.severity is TroubleSeverity.FAILS
            and named & {name.replace("_", "-") for name in one.packages}
        ),
        None,
    )


def _verdict(first: Diagnosis | None, confirming: Sequence[Trouble], seen: Seen) -> Iterator[str]:
    """What the files say of the cause; nothing where they say nothing of it."""
    if first is None:
        return
    if module := next((m["top"] for line in first.lines if (m := _MISSING.search(line.text))), None):
        there = [dist for dist in seen.env.distributions if module in dist.tops]
        if confirming and confirming[0].check is TroubleKind.LEFTOVERS:
            yield "the files of the environment confirm the cause:"
        elif there:
            names = ", ".join(f"{dist.name} {dist.version}" for dist in there)
            yield f"this environment has `{module}` ({names}): the text is from another Python, or older"
        else:
            yield f"no distribution in this environment provides `{module}`"
    elif any(one.severity is TroubleSeverity.FAILS for one in confirming):
        yield "the files of the environment confirm the cause:"
    elif not seen.wrong:
        yield "the files of the environment do not confirm it: the text is from another one, or older"
