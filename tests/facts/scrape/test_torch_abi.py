"""What a wheel does not tell of its C++ ABI follows from the torch it is for, and is marked as concluded."""

from __future__ import annotations

import pytest
from msgspec import structs
from solved import facts

from mmlock.core.names import Confidence
from mmlock.facts.matrix.model import Binary
from mmlock.facts.refresh.inspect import concluded
from mmlock.facts.scrape.binaries import abi_of_torch

BUILDS = facts().torch_builds
READ = [
    row
    for row in facts().binaries("xformers")
    if row.confidence is Confidence.MEASURED and row.cxx11_abi is not None
]


@pytest.mark.parametrize("row", READ, ids=lambda row: row.version)
def test_what_follows_from_torch_is_what_was_read_in_the_wheel(row: Binary) -> None:
    assert abi_of_torch(row, BUILDS) == row.cxx11_abi


def test_the_conclusion_is_marked_and_keeps_what_was_read() -> None:
    row = structs.replace(READ[-1], cxx11_abi=None, source=("elf-2026-11-21",), note=None)
    told = concluded(row, BUILDS, "torch-abi-2026-11-21")
    assert (told.cxx11_abi, told.confidence) == (READ[-1].cxx11_abi, Confidence.INFERRED)
    assert told.source == ("elf-2026-11-21", "torch-abi-2026-11-21")
    assert "its wheel does not tell it" in (told.note or "")
    assert told.archs == row.archs


def test_nothing_is_concluded_where_torch_is_not_named_or_its_builds_differ() -> None:
    row = structs.replace(READ[-1], cxx11_abi=None)
    unlinked = structs.replace(row, torch=None)
    assert concluded(unlinked, BUILDS, "torch-abi-2026-11-21") == unlinked
    # torch 2.6 was built with the old ABI for CUDA 12.4, 2.7 and later with the new one.
    both = [structs.replace(one, cuda=row.cuda) for one in BUILDS if one.cuda]
    wide = structs.replace(row, torch=">=2.0")
    assert abi_of_torch(wide, both) is None


def test_what_a_wheel_tells_is_not_concluded() -> None:
    assert concluded(READ[-1], (), "torch-abi-2026-11-21") is READ[-1]
