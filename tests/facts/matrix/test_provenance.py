"""Rows that a refresh wrote, told by the day in their source."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from mmlock.facts.matrix.load import Matrix
from mmlock.facts.matrix.model import Binary
from mmlock.facts.matrix.provenance import dated, read_on, seen_on

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
