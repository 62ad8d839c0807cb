"""Rules about known breakages: each one that applies is cured by the lock, or at least told."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement

from mmlock.core.names import Form, normalize
from mmlock.core.versions import allows
from mmlock.facts.matrix.model import Breakage, When
from mmlock.lock.model import FindingKind
from mmlock.resolve.judge.judged_lock import JudgedLock, admits, refuse
from mmlock.resolve.judge.model import Objection, Rule

__all__ = ["applies", "breaks"]


def breaks(lock: JudgedLock) -> Iterator[Objection]:
    """Nothing that is known to fail is left as it is."""
    for breakage in lock.matrix.breaks:
        if applies(lock, breakage):
            yield from _uncured(lock, breakage)


def applies(lock: JudgedLock, breakage: Breakage) -> bool:
    """Whether the lock meets every condition of a breakage."""
    return all(_holds(lock, when) for when in breakage.when)


def _holds(lock: JudgedLock, when: When) -> bool:
    """Whether one condition of a breakage is met by the lock."""
    if when.package == "python":
        return allows(when.versions, lock.python)
    if when.package == "gpu":
        return any(allows(when.versions, capability) for capability in lock.capabilities)
    node = lock.nodes.get(when.package)
    if node is None or not admits(when.versions, node.base):
        return False
    made = node.form in {Form.BUILD, Form.TORCH_OPS}
    if when.form is not None and when.form != (node.form if made else Form.WHEEL).value:
        return False
    return not when.cuda or (lock.cuda is not None and allows(when.cuda, lock.cuda))


def _uncured(lock: JudgedLock, breakage: Breakage) -> Iterator[Objection]:
    source = lock.cite("breaks", breakage.source)
    if breakage.dead:
        yield refuse(Rule.BREAKS, breakage.id, f"{breakage.title}; {breakage.fix}", source)
        return
    if not breakage.cured:
        if not _told(lock, breakage):
            text = f"{breakage.title} ({breakage.symptom}), and the lock does not warn of it; {breakage.fix}"
            yield refuse(Rule.BREAKS, breakage.id, text, source)
        return
    for missing in _missing_cures(lock, breakage):
        yield refuse(
            Rule.BREAKS, breakage.id, f"{breakage.title}, and the lock does not prevent it: {missing}", source
        )


def _told(lock: JudgedLock, breakage: Breakage) -> bool:
    """Whether the lock warns of the breakage, so that a person can decide."""
    return any(
        finding.kind is FindingKind.BREAKAGE and finding.subject == breakage.id
        for finding in lock.env.findings
    )


def _missing_cures(lock: JudgedLock, breakage: Breakage) -> Iterator[str]:
    for text in breakage.constraints:
        yield from _violation(lock, text, required=False)
    for text in breakage.add:
        yield from _violation(lock, text, required=True)
    for name in breakage.drop:
        if name in lock.nodes:
            yield f"{name} must not be in the lock"
    for variable, value in breakage.environment.items():
        if lock.env.environment.get(variable) != value:
            yield f"{variable}={value} is not set"


def _violation(lock: JudgedLock, text: str, *, required: bool) -> Iterator[str]:
    wanted = Requirement(text)
    node = lock.nodes.get(normalize(wanted.name))
    if node is None:
        if required:
            yield f"{text} is missing"
    elif not admits(str(wanted.specifier), node.base):
        yield f"{node.name} {node.version} is locked, not {text}"
