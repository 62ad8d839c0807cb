"""What compilers, loaders and shells say in other languages, in the words that they use in English."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmlock.doctor.prefilter import LEAST, Prefilter
from mmlock.facts.matrix.symptom_rows import Phrase

_NAME = r"([^\s:'`\"\u2018\u2019\u201c\u201d]{1,200})"


class English:
    """A reader of lines in any of the languages of a table."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        longest_first = sorted(phrases, key=lambda row: (-len(row.said), row.said, row.language))
        self._rows = [row for row in longest_first if row.said != row.means]
        self.words = [_words(row) for row in self._rows]
        """For each phrase, words that lines with it hold."""
        self._find = Prefilter(self.words)

    def of(self, text: str) -> str:
        """A line with what is known of it in English; the rest of it stays as it is."""
        for place in self._find.places(text):
            text = _in_english(text, self._rows[place])
        return text


def _in_english(text: str, row: Phrase) -> str:
    before, named, after = row.said.partition("{x}")
    if not named:
        return text.replace(row.said, row.means)
    pattern = re.escape(before) + _NAME + re.escape(after)
    return re.sub(pattern, lambda found: row.means.replace("{x}", found[1]), text)


def _words(phrase: Phrase) -> frozenset[str]:
    """A word without digits that is in every line with a phrase."""
    longest = max(re.split(r"\{x\}|\d", phrase.said), key=lambda part: len(part.encode()))
    return frozenset({longest} if len(longest.encode()) >= LEAST else ())
