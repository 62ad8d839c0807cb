"""Rules about known breakages: each one that applies is cured by the lock, or at least told."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import Requirement

from mmlock.core.names import Form, normalize
from mmlock.core.versions import allows
from mmlock.facts.matrix.model import Breakage, When
from mmlock.resolve.judge.case import Case, admits, refuse
from mmlock.resolve.judge.model import Objection

__all__ = ["applies", "breaks"]


def breaks(case: Case) -> Iterator[Objection]:
    """Nothing that is known to fail is left as it is."""
    for breakage in case.matrix.breaks:
        if applies(case, breakage):
            yield from _uncured(case, breakage)


def applies(case: Case, breakage: Breakage) -> bool:
    """Whether the lock meets every condition of a breakage."""
    return all(_holds(case, when) for when in breakage.when)


def _holds(case: Case, when: When) -> bool:
    """Whether one condition of a breakage is met by the lock."""
    if when.package == "python":
        return allows(when.versions, case.python)
    if when.package == "gpu":
        return any(allows(when.versions, capability) for capability in case.capabilities)
    node = case.nodes.get(when.package)
    if node is None or not admits(when.versions, node.base):
        return False
    made = node.form in {Form.BUILD, Form.TORCH_OPS}
    if when.form is not None and when.form != (node.form if made else Form.WHEEL).value:
        return False
    return not when.cuda or (case.cuda is not None and allows(when.cuda, case.cuda))


def _uncured(case: Case, breakage: Breakage) -> Iterator[Objection]:
    source = case.cite("breaks", breakage.source)
    if not breakage.cured:
        if not _told(case, breakage):
            text = f"{breakage.title} ({breakage.symptom}), and the lock does not say so; {breakage.fix}"
            yield refuse("breaks", breakage.id, text, source)
        return
    for missing in _missing_cures(case, breakage):
        yield refuse(
            "breaks", breakage.id, f"{breakage.title}, and the lock does not cure it: {missing}", source
        )


def _told(case: Case, breakage: Breakage) -> bool:
    """Whether the lock names the breakage, so that a person can decide."""
    return any(
        breakage.id in finding.subject or breakage.title in finding.text for finding in case.env.findings
    )


def _missing_cures(case: Case, breakage: Breakage) -> Iterator[str]:
    for text in breakage.constraints:
        yield from _violation(case, text, required=False)
    for text in breakage.add:
        yield from _violation(case, text, required=True)
    for name in breakage.drop:
        if name in case.nodes:
            yield f"{name} must not be in it"
    for variable, value in breakage.environment.items():
        if case.env.environment.get(variable) != value:
            yield f"{variable}={value} is not among the variables to set"


def _violation(case: Case, text: str, *, required: bool) -> Iterator[str]:
    wanted = Requirement(text)
    node = case.nodes.get(normalize(wanted.name))
    if node is None:
        if required:
            yield f"{text} is not in it"
    elif not admits(str(wanted.specifier), node.base):
        yield f"it has {node.name} {node.version}, not {text}"
