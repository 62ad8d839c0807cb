"""What the log of a failed build means, for whoever ran the build."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

from mmlock.binary.tables import SymbolStore
from mmlock.doctor.context import DiagnosisContext
from mmlock.doctor.diagnose import diagnose
from mmlock.doctor.log import read_log
from mmlock.doctor.log_entities import find_log_entities
from mmlock.doctor.patterns import patterns_of
from mmlock.facts.matrix.load import open_matrix
from mmlock.files.private import open_cache
from mmlock.wheels.symptoms import Explained

__all__ = ["explain_log"]


def explain_log(lines: Sequence[str]) -> Explained:
    """Its causes in a sentence each, and what to do."""
    matrix = open_matrix()
    patterns = patterns_of(matrix)
    log = read_log(io.BytesIO("\n".join(lines).encode()), patterns.loud)
    symbols = SymbolStore(matrix.root, open_cache(os.environ))
    entities = find_log_entities(log, matrix)
    found = diagnose(
        DiagnosisContext(log=log, entities=entities, matrix=matrix, symbols=symbols, patterns=patterns)
    )
    causes = [one for one in found if one.rank == min((other.rank for other in found), default=0)]
    return Explained(
        causes=tuple(one.title for one in causes),
        hints=tuple(dict.fromkeys(text for one in causes for text in one.advice)),
    )
