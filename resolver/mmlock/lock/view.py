"""A lock as people look at it: the decided packages first, then what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement

from mmlock.core.names import Confidence, Form, PackageName, normalize
from mmlock.lock.model import BuildStep, FetchStep, LockedEnv, LockedPackage, Reason, ReasonKind

__all__ = ["Chosen", "Unsure", "chosen", "closure", "in_order", "newest_known", "unsure", "verdict_sentence"]

Step = FetchStep | BuildStep
TORCH_OPS = "+torchops"
"""How the version of a wheel ends whose ops are plain PyTorch."""


class Chosen(Struct, frozen=True, kw_only=True):
    """A package that was decided on purpose, however it comes."""

    name: str
    version: str
    how: str
    """`wheel`, `sdist`, `download`, `build`, `torch-ops`, `conda`."""
    reasons: Sequence[Reason]
    via: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The most telling reason: why this version and not a newer one, where that is known."""
        known = [reason for reason in self.reasons if reason.kind is ReasonKind.CHOICE]
        known = known or [reason for reason in self.reasons if reason.kind is not ReasonKind.REQUESTED]
        return next((reason.text for reason in known or self.reasons), "")


def chosen(env: LockedEnv) -> tuple[Chosen, ...]:
    """Every decided package: torch first, since all others follow it, then by name."""
    nodes = [
        *(
            Chosen(name=one.name, version=one.version, how=Form.CONDA.value, reasons=one.reasons)
            for one in env.conda_core
        ),
        *(_from_package(package) for package in env.packages if package.core),
        *(
            Chosen(name=step.package, version=step.version, how="download", reasons=step.reasons)
            for step in env.fetch
        ),
        *(
            Chosen(name=step.package, version=step.version, how=step.form.value, reasons=step.reasons)
            for step in env.build
        ),
    ]
    return tuple(sorted(nodes, key=lambda node: (node.name != "torch", node.name)))


def _from_package(package: LockedPackage) -> Chosen:
    how = "sdist" if package.form is Form.SDIST else "wheel"
    if package.version.endswith(TORCH_OPS):
        how = Form.TORCH_OPS.value
    return Chosen(
        name=package.name, version=package.version, how=how, reasons=package.reasons, via=package.via
    )


def closure(env: LockedEnv) -> tuple[LockedPackage, ...]:
    """The packages that merely follow, by name."""
    return tuple(sorted((p for p in env.packages if not p.core), key=lambda package: package.name))


class Unsure(Struct, frozen=True, kw_only=True):
    """Something that a lock rests on and that nobody saw."""

    subject: str
    """A package, or what a finding is about."""
    text: str
    source: tuple[str, ...]


_OF_NEWER = frozenset({ReasonKind.CHOICE, ReasonKind.OBJECTIVE})
"""Reasons that say that there is nothing newer. The lock does not rest on that."""


def newest_known(env: LockedEnv) -> tuple[str, ...]:
    """Packages of which no one has looked whether there is a newer version than those that are known."""
    return tuple(
        node.name
        for node in chosen(env)
        if any(r.kind is ReasonKind.CHOICE and r.confidence is Confidence.INFERRED for r in node.reasons)
    )


def unsure(env: LockedEnv) -> tuple[Unsure, ...]:
    """Everything inferred that a lock rests on: reasons and findings, each said once."""
    found = [
        *(
            Unsure(subject=node.name, text=reason.text, source=reason.source)
            for node in chosen(env)
            for reason in node.reasons
            if reason.confidence is Confidence.INFERRED and reason.kind not in _OF_NEWER
        ),
        *(
            Unsure(subject=one.subject, text=one.text, source=one.source)
            for one in env.findings
            if one.confidence is Confidence.INFERRED
        ),
    ]
    return tuple({(one.subject, one.text): one for one in found}.values())


def verdict_sentence(env: LockedEnv) -> str:
    """What is known from running it."""
    if env.verdict is None:
        return "Not validated: nothing in this lock has been run."
    return f"A validation of this lock was run, see verdict.json (`{env.verdict}`)."


def in_order(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Each step after those whose wheel it needs, otherwise downloads first and then by name."""
    waiting = sorted(steps, key=lambda step: (isinstance(step, BuildStep), step.package))
    done: list[Step] = []
    while waiting:
        left = {step.package for step in waiting}
        # A circle cannot run at all; naming its members in order is the best that is left.
        ready = next((s for s in waiting if not (_needs(s) & left) - {s.package}), waiting[0])
        waiting.remove(ready)
        done.append(ready)
    return tuple(done)


def _needs(step: Step) -> set[PackageName]:
    if isinstance(step, FetchStep):
        return set()
    return {name for text in (*step.build_requires, *step.requires) if (name := _name(text))}


def _name(requirement: str) -> PackageName | None:
    try:
        return normalize(Requirement(requirement).name)
    except InvalidRequirement:
        return None
