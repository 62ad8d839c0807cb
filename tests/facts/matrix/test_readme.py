"""`matrices/README.md` is true: it names every kind of file that there may be, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from mmlock.facts.matrix.layout import SECTIONS
from mmlock.facts.matrix.location import matrix_files

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "matrices" / "README.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE))


def pattern(path: str) -> str:
    return path.replace("*", "PACKAGE")


def test_every_kind_of_file_is_described() -> None:
    assert {pattern(section.path) for section in SECTIONS.values()} <= NAMED


def test_nothing_is_described_that_there_cannot_be() -> None:
    known = {pattern(section.path) for section in SECTIONS.values()}
    files = {str(path) for path in matrix_files(ROOT / "matrices")}
    elsewhere = ("symbols/", "names/")
    strangers = [name for name in NAMED - known if name not in files and not name.startswith(elsewhere)]
    assert strangers == []


def test_what_it_says_is_empty_is_empty() -> None:
    said = re.search(r"`providers/PACKAGE\.json`[^|]*\|([^|]*)\|", TEXT)
    assert said is not None
    there = list((ROOT / "matrices" / "providers").glob("*.json"))
    assert ("none recorded yet" in said[1]) == (not there)


def test_the_scripts_that_it_names_are_there() -> None:
    named = set(re.findall(r"`(?:python )?((?:scripts|resolver)/[\w/.]+\.(?:py|yml))", TEXT))
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []
