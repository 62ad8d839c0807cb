"""`mmlock doctor --list`: the texts that are known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmlock.core.report import Page
from mmlock.doctor.text import shortened
from mmlock.facts.matrix.symptom_rows import Symptom

_EXAMPLE = 160


def listing(symptoms: Sequence[Symptom]) -> Page:
    """Every symptom by its name, with a line that shows it."""
    return Page(text="\n".join(_lines(symptoms)), data={"symptoms": [_data(row) for row in symptoms]})


def _lines(symptoms: Sequence[Symptom]) -> Iterator[str]:
    for row in symptoms:
        yield f"{row.id}: {row.title}"
        yield f"  {shortened(row.example.strip(), _EXAMPLE)}"
    yield ""
    yield f"{len(symptoms)} symptoms; a new one is a row of `curated/symptoms.toml`"


def _data(row: Symptom) -> dict[str, Any]:
    return {
        "symptom": row.id,
        "title": row.title,
        "kind": row.kind.value,
        "example": row.example,
        "patterns": list(row.patterns),
        "advice": list(row.advice),
        "source": list(row.source),
        "confidence": row.confidence.value,
    }
