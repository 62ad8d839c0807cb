"""Rows that a refresh wrote, told by the day in their source."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Binary
from mmlock.facts.matrix.provenance import dated, read_on, seen_on, settled

ROOT = Path(__file__).parents[3]


def binary() -> Binary:
    return Matrix(ROOT / "matrices").binaries("torchaudio")[0]


def test_a_later_day_takes_the_place_of_an_earlier_one() -> None:
    once = seen_on(structs.replace(binary(), source=("elf",)), dated("pypi-list", "2026-11-20"))
    twice = seen_on(once, dated("pypi-list", "2026-11-21"))
    assert twice.source == ("elf", "pypi-list-2026-11-21")
    assert dated(dated("page", "2026-11-20"), "2026-11-21") == "page-2026-11-21"


def test_all_sources_of_a_row_that_was_read_carry_the_day() -> None:
    row = structs.replace(binary(), source=("cap-2026", "elf", "page-2026-11-20"))
    (read,) = read_on("2026-11-21", [row])
    assert read.source == ("cap-2026-2026-11-21", "elf-2026-11-21", "page-2026-11-21")


def test_a_key_does_not_grow_by_day_and_its_text_spans_the_days() -> None:
    kept = {"pypi-list": "PyPI simple index file list, 2026-11-20"}
    for day in ("2026-11-21", "2026-11-22", "2026-11-28"):
        keys, texts = settled(kept, {f"pypi-list-{day}": f"PyPI simple index file list, read {day}"})
        assert keys == {f"pypi-list-{day}": "pypi-list"}
        kept |= texts
    assert kept == {"pypi-list": "PyPI simple index file list, read 2026-11-20 to 2026-11-28"}


def test_a_text_that_says_something_else_keeps_a_key_of_its_own() -> None:
    kept = {"page": "https://a.example/, read 2026-11-20"}
    told = {"page-2026-11-21": "https://mirror.example/, read 2026-11-21"}
    keys, texts = settled(kept, told)
    assert (keys, texts) == ({"page-2026-11-21": "page-2"}, {"page-2": told["page-2026-11-21"]})
    again, later = settled({**kept, **texts}, {"page-2026-11-28": "https://mirror.example/, read 2026-11-28"})
    assert again == {"page-2026-11-28": "page-2"}
    assert later["page-2"].endswith("read 2026-11-21 to 2026-11-28")


def test_the_same_day_twice_is_one_day() -> None:
    _, texts = settled({"elf": "sections, read 2026-11-21"}, {"elf-2026-11-21": "sections, read 2026-11-21"})
    assert texts == {"elf": "sections, read 2026-11-21"}
