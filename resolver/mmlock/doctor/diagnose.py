"""From a text to its diagnoses: the cause first, its consequences after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import Formatter

from msgspec.structs import replace

from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log import RepeatedLines
from mmlock.doctor.model import Diagnosis, Examination, Log, LogLine, Proposal, Subject, SymptomMatch
from mmlock.doctor.patterns import Patterns
from mmlock.doctor.proposals import proposed_solves
from mmlock.doctor.subject import subject_of
from mmlock.doctor.symptoms import EXAMINERS
from mmlock.facts.matrix.curated import Breakage
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.symptom_rows import Symptom

_SHOWN = 3
_ONLY_THAT = 4
"""Symptoms from this rank on say only that something failed, which is no news beside any other."""


def find_matches(log: Log, patterns: Patterns) -> list[SymptomMatch]:
    """Every symptom of a text, in the order of their first lines."""
    hits: dict[str, list[tuple[LogLine, re.Match[str]]]] = {}
    repeated = RepeatedLines(log)
    for line in log.lines:
        if repeated.of(line):
            continue
        told = False
        for hit in patterns.hits(patterns.read(line.text)):
            hits.setdefault(hit.row.id, []).append((line, hit.fields))
            told = True
        if not told:
            repeated.told_nothing(line)
    by_id = {row.id: row for row in patterns.symptoms}
    matches = [_match(by_id[name], hit) for name, hit in hits.items()]
    return sorted(matches, key=lambda match: match.first)


def _match(row: Symptom, hits: Sequence[tuple[LogLine, re.Match[str]]]) -> SymptomMatch:
    lines = {line.text: line for line, _ in reversed(hits)}
    shown = sorted(lines.values(), key=lambda line: line.number)
    best = max((m for _, m in hits), key=lambda m: sum(1 for v in m.groupdict().values() if v))
    fields = {name: value for name, value in best.groupdict().items() if value}
    return SymptomMatch(row=row, lines=tuple(shown[:_SHOWN]), count=len(hits), fields=fields)


def diagnose(around: DiagnosisContext) -> tuple[Diagnosis, ...]:
    """What the text shows, the cause first; empty when nothing is known."""
    rows = {row.id: row for row in around.matrix.symptoms}
    diagnoses: dict[str, Diagnosis] = {}
    covered: set[str] = set()
    matches = find_matches(around.log, around.patterns)
    for match in sorted(matches, key=lambda match: not match.row.covers):  # these say what others are not
        examined = None if match.row.id in covered else _examined(match, around)
        if examined is None:
            continue
        row = rows[examined.row] if examined.row else match.row
        diagnosis = _diagnosis(row, match, examined, around)
        diagnoses.setdefault(diagnosis.symptom, diagnosis)
        covered.update(row.covers)
    left = [one for one in diagnoses.values() if one.symptom not in covered]
    if any(one.rank < _ONLY_THAT for one in left):
        left = [one for one in left if one.rank < _ONLY_THAT]
    return tuple(sorted(left, key=lambda one: (one.rank, one.first)))


def _examined(match: SymptomMatch, around: DiagnosisContext) -> Examination | None:
    if match.row.examine is None:
        return Examination()
    return EXAMINERS[match.row.examine](match, around)


def _diagnosis(
    row: Symptom, match: SymptomMatch, examined: Examination, around: DiagnosisContext
) -> Diagnosis:
    subject = examined.subject or subject_of(match, around.log, around.matrix)
    fields = {**_of_subject(subject, around), **match.fields, **examined.fields}
    breakage = next((b for b in around.matrix.breaks if b.id == row.breakage), None)
    solves = examined.solves
    if solves is None:
        solves = proposed_solves(row.cures, fields, around.entities, around.matrix, subject)
    # Sentences about a lock are for those who are shown how to get one.
    locked = {**fields, "lock": "the lock of the command below"} if solves else fields
    return Diagnosis(
        symptom=row.id,
        kind=row.kind,
        title=_title(row.title, fields),
        lines=examined.lines or match.lines,
        count=1 if examined.lines else match.count,
        evidence=(*examined.evidence, *_vendor(around)),
        cause=(*_sentences(row.cause, fields), *(_of_breakage(breakage) if breakage else ())),
        advice=_advice(row.advice, locked),
        without_lock=_advice(row.advice, fields),
        solves=solves,
        commands=tuple(_given(row, fields)),
        source=_sources(row, breakage, around.matrix),
        confidence=row.confidence,
        rank=row.rank,
        subject=subject.name if subject else "",
    )


def _of_subject(subject: Subject | None, around: DiagnosisContext) -> dict[str, str]:
    """What sentences may say of who failed; what is unknown is left out."""
    if subject is None:
        return {}
    fields = {"subject": subject.name}
    if subject.package:
        version = f"=={subject.version}" if subject.version else ""
        fields |= {"package": subject.package, "pinned": f"{subject.package}{version}"}
    torch = around.entities.value("torch")
    if subject.build and ("{torch}" not in subject.build or torch):
        fields["build"] = subject.build.replace("{torch}", torch or "")
    return fields


def _given(row: Symptom, fields: Mapping[str, str]) -> Iterator[Proposal]:
    """Commands that are in the row: nothing tries them."""
    for cure in row.cures:
        for text in _sentences((cure.command,) if cure.command else (), fields):
            yield Proposal(command=text, when=cure.when)


def _vendor(around: DiagnosisContext) -> Iterator[str]:
    torch = around.entities.vendor_torch
    if torch is not None:
        told = f"torch {torch} is its vendor's own build, which no index has"
        yield f"{told}: keep it, and build extensions for it"


def _of_breakage(breakage: Breakage) -> tuple[str, ...]:
    return (f"Known: {breakage.title}; {breakage.fix}.",)


def _sources(row: Symptom, breakage: Breakage | None, matrix: Matrix) -> tuple[str, ...]:
    texts = matrix.sources("symptoms")
    told = [texts.get(key, key) for key in row.source if key != "breaks" or breakage is None]
    if breakage is not None:
        others = matrix.sources("breaks")
        told += [others.get(key, key) for key in breakage.source]
    return tuple(dict.fromkeys(told))


def _sentences(templates: Iterable[str], fields: Mapping[str, str]) -> tuple[str, ...]:
    """Those whose fields are all known, filled in."""
    return tuple(
        text.format_map(fields) for text in templates if all(fields.get(name) for name in _names(text))
    )


def _advice(templates: Iterable[str], fields: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{text[:1].upper()}{text[1:]}" for text in _sentences(templates, fields))


def _title(template: str, fields: Mapping[str, str]) -> str:
    known = {name: fields.get(name) or _UNKNOWN.get(name, "it") for name in _names(template)}
    return template.format_map(known)


_UNKNOWN = {
    "gfx": "of another arch",
    "gcc": "some older version",
    "object": "",
    "arch": "a newer arch",
    "library": "library",
    "who": "a package",
    "file": "a compiled file",
    "package": "a package",
    "subject": "a package",
    "pinned": "a package",
    "name": "it",
    "sm": "of a newer arch",
}


def _names(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def told_apart(diagnoses: Sequence[Diagnosis]) -> tuple[Diagnosis | None, tuple[Diagnosis, ...]]:
    """The cause, and what follows from it or is beside it."""
    return (
        (diagnoses[0], tuple(replace(one, solves=(), commands=()) for one in diagnoses[1:]))
        if diagnoses
        else (None, ())
    )
