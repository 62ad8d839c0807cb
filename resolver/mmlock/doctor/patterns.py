"""The patterns of the symptoms, ready to be searched in lines of any language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from re import Match, Pattern

from msgspec import Struct

from mmlock.doctor.english import English
from mmlock.doctor.prefilter import Prefilter, compiled, needed
from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.symptom_rows import Phrase, Symptom

ERRORS = frozenset(
    {"rror C", "rror LNK", "fatal error", "#error", "rror:", "Exception: ", "Traceback (most", "FAILED: "}
)
"""What shows that something failed, whether or not its meaning is known: the first such line is evidence."""


@lru_cache(maxsize=2)
def patterns_of(matrix: Matrix) -> Patterns:
    """Those of the facts, made once for each reading of them."""
    return Patterns(matrix.symptoms, matrix.phrases)


class Hit(Struct, frozen=True):
    """A symptom in a line."""

    row: Symptom
    fields: Match[str]


class Patterns:
    """All of them."""

    def __init__(self, symptoms: Sequence[Symptom], phrases: Sequence[Phrase]) -> None:
        self.symptoms = symptoms
        self._english = English(phrases)
        self._rows = [(row, pattern) for row in symptoms for pattern in row.patterns]
        self._made: dict[int, Pattern[str]] = {}
        words = [needed(pattern) for _, pattern in self._rows]
        self._search = Prefilter(words)
        self.loud = Prefilter([*words, *self._english.words, ERRORS])
        """Chooses the lines of a huge text that are kept."""

    def read(self, text: str) -> str:
        """A line in English, as far as it is known."""
        return self._english.of(text)

    def hits(self, text: str) -> Iterator[Hit]:
        """Every symptom that a line in English shows, each by the first of its patterns that matches."""
        told: set[str] = set()
        for place in self._search.places(text):
            row, pattern = self._rows[place]
            if row.id in told:
                continue
            made = self._made.get(place)
            if made is None:
                made = self._made[place] = compiled(pattern)
            if found := made.search(text):
                told.add(row.id)
                yield Hit(row, found)
