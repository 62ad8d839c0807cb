"""Which lines are looked at: no line that a pattern matches is dropped."""

from __future__ import annotations

import io
import re

import pytest

from mmlock.doctor import log
from mmlock.doctor.log import read_log
from mmlock.doctor.prefilter import LEAST, Prefilter, needed, reduced

from .conftest import Ask, matrix, patterns
from .test_cases import cases
from .test_threads import threads

ROWS = [(row.id, pattern) for row in matrix().symptoms for pattern in row.patterns]
TEXTS = [*(case["text"] for case in cases()), *(thread["text"] for thread in threads())]
LINES = sorted(
    {line for text in (*TEXTS, *(row.example for row in matrix().symptoms)) for line in text.splitlines()}
)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("Segmentation fault", {"Segmentation fault"}),
        (r"exit code -?(?:11|139)\b", {"exit code "}),
        ("(?:Failed|failed) to build", {" to build"}),
        ("(?P<what>un) symbol: \\w+", {" symbol: "}),
        (r"LNK1181.{0,9}\.lib", {".lib"}),
        ("(?:OMP|ABC): Error #15", {": Error #"}),
        ("first thing|other thing", {"first thing", "other thing"}),
        ("(?:word)?", set()),
        (r"\d+\.\d+", set()),
        ("(?i)error here", set()),
    ],
)
def test_the_words_of_a_pattern_are_those_that_it_cannot_do_without(pattern: str, words: set[str]) -> None:
    assert needed(pattern) == words


@pytest.mark.parametrize(("row", "pattern"), ROWS, ids=[row for row, _ in ROWS])
def test_every_pattern_of_a_symptom_has_words_that_lines_are_chosen_by(row: str, pattern: str) -> None:
    words = needed(pattern)
    assert words, row
    assert all(len(reduced(word.encode())) >= LEAST for word in words)


@pytest.mark.slow
def test_no_line_that_a_pattern_matches_is_dropped() -> None:
    """Every line of every case, with each pattern alone and with the prefilter before it."""
    compiled = [(row, re.compile(pattern)) for row, pattern in ROWS]
    for line in LINES:
        english = patterns().read(line)
        plain = {row for row, pattern in compiled if pattern.search(english)}
        assert {hit.row.id for hit in patterns().hits(english)} == plain, line


def test_every_line_that_shows_something_is_loud_in_any_encoding() -> None:
    for line in LINES:
        if not any(patterns().hits(patterns().read(line))):
            continue
        for encoding in ("utf-8", "gb18030"):
            raw = reduced(line.encode(encoding, "replace"))
            assert raw in patterns().loud.loud({raw, b"quiet"}), (encoding, line)


def test_lines_without_a_word_are_not_loud() -> None:
    quiet = {b"[/] nvcc -I/usr/inlu -o op.o op.u", b"loss: . lr: ."}
    assert Prefilter([{"Segmentation fault"}]).loud(quiet) == set()


def test_what_a_prefilter_chooses_is_found_in_the_middle_of_a_huge_text(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that the list of words of before dropped: they hold no `error`."""
    monkeypatch.setattr(log, "HEAD_BYTES", 1)
    monkeypatch.setattr(log, "CHUNK", 1 << 12)
    monkeypatch.setattr(log, "TAIL_LINES", 10)
    quiet = b"".join(b"[%d/9] cc -c a%x.c -o a.o\n" % (place, place) for place in range(2000))
    for line, symptom in (
        ("Process finished with exit code 139 (interrupted by signal 11)", "segfault"),
        (
            "Disabling PyTorch because PyTorch >= 2.1 is required but found 2.0.1",
            "torch-older-than-transformers",
        ),
        ("OSError: x.so.1: 无法在静态 TLS 块中分配内存", "static-tls"),
    ):
        assert symptom in ask(quiet + line.encode() + b"\n" + quiet).ids, line


def test_quiet_pieces_of_a_huge_text_are_counted_and_its_end_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "HEAD_BYTES", 1)
    monkeypatch.setattr(log, "CHUNK", 100)
    monkeypatch.setattr(log, "TAIL_LINES", 25)
    text = b"".join(b"quiet line %d\n" % place for place in range(1, 501))
    read = read_log(io.BytesIO(text), patterns().loud)
    assert read.total == 500
    assert [line.number for line in read.lines][-25:] == list(range(476, 501))
    assert read.lines[-1].text == "quiet line 500"
