"""What an examiner may look at besides its match."""

from __future__ import annotations

from msgspec import Struct

from mmlock.binary.tables import SymbolStore
from mmlock.doctor.log_entities import LogEntities
from mmlock.doctor.model import Log
from mmlock.doctor.patterns import Patterns
from mmlock.facts.matrix.load import Matrix

__all__ = ["DiagnosisContext"]


class DiagnosisContext(Struct, frozen=True, kw_only=True):
    """A text, what it names, and the facts."""

    log: Log
    entities: LogEntities
    matrix: Matrix
    symbols: SymbolStore
    patterns: Patterns
