"""Reading a text of any size and any encoding, in bounded memory."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from mmlock.doctor.model import Log, LogLine

CHUNK = 1 << 20
HEAD_BYTES = 4 << 20
"""So much of the start is kept whole."""
MIDDLE_BYTES = 16 << 20
"""So much of what is loud is kept after it."""
TAIL_LINES = 4000
MAX_LINE = 6000
"""Longer lines are read in parts of so many bytes: symbol names end before."""
_PARTS = 40
"""So many parts of a line are kept."""
_OF_TAIL = MAX_LINE * 2
"""So many bytes of a line that may be the end of the text."""
_REWRITES, _OF_A_LINE = 400, 64
"""How often a progress bar may write over its line, and what each costs: its end is kept most of all."""
_BEFORE, _AFTER = 40, 20
_PATIENCE = 20
"""How often a line that differs in numbers only is kept."""
_KINDS = 50_000
"""So many kinds of lines are remembered."""
_KIND = 200
"""So much of a line without its numbers tells its kind."""
_DULL = 2000
"""Longer lines are not remembered as quiet."""

LOUD = (
    b"rror", b"xception", b"undefined", b"not found", b"No module", b"annot ", b"ault", b"atal", b"ailed",
    b"raceback", b"nsupported", b"ssert", b"ncompatible", b"building ext", b"Ignoring", b"not compatible",
    b"no kernel image", b"capability", b"mplementation for", b"not implement", b"not compiled", b"arning",
    b"illed", b"egistry", b"egistered", b"must be const", b"Compiling mmcv", b"NumPy", b".tar.gz",
    b"uilding wheel", b"Looking in links",
    b"arch_list", b"mismatch", b"none-any", b"XFORMERS", b"xFormers", b"No matching",
    b"Could not find", b"No such file",
)  # fmt: skip
"""One of these is in every line that a symptom can match; other lines are not looked at."""
_LOUD = re.compile(b"|".join(re.escape(word) for word in LOUD))
_LOUD_TEXT = re.compile("|".join(re.escape(word.decode()) for word in LOUD))

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_NUMERALS = b"0123456789"
_NO_DIGITS = dict.fromkeys(_NUMERALS)
_MAGIC = {
    b"\x7fELF": "it is a compiled file (ELF)",
    b"PK\x03\x04": "it is an archive (ZIP, or a wheel)",
    b"\x1f\x8b": "it is compressed with gzip",
    b"\xfd7zXZ": "it is compressed with xz",
    b"BZh": "it is compressed with bzip2",
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd",
    b"%PDF": "it is a PDF",
    b"\x89PNG": "it is an image",
    b"\xff\xd8\xff": "it is an image",
    b"MZ": "it is a Windows program",
}
_TEXT = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x7F)) | set(range(0x80, 0x100)))
_JUNK = 0.1
"""Control bytes above this share are no text."""


def read_log(stream: BinaryIO) -> Log:
    """Every line of a text, or of a huge one its start, its end, and what is loud between."""
    first = stream.read(CHUNK)
    keep = _Keep()
    size = 0
    for chunk in _utf8(first, stream):
        size += len(chunk)
        keep.chunk(chunk)
    keep.end()
    return Log(
        lines=tuple(keep.kept()),
        total=keep.number,
        size=size,
        whole=keep.whole,
        cut=keep.cut,
        binary=_what_instead(first),
    )


def is_loud(text: str) -> bool:
    """Whether a line can show a symptom at all."""
    return _LOUD_TEXT.search(text) is not None


def _loud_of(lines: set[bytes]) -> set[bytes]:
    """Those that can show a symptom: each word is searched in all of them at once."""
    text = b"\n".join(lines)
    result = set()
    for word in LOUD:
        place = text.find(word)
        while place >= 0:
            end = text.find(b"\n", place)
            end = len(text) if end < 0 else end
            result.add(text[text.rfind(b"\n", 0, place) + 1 : end])
            place = text.find(word, end)
    return result


class RepeatedLines:
    """Which lines of a huge text are like many before that told nothing: they differ in numbers only.

    The end of a text is where it failed, so nothing there is passed over.
    """

    def __init__(self, log: Log) -> None:
        self._until = 0 if log.whole else log.total - TAIL_LINES
        self._seen: dict[str, int] = {}

    def of(self, line: LogLine) -> bool:
        """Whether it need not be looked at."""
        return line.number < self._until and self._seen.get(line.text.translate(_NO_DIGITS), 0) >= _PATIENCE

    def told_nothing(self, line: LogLine) -> None:
        """Remember that."""
        if line.number < self._until:
            kind = line.text.translate(_NO_DIGITS)
            self._seen[kind] = self._seen.get(kind, 0) + 1


def _what_instead(start: bytes) -> str | None:
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            return what
    if _wide(start) or not start:
        return None
    sample = start[:65536]
    junk = len(sample.translate(None, _TEXT))
    return "it is binary data" if junk > len(sample) * _JUNK else None


def _wide(start: bytes) -> str | None:
    """The name of a two-byte encoding: by its mark, or by zeros in every other place."""
    if start.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if start.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    sample = start[:4096]
    if len(sample) < 8:  # noqa: PLR2004 - nothing to tell from
        return None
    odd, even = sample[1::2].count(0), sample[0::2].count(0)
    if odd > len(sample) * 0.35 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > len(sample) * 0.35 and not odd else None


def _utf8(first: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """The text in pieces; two-byte encodings become UTF-8, all else stays as it is."""
    wide = _wide(first)
    chunk = first
    decoder = codecs.getincrementaldecoder(wide)("replace") if wide else None
    while chunk:
        yield decoder.decode(chunk).encode("utf-8", "replace") if decoder else chunk
        chunk = stream.read(CHUNK)


class _Keep:
    """What is kept of a text while it goes by."""

    def __init__(self) -> None:
        self.number = 0
        self._head: list[LogLine] = []
        self._middle: list[LogLine] = []
        self._tail: deque[tuple[int, bytes]] = deque(maxlen=TAIL_LINES)
        self._room = HEAD_BYTES
        self._middle_room = MIDDLE_BYTES
        self._after = 0
        self._rest = b""
        self._kinds: dict[bytes, int] = {}
        self._dull: set[bytes] = set()
        self._last_kept = 0
        self.cut = 0

    @property
    def whole(self) -> bool:
        return self._room > 0

    def chunk(self, data: bytes) -> None:
        """Take one piece in."""
        body, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if len(self._rest) > CHUNK:  # a line without an end: what is long enough is a line
            body = body + newline + self._rest
            self._rest = b""
        elif not newline:
            return
        if self._room <= 0 and not self._after and not self._tells(body):
            self._pass(body)
            return
        for raw in body.split(b"\n"):
            self._line(raw)

    def _tells(self, body: bytes) -> bool:
        """Whether a piece has a line that is loud and new. Most lines of a log differ in numbers only."""
        if self._middle_room <= 0:
            return False
        fresh = set(body.translate(None, _NUMERALS).split(b"\n")) - self._dull
        if not fresh:
            return False
        dull = fresh - _loud_of(fresh)
        told = fresh - dull
        dull |= {kind for kind in told if self._kinds.get(kind[:_KIND], 0) >= _PATIENCE}
        if len(self._dull) < _KINDS:
            self._dull |= {kind for kind in dull if len(kind) < _DULL}
        return len(dull) < len(fresh)

    def end(self) -> None:
        """Take the last line in."""
        if self._rest:
            self._line(self._rest)
        self._rest = b""

    def _pass(self, body: bytes) -> None:
        """A quiet piece: it only counts, and its end may be the end."""
        count = body.count(b"\n") + 1
        last = body.rsplit(b"\n", TAIL_LINES)[-TAIL_LINES:]
        self.number += count
        start = self.number - len(last)
        self._tail.extend((start + place, raw[: _OF_TAIL + 1]) for place, raw in enumerate(last, start=1))

    def _line(self, raw: bytes) -> None:
        self.number += 1
        if self._room > 0:
            self._room -= _cost(raw)
            self._head.extend(self._lines(self.number, raw))
            self._last_kept = self.number
            return
        if self._middle_room > 0 and _LOUD.search(raw) and self._new(raw):
            for number, before in list(self._tail)[-_BEFORE:]:
                if number > self._last_kept:
                    self._take(number, self._begun(before))
            self._take(self.number, raw)
            self._after = _AFTER
        elif self._after:
            self._after -= 1
            self._take(self.number, raw)
        self._tail.append((self.number, raw[: _OF_TAIL + 1]))

    def _new(self, raw: bytes) -> bool:
        """Whether such a line was not seen too often."""
        kind = raw.translate(None, _NUMERALS)[:_KIND]
        seen = self._kinds.get(kind, 0)
        if seen or len(self._kinds) < _KINDS:
            self._kinds[kind] = seen + 1
        return seen < _PATIENCE

    def _take(self, number: int, raw: bytes) -> None:
        self._middle_room -= _cost(raw)
        self._middle.extend(self._lines(number, raw))
        self._last_kept = number

    def kept(self) -> Iterator[LogLine]:
        """All that is kept, in order."""
        yield from self._head
        yield from self._middle
        for number, raw in self._tail:
            if number > self._last_kept:
                yield from self._lines(number, self._begun(raw))

    def _begun(self, raw: bytes) -> bytes:
        """What the tail holds of a line."""
        self.cut += len(raw) > _OF_TAIL
        return raw[:_OF_TAIL]

    def _lines(self, number: int, raw: bytes) -> list[LogLine]:
        """A line as people see it; what a progress bar has written over is a line of the same number."""
        written = [part for part in raw.split(b"\r") if part.strip()]
        first = written[: max(0, min(len(written) - _REWRITES, _REWRITES // 4))]
        kept = [*first, *written[-_REWRITES:]]
        parts = [part[at : at + MAX_LINE] for part in kept for at in range(0, len(part), MAX_LINE)]
        whole = len(kept) == len(written) and len(parts) <= len(kept) + _PARTS
        self.cut += not whole
        return [LogLine(number=number, text=_clean(part)) for part in parts[: len(kept) + _PARTS]]


def _cost(raw: bytes) -> int:
    """What keeping a line takes of the room."""
    return min(len(raw), MAX_LINE * 4) + 1 + _OF_A_LINE * min(raw.rstrip(b"\r").count(b"\r"), _REWRITES)


def _clean(raw: bytes) -> str:
    return _CONTROL.sub("", _ESCAPE.sub("", _decoded(raw))).rstrip()


def _decoded(raw: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")
