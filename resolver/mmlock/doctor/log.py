"""Reading a text of any size and any encoding, in bounded memory."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from mmlock.doctor.model import Log, LogLine, NotText
from mmlock.doctor.prefilter import Prefilter, reduced

CHUNK = 1 << 17
"""Bytes that are read at once: few enough to stay in the processor's cache."""
_NO_END = 1 << 21
"""So much without the end of a line is a line."""
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
_DULL = 2000
"""Longer lines are not remembered as quiet."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]")
_NO_DIGITS = dict.fromkeys(b"0123456789")
_MAGIC = {
    b"\x7fELF": NotText.ELF,
    b"PK\x03\x04": NotText.ZIP,
    b"\x1f\x8b": NotText.GZIP,
    b"\xfd7zXZ": NotText.XZ,
    b"BZh": NotText.BZIP2,
    b"\x28\xb5\x2f\xfd": NotText.ZSTD,
    b"%PDF": NotText.PDF,
    b"\x89PNG": NotText.IMAGE,
    b"\xff\xd8\xff": NotText.IMAGE,
    b"MZ": NotText.WINDOWS_PROGRAM,
}
_TEXT = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x7F)) | set(range(0x80, 0x100)))
_JUNK = 0.1
"""Control bytes above this share are no text."""


ERRORS = Prefilter([("rror: ", "rror:", "xception: ", "Traceback (most", "FAILED: ", "#error")])
"""What tells of a failure in any text."""


def read_log(stream: BinaryIO, loud: Prefilter = ERRORS) -> Log:
    """Every line of a text, or of a huge one its start, its end, and what is loud between."""
    first = stream.read(CHUNK)
    keep = _Keep(loud)
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


def _what_instead(start: bytes) -> NotText | None:
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            return what
    if _wide(start) or not start:
        return None
    sample = start[:65536]
    junk = len(sample.translate(None, _TEXT))
    return NotText.BINARY if junk > len(sample) * _JUNK else None


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

    def __init__(self, loud: Prefilter) -> None:
        self._prefilter = loud
        self.number = 0
        self._head: list[LogLine] = []
        self._middle: list[LogLine] = []
        self._tail: deque[tuple[int, bytes]] = deque(maxlen=TAIL_LINES)
        self._passed: deque[tuple[int, int, bytes]] = deque()
        """Quiet pieces that may hold the end: number of the line before, lines, bytes."""
        self._room = HEAD_BYTES
        self._middle_room = MIDDLE_BYTES
        self._after = 0
        self._rest = b""
        self._loud: dict[bytes, int] = {}
        """Kinds of lines that can show a symptom -> how often one was kept."""
        self._dull: set[bytes] = set()
        """Kinds that cannot, or were kept often enough."""
        self._last_kept = 0
        self.cut = 0

    @property
    def whole(self) -> bool:
        return self._room > 0

    def chunk(self, data: bytes) -> None:
        """Take one piece in."""
        body, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if len(self._rest) > max(CHUNK, _NO_END):
            body = body + newline + self._rest
            self._rest = b""
        elif not newline:
            return
        if self._room <= 0 and not self._tells(body) and not self._after:
            self._pass(body)
            return
        learned = self._room <= 0
        lines = body.split(b"\n")
        for place, raw in enumerate(lines):
            if self._room <= 0 and not learned:
                self._tells(b"\n".join(lines[place:]))
                learned = True
            self._line(raw)

    def _tells(self, body: bytes) -> bool:
        """Whether a piece has a line that is loud and new. Most lines of a log differ in numbers only."""
        if self._middle_room <= 0:
            return False
        fresh = set(reduced(body).split(b"\n")) - self._dull
        unknown = fresh - self._loud.keys()
        if unknown:
            loud = self._prefilter.loud(unknown)
            if len(self._dull) < _KINDS:
                self._dull |= {kind for kind in unknown - loud if len(kind) < _DULL}
            self._loud.update(dict.fromkeys(loud, 0))
            fresh -= unknown - loud
        return bool(fresh)

    def end(self) -> None:
        """Take the last line in."""
        if self._rest:
            self._tells(self._rest)
            self._line(self._rest)
        self._rest = b""

    def _pass(self, body: bytes) -> None:
        """A quiet piece: it only counts, and its end may be the end."""
        count = body.count(b"\n") + 1
        self._passed.append((self.number, count, body))
        self.number += count
        while len(self._passed) > 1 and self.number - self._passed[1][0] >= TAIL_LINES:
            self._passed.popleft()

    def _settle(self) -> None:
        """Take the lines of quiet pieces into the tail."""
        for before, count, body in self._passed:
            last = body.rsplit(b"\n", TAIL_LINES)[-TAIL_LINES:]
            start = before + count - len(last)
            self._tail.extend((start + place, raw[: _OF_TAIL + 1]) for place, raw in enumerate(last, start=1))
        self._passed.clear()

    def _line(self, raw: bytes) -> None:
        if self._passed:
            self._settle()
        self.number += 1
        if self._room > 0:
            self._room -= _cost(raw)
            self._head.extend(self._lines(self.number, raw))
            self._last_kept = self.number
            return
        if self._middle_room > 0 and self._new(raw):
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
        """Whether such a line is loud, and was not kept too often."""
        kind = reduced(raw)
        kept = self._loud.get(kind)
        if kept is None:
            return False
        if kept + 1 < _PATIENCE:
            self._loud[kind] = kept + 1
        else:
            del self._loud[kind]
            self._dull.add(kind)
        return True

    def _take(self, number: int, raw: bytes) -> None:
        self._middle_room -= _cost(raw)
        self._middle.extend(self._lines(number, raw))
        self._last_kept = number

    def kept(self) -> Iterator[LogLine]:
        """All that is kept, in order."""
        self._settle()
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


_KANA = re.compile(rb"[\x82\x83][\x40-\xf1]")
"""Letters of Japanese in Shift JIS; in GB 18030 these are characters that nobody writes."""


def _decoded(raw: bytes) -> str:
    first = "cp932" if len(_KANA.findall(raw)) > 1 else "gb18030"
    for encoding in ("utf-8", first, "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")
