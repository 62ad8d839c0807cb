"""Which lines can show a symptom at all: words that the patterns themselves cannot match without.

`needed(pattern)` reads a pattern as `re` parses it and gives words one of which is in every text that it
matches. `Prefilter` looks for short pieces of these words in many lines at once, and names the patterns that
are worth a search. So no list has to be kept in step with the patterns by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

if sys.version_info >= (3, 11):
    from re import _parser as sre_parse  # type: ignore[attr-defined]
else:
    import sre_parse

LEAST = 3
"""A word that lines are chosen by has so many bytes, the variable ones left out."""
VARIABLE = b"0123456789abcdef"
"""Bytes that are left out of lines and words alike where many lines are looked at: numbers and hashes.
A line that holds a word still does so without them, and lines that differ in nothing else are one."""
_PIECE = 6
"""Longer pieces of words are no quicker to look for."""
_ENCODINGS = ("utf-8", "gb18030", "cp932")
"""How texts of others are written; each word is looked for in all of them."""
_GROUPS = frozenset({"SUBPATTERN", "ATOMIC_GROUP"})
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


# ---------------------------------------------------------------- what a pattern needs


@lru_cache(maxsize=4096)
def needed(pattern: str) -> frozenset[str]:
    """Words without digits, one of which is in every text that a pattern matches; empty: it has none."""
    parsed = sre_parse.parse(pattern)
    if parsed.state.flags & re.IGNORECASE:
        return frozenset()
    return frozenset(_of_sequence(parsed.data) or ())


def _of_sequence(nodes: Iterable[tuple[Any, Any]]) -> set[str] | None:
    """The best of what each part needs; None where no part needs a word."""
    best: set[str] | None = None
    run = ""
    for op, argument in (*nodes, (None, None)):
        if str(op) == "LITERAL" and not chr(argument).isdigit():
            run += chr(argument)
            continue
        for words in ({run} if _long_enough(run) else None, _of_part(str(op), argument)):
            if words and (best is None or _better(words, best)):
                best = words
        run = ""
    return best


def _of_part(op: str, argument: Any) -> set[str] | None:
    if op in _GROUPS:
        return _of_sequence(argument[-1] if op == "SUBPATTERN" else argument)
    if op in _REPEATS and argument[0] > 0:
        return _of_sequence(argument[2])
    if op == "BRANCH":
        parts = [_of_sequence(branch) for branch in argument[1]]
        return set().union(*(part for part in parts if part)) if all(parts) else None
    return None


def _long_enough(word: str) -> bool:
    return len(reduced(word.strip().encode())) >= LEAST


def _better(words: set[str], than: set[str]) -> bool:
    """Longer words are rarer; of equal ones fewer are quicker."""
    ours, theirs = (min(map(len, group)) for group in (words, than))
    return (min(ours, _PIECE * 2), -len(words)) > (min(theirs, _PIECE * 2), -len(than))


def reduced(raw: bytes) -> bytes:
    """Text without what differs from line to line."""
    return raw.translate(None, VARIABLE)


_DELETED = dict.fromkeys(VARIABLE)
_KINDS = 50_000
"""So many kinds of lines are remembered."""


def kind_of(text: str) -> str:
    """The same of decoded text."""
    return text.translate(_DELETED)


# ---------------------------------------------------------------- many lines at once


class Prefilter:
    """Words, and which of many things each of them stands for (the place of a pattern)."""

    def __init__(self, needs: Sequence[Iterable[str]]) -> None:
        self._holders: dict[str, set[int]] = {}
        words: set[str] = set()
        for place, needed_words in enumerate(needs):
            for word in needed_words:
                words.add(word)
                self._holders.setdefault(kind_of(word), set()).add(place)
        self._pieces = _pieces(self._holders)
        self._raw = tuple(_raw_pieces(words).items())
        self._seen: dict[str, tuple[int, ...]] = {}

    def places(self, text: str) -> tuple[int, ...]:
        """What is worth a search in a line, in order. Lines of one kind are looked at once."""
        kind = kind_of(text)
        found = self._seen.get(kind)
        if found is None:
            held = (words for piece, words in self._pieces.items() if piece in kind)
            places = (self._holders[word] for words in held for word in words if word in kind)
            found = tuple(sorted(set().union(*places)))
            if len(self._seen) < _KINDS:
                self._seen[kind] = found
        return found

    def loud(self, lines: set[bytes]) -> set[bytes]:
        """Those of many lines in their reduced form that hold a word."""
        text = b"\n".join(lines)
        result: set[bytes] = set()
        for piece, words in self._raw:
            place = text.find(piece)
            while place >= 0:
                end = text.find(b"\n", place)
                end = len(text) if end < 0 else end
                line = text[text.rfind(b"\n", 0, place) + 1 : end]
                if any(word in line for word in words):
                    result.add(line)
                place = text.find(piece, end)
        return result


def _pieces(words: Iterable[str]) -> dict[str, list[str]]:
    """A few short pieces, such that every word holds one: the piece that most words share comes first."""
    left = set(words)
    holders: dict[str, list[str]] = {}
    for word in sorted(left):
        for piece in _parts(word):
            holders.setdefault(piece, []).append(word)
    chosen: dict[str, list[str]] = {}
    for piece in sorted(holders, key=lambda one: (-len(holders[one]), one)):
        if covered := [word for word in holders[piece] if word in left]:
            chosen[piece] = covered
            left.difference_update(covered)
    return chosen


def _parts(word: str) -> Iterator[str]:
    size = min(_PIECE, len(word))
    parts = {word[at : at + size] for at in range(len(word) - size + 1)}
    yield from (part for part in parts if len(part.strip()) > size - 2)


def _raw_pieces(words: Iterable[str]) -> dict[bytes, list[bytes]]:
    """The same in bytes, in every encoding."""
    encoded: set[bytes] = set()
    for word in words:
        for encoding in _ENCODINGS if not word.isascii() else _ENCODINGS[:1]:
            encoded.add(reduced(word.encode(encoding, "ignore")))
    by_text = {word.decode("latin-1"): word for word in encoded if len(word.strip()) >= LEAST}
    pieces = _pieces(by_text)
    return {piece.encode("latin-1"): [by_text[word] for word in held] for piece, held in pieces.items()}


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern, compiled when it is first worth a search: most of them never are in one text."""
    return re.compile(pattern)
