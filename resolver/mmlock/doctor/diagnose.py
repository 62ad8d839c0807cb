"""From a text to its diagnoses: the cause first, its consequences after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from string import Formatter

from msgspec.structs import replace

from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.log import RepeatedLines, is_loud
from mmlock.doctor.model import Diagnosis, Examination, Log, LogLine, Proposal, SymptomMatch
from mmlock.doctor.proposals import proposed_solves
from mmlock.doctor.symptoms import EXAMINERS
from mmlock.facts.matrix.curated import Breakage, Symptom
from mmlock.facts.matrix.load import Matrix

_SHOWN = 3


def find_matches(log: Log, rows: Sequence[Symptom]) -> list[SymptomMatch]:
    """Every symptom of a text, in the order of their first lines."""
    compiled = [(row, [re.compile(pattern) for pattern in row.patterns]) for row in rows if row.patterns]
    hits: dict[str, list[tuple[LogLine, re.Match[str]]]] = {}
    repeated = RepeatedLines(log)
    for line in log.lines:
        if not is_loud(line.text) or repeated.of(line):
            continue
        told = False
        for row, patterns in compiled:
            for pattern in patterns:
                if hit := pattern.search(line.text):
                    hits.setdefault(row.id, []).append((line, hit))
                    told = True
                    break
        if not told:
            repeated.told_nothing(line)
    by_id = {row.id: row for row in rows}
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
    for match in find_matches(around.log, around.matrix.symptoms):
        examined = _examined(match, around)
        if examined is None:
            continue
        row = rows[examined.row] if examined.row else match.row
        diagnosis = _diagnosis(row, match, examined, around)
        diagnoses.setdefault(diagnosis.symptom, diagnosis)
    return tuple(sorted(diagnoses.values(), key=lambda one: (one.rank, one.first)))


def _examined(match: SymptomMatch, around: DiagnosisContext) -> Examination | None:
    if match.row.examine is None:
        return Examination()
    return EXAMINERS[match.row.examine](match, around)


def _diagnosis(
    row: Symptom, match: SymptomMatch, examined: Examination, around: DiagnosisContext
) -> Diagnosis:
    fields = {**match.fields, **examined.fields}
    breakage = next((b for b in around.matrix.breaks if b.id == row.breakage), None)
    solves = examined.solves
    if solves is None:
        solves = proposed_solves(row.cures, fields, around.entities, around.matrix)
    return Diagnosis(
        symptom=row.id,
        kind=row.kind,
        title=_title(row.title, fields),
        lines=match.lines,
        count=match.count,
        evidence=examined.evidence,
        cause=(*_sentences(row.cause, fields), *(_of_breakage(breakage) if breakage else ())),
        advice=_sentences(row.advice, fields),
        solves=solves,
        commands=tuple(Proposal(command=cure.command, when=cure.when) for cure in row.cures if cure.command),
        source=_sources(row, breakage, around.matrix),
        confidence=row.confidence,
        rank=row.rank,
    )


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


def _title(template: str, fields: Mapping[str, str]) -> str:
    known = {name: fields.get(name) or _UNKNOWN.get(name, "it") for name in _names(template)}
    return template.format_map(known)


_UNKNOWN = {"file": "a compiled file", "package": "a package", "name": "it", "sm": "of a newer arch"}


def _names(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def told_apart(diagnoses: Sequence[Diagnosis]) -> tuple[Diagnosis | None, tuple[Diagnosis, ...]]:
    """The cause, and what follows from it or stands beside it."""
    return (
        (diagnoses[0], tuple(replace(one, solves=(), commands=()) for one in diagnoses[1:]))
        if diagnoses
        else (None, ())
    )
