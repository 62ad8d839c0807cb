"""Text from outside takes linear work: twice the text, about twice the time.

Processor time is asserted here and nowhere else, as a ratio: of a line to half of it, the least of several
runs, at lengths where both can be told from noise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from patterns import Use, uses
from pumps import MOST, Pump, Pumps, growth, steepest, work_of
from solved import facts

from mmlock.core.requirements import parse_file
from mmlock.net.links import links
from mmlock.scan.left_out import UnreadSourceError
from mmlock.scan.notebook import code_cells
from mmlock.scan.pins import declared, documents

FOUND, DYNAMIC = uses()
ROWS = [(row.id, pattern) for row in facts().symptoms for pattern in row.patterns]

FORMER = {
    "quartic": r"(?P<path>(?:[A-Za-z]:)?[\w./\\~+@ -]*?(?P<file>[\w.+-]+\.so[\w.]*)): ?undefined symbol: \w+",
    "begins inside of itself": r"(?P<op>\w+): implementation for device (?P<device>cuda:\d+) not found",
    "reads to the end from each start": r"\bKilled\b.*(?:cc1plus|nvcc|cicc|ptxas)",
    "two repeats of the same blanks": r"^(\s*)-\s*[\"']?([^\"'#]+?)[\"']?\s*(?:#.*)?$",
}
"""Patterns as they once were."""


@pytest.mark.slow
@pytest.mark.parametrize("pattern", FORMER.values(), ids=FORMER)
def test_the_measurement_sees_a_pattern_that_is_slow(pattern: str) -> None:
    found = steepest(work_of(re.compile(pattern), "search"), iter(Pumps(pattern, 0, lines=True)))
    assert found is not None
    assert found.ratio > MOST


@pytest.mark.slow
@pytest.mark.parametrize(("row", "pattern"), ROWS, ids=[row for row, _ in ROWS])
def test_a_symptom_is_searched_in_linear_time(row: str, pattern: str) -> None:
    found = steepest(work_of(re.compile(pattern), "search"), iter(Pumps(pattern, 0, lines=True)))
    assert found is None, f"{row}: {found}"


@pytest.mark.slow
@pytest.mark.parametrize("use", FOUND, ids=[f"{use.where}-{use.method}" for use in FOUND])
def test_a_pattern_in_the_code_takes_linear_time(use: Use) -> None:
    found = steepest(work_of(use.compiled, use.method), iter(Pumps(use.pattern, use.flags, lines=False)))
    assert found is None, f"{use.where} {use.method}: {found}"


def test_patterns_that_are_made_at_run_time_are_known() -> None:
    """Tables of patterns, which are measured as such, and words that are escaped. A new one belongs in here
    only when it is measured, too."""
    assert {one.where.partition(":")[0] for one in DYNAMIC} == {
        "doctor/english.py",
        "doctor/log_entities.py",
        "doctor/prefilter.py",
        "doctor/subject.py",
        "facts/devices/find.py",
        "facts/matrix/lint_curated.py",
        "net/credentials.py",
        "net/ranged.py",
    }
    measured = {use.where.partition(":")[0] for use in FOUND}
    assert {"wheels/symptoms.py", "doctor/log.py", "doctor/log_entities.py", "net/credentials.py"} <= measured


# ---------------------------------------------------------------- whole readers


def quiet(read: Callable[[str], object]) -> Callable[[str], object]:
    def work(text: str) -> object:
        try:
            found = read(text)
            return list(found) if isinstance(found, Iterator) else found
        except UnreadSourceError:
            return None

    return work


CELL = '{"cells": [{"cell_type": "code", "source": ['
READERS: dict[str, tuple[Callable[[str], object], Pump]] = {
    "a notebook that spells its lines otherwise": (code_cells, Pump(CELL, '"\\u0041\\n", ', '""]}]}')),
    "a notebook of one line": (code_cells, Pump(CELL + '"', "x", '"]}]}')),
    "the commands of a notebook": (documents.notebook, Pump(CELL + '"!pip install', " a==1", '"]}]}')),
    "a Dockerfile whose variable doubles": (documents.dockerfile, Pump("ENV A=xx\n", "ENV A=$A$A\n", "")),
    "a Dockerfile of one line": (documents.dockerfile, Pump(f"ENV A={'x' * 99}\nRUN ", "$A ", "")),
    "a script of one word": (documents.script, Pump("", "a", "")),
    "a script with a quote that does not end": (documents.script, Pump('"', "' ", "")),
    "a setup.cfg with a run of blanks": (declared.setup_cfg, Pump("[options]\na", " ", "b\n")),
    "a pyproject.toml that spells its values otherwise": (
        declared.pyproject,
        Pump("[project]\ndependencies = [\n", '"\\u0061==1",\n', "]\n"),
    ),
    "a requirement file of one line": (
        lambda text: parse_file(text, "r.txt"),
        Pump("a==1 ", "--hash x ", ""),
    ),
    "an option of one word": (lambda text: parse_file(text, "r.txt"), Pump("--find-links ", "a", "")),
}
PAGES = (
    "<a ",
    "<!--",
    "<!-- >",
    '<a x="',
    "<a x='>",
    "<![CDATA[>",
    "<?",
    "</a",
    "&#",
    "<script>",
    "<a href=x>",
)


@pytest.mark.slow
@pytest.mark.parametrize(("read", "pump"), READERS.values(), ids=READERS)
def test_a_file_of_a_project_is_read_in_linear_time(read: Callable[[str], object], pump: Pump) -> None:
    found = growth(quiet(read), pump, 1 << 18)
    assert found is None, str(found)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", ">", "-->"])
@pytest.mark.parametrize("again", PAGES)
def test_a_page_is_read_in_linear_time(again: str, end: str) -> None:
    found = growth(lambda text: links(text.encode(), "https://x.example/"), Pump("", again, end), 1 << 18)
    assert found is None, str(found)


def test_the_lines_of_a_notebook_are_found_as_before() -> None:
    source = ["import torch\n", "x = '\\u0041é'\n", "y = 1\n"]
    text = json.dumps({"cells": [{"cell_type": "code", "source": source}]}, indent=1)
    numbers = [number for number, _ in code_cells(text)[0]]
    assert [text.splitlines()[number - 1].strip()[:6] for number in numbers] == [
        '"impor',
        "\"x = '",
        '"y = 1',
    ]
