"""A text put to the doctor, with the real facts."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from solved import facts

from mmlock.binary.tables import SymbolStore
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.diagnose import diagnose
from mmlock.doctor.log import read_log
from mmlock.doctor.log_entities import find_log_entities
from mmlock.doctor.model import Diagnosis
from mmlock.doctor.patterns import Patterns, patterns_of
from mmlock.facts.matrix.load import Matrix


def matrix() -> Matrix:
    return facts()


def patterns() -> Patterns:
    return patterns_of(matrix())


@dataclass(frozen=True)
class Answer:
    """What a text comes to."""

    found: tuple[Diagnosis, ...]

    @property
    def ids(self) -> list[str]:
        return [one.symptom for one in self.found]

    @property
    def cause(self) -> Diagnosis:
        return self.found[0]


Ask = Callable[[bytes], Answer]


def put(data: bytes) -> Answer:
    log = read_log(io.BytesIO(data), patterns().loud)
    facts = matrix()
    around = DiagnosisContext(
        log=log,
        entities=find_log_entities(log, facts),
        matrix=facts,
        symbols=SymbolStore(facts.root),
        patterns=patterns(),
    )
    return Answer(diagnose(around))


@pytest.fixture
def ask() -> Ask:
    return put
