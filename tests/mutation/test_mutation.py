"""The tests of a room see nine of ten changes of its code; and what is said of mutants holds."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lp_mutants import lp_mutants
from mutants import ROOT, all_mutants, equivalents, rooms

SHARE = float(os.environ.get("MMLOCK_TEST_SHARE", "1"))
FULL = 800

needs_tool = pytest.mark.skipif(
    importlib.util.find_spec("cosmic_ray") is None, reason="cosmic-ray is not installed: extra `mutation`"
)

RULES = """\
% a comment
happens(I) :- incompatibility(I), hit(G) : part(I,G).
1 { pick(O) : option(S,O) } 1 :- slot(S).
small(X) :- number(X), X < 3.
#minimize { W@L,O : pays(L,O,W), pick(O) }.
"""


@needs_tool
@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each mutant is a process forked from one")
def test_nine_of_ten_mutants_are_killed_as_far_as_the_sample_tells(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    command = [sys.executable, str(Path(__file__).parent / "run.py"), "--out", str(out)]
    number = str(max(8, round(FULL * SHARE)))
    ran = subprocess.run(
        [*command, "--mutants", number], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert out.exists(), ran.stderr[-3000:]
    report = json.loads(out.read_text("utf-8"))
    assert len(report["mutants"]) == int(number)
    assert report["score"] >= report["enough"], ran.stdout


@needs_tool
@pytest.mark.long
def test_every_mutant_argued_equivalent_can_still_be_made() -> None:
    argued = equivalents()
    files = {change.file for change in argued}
    wanted = [
        (room, path)
        for room in rooms().values()
        for path in room.files()
        if path.relative_to(ROOT).as_posix() in files
    ]
    assert sorted(set(argued) - {mutant.change for mutant in all_mutants(wanted)}) == []


def test_each_mutant_argued_equivalent_has_a_reason() -> None:
    assert all(len(why.split()) >= 5 for why in equivalents().values())


def test_every_room_names_code_and_tests_that_exist() -> None:
    for room in rooms().values():
        assert room.files(), room.name
        assert all((ROOT / path).exists() for path in room.tests), room.name


@pytest.mark.parametrize(
    ("operator", "becomes"),
    [
        ("DropRule", ""),
        ("DropLiteral", "happens(I) :- incompatibility(I)."),
        ("DropCondition", "happens(I) :- incompatibility(I); hit(G)."),
        ("FlipNegation", "happens(I) :- incompatibility(I); not hit(G): part(I,G)."),
        ("FlipComparison", "small(X) :- number(X); X >= 3."),
        ("Bounds", "{ pick(O): option(S,O) } <= 1 :- slot(S)."),
        ("SwapWeight", "L@W,O : pays(L,O,W),pick(O)"),
        ("NegateWeight", "-W@L,O : pays(L,O,W),pick(O)"),
        ("DropTerm", "W@L : pays(L,O,W),pick(O)"),
    ],
)
def test_a_rule_is_changed_in_one_place_and_the_rest_stays(operator: str, becomes: str) -> None:
    changed = [row for row in lp_mutants(RULES) if (row.operator, row.becomes) == (operator, becomes)]
    assert changed, [row for row in lp_mutants(RULES) if row.operator == operator]
    kept = set(RULES.splitlines()) & set(changed[0].text.splitlines())
    assert len(kept) == len(RULES.splitlines()) - 1


def test_a_change_that_clingo_does_not_take_is_no_mutant() -> None:
    """Without `number(X)` nothing bounds X."""
    assert not any("small(X) :- X" in row.text for row in lp_mutants(RULES))
