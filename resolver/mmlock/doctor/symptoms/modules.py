"""Modules that are not found, and distributions that install the same module."""

from __future__ import annotations

from msgspec.structs import replace

from mmlock.core.names import normalize
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log_window import joined
from mmlock.doctor.model import Examination, Subject, SymptomMatch, Told
from mmlock.doctor.proposals import on_a_gpu, proposed_solves
from mmlock.doctor.subject import MMCV, TORCH, of_module
from mmlock.facts.matrix.curated import Module
from mmlock.facts.matrix.symptom_rows import Cure


def module_missing(match: SymptomMatch, around: DiagnosisContext) -> Examination | None:
    """The distribution that a module comes with; None for modules that the facts do not know."""
    module = match.fields["module"]
    subject = of_module(module, around.matrix)
    if subject is None:
        return None
    if subject.package is None or not subject.decided:
        row = "extension-missing" if subject.build or subject.project else None
        return Examination(row=row, subject=subject) if row else None
    row_of = next((row for row in around.matrix.modules if subject.package in row.packages), None)
    if row_of is None or not row_of.core:
        return None
    subject = named(row_of, subject, around)
    package = subject.package or ""
    own = around.matrix.releases(package)
    words: tuple[str, ...] = ("{mmcv}", "{packages}") if row_of.module == MMCV else (package,)
    if own and row_of.module not in {MMCV, "mmengine"}:
        words = (package, "{mmcv}", "{packages}")
    solves = proposed_solves((Cure(packages=words),), {}, around.entities, around.matrix, subject)
    if not own and row_of.with_ops and not row_of.on_cpu:
        solves = on_a_gpu(solves)
    others = [str(name) for name in row_of.packages if str(name) != package]
    part = f", which holds `{module}`" if module != row_of.module else ""
    evidence = (f"{joined([package, *others], 'or')} provides `{row_of.module}`{part}",)
    return Examination(fields={"package": package}, evidence=evidence, solves=solves, subject=subject)


def named(row: Module, subject: Subject, around: DiagnosisContext) -> Subject:
    """The one of several distributions of a module that a text names, else the one that is known first."""
    for package in row.packages:
        if package in row.on_request or not around.entities.seen(str(package)):
            continue
        near = (line.text for line in around.log.lines if row.module in line.text)
        if package != row.packages[0] or any(str(package) in normalize(text) for text in near):
            return replace(subject, package=str(package), decided=row.core)
    return subject


def spconv(_match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """The spconv to ask for, in step with the torch."""
    row = next((row for row in around.matrix.modules if row.module == "spconv"), None)
    subject = of_module("spconv", around.matrix)
    if row is None or subject is None:
        return Examination()
    subject = named(row, subject, around)
    package = subject.package or ""
    solves = proposed_solves(
        (Cure(packages=(package, "{packages}")),), {}, around.entities, around.matrix, subject
    )
    return Examination(fields={"package": package}, solves=on_a_gpu(solves), subject=subject)


def own_ops(match: SymptomMatch, around: DiagnosisContext) -> Examination:
    """An extension that its own package does not hold: it is built in the checkout it is imported from."""
    path = match.fields.get("path", "")
    top = match.fields.get("package", "").partition(".")[0]
    subject = of_module(match.fields.get("module", ""), around.matrix) or of_module(top, around.matrix)
    if subject is not None and "site-packages" not in path and "dist-packages" not in path:
        # A checkout of a package that also has releases is built in place: a lock would not touch it.
        subject = replace(subject, decided=False, own=True)
    build = {"build": subject.build} if subject and subject.build and "{" not in subject.build else {}
    return Examination(fields=build, subject=subject)


def own_extension(match: SymptomMatch, around: DiagnosisContext) -> Examination | None:
    """Only what no package is known for: the rest is reported with its package."""
    module = match.fields.get("module", "")
    known = of_module(module, around.matrix)
    row = next((row for row in around.matrix.modules if row.module == module), None)
    if known is not None and (row is None or module == TORCH or not row.on_cpu):
        return None
    return Examination(
        subject=replace(known, decided=False) if known else Subject(told=Told.MODULE, module=module)
    )
