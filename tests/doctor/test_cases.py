"""Every case of `cases/`: a text as people see it, and what the doctor must say of it."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mmlock.core.arguments import AUTO
from mmlock.doctor import log
from mmlock.doctor.doctor_commands import command, prove
from mmlock.doctor.model import Diagnosis, ProposedSolve
from mmlock.doctor.symptoms import EXAMINERS
from mmlock.facts.matrix.symptom_rows import Symptom

from .conftest import Ask, matrix

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "cases"
Table = dict[str, Any]
KEYS = {"name", "why", "text", "symptom", "says", "others", "commands", "gives", "usage"}


@cache
def cases() -> list[Table]:
    return [
        case
        for path in sorted(FOLDER.glob("*.toml"))
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    ]


def words_of(one: Diagnosis) -> str:
    return "\n".join([one.title, *one.evidence, *one.cause, *one.advice])


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_a_text_is_diagnosed(ask: Ask, case: Table) -> None:
    assert set(case) <= KEYS
    assert len(case["why"]) > 20, "a case without an argument proves nothing"
    answer = ask(case["text"].encode())
    if "symptom" not in case:
        assert answer.ids == []
        return
    assert answer.ids[:1] == [case["symptom"]]
    assert sorted(answer.ids[1:]) == sorted(case.get("others", []))
    said = words_of(answer.cause)
    assert [text for text in case.get("says", []) if text not in said] == [], said
    assert (answer.cause.kind.value == "usage") is case.get("usage", False)


@pytest.mark.parametrize("case", [c for c in cases() if "commands" in c], ids=lambda case: case["name"])
def test_its_commands(ask: Ask, case: Table) -> None:
    told = [command(proposed) for proposed in ask(case["text"].encode()).cause.solves]
    assert [line.removesuffix(" --out lock") for line in told] == case["commands"]


def check_proofs(ask: Ask, case: Table) -> None:
    """What a case proposes is either what the core solver answers, or it is not told at all."""
    solves = ask(case["text"].encode()).cause.solves
    for proposed in solves:
        # The card of somebody's machine: any will do to see that the rest holds.
        proof = prove(matrix(), replace(proposed, gpu="a100") if proposed.gpu == AUTO else proposed)
        assert proof is None or proof.gives, proof
    if case.get("commands"):
        assert any(prove(matrix(), one) for one in solves)


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in cases() if "symptom" in c], ids=lambda case: case["name"])
def test_its_commands_hold(ask: Ask, case: Table) -> None:
    check_proofs(ask, case)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s1-symbol-after-a-torch-change", "mmdet-refuses-mmcv"])
def test_a_proof_tells_what_the_solver_picks(ask: Ask, name: str) -> None:
    case = next(case for case in cases() if case["name"] == name)
    proofs = [prove(matrix(), proposed) for proposed in ask(case["text"].encode()).cause.solves]
    given = "\n".join(one.gives or "" for one in proofs if one)
    assert [text for text in case["gives"] if text not in given] == [], given


@pytest.mark.slow
def test_what_does_not_fit_is_given_up_aloud() -> None:
    """No torch with code for sm_120 has a build for Python 3.8."""
    proof = prove(matrix(), ProposedSolve(packages=("mmcv",), gpu="rtx5090", python="3.8"))
    assert proof is not None
    assert "--python" not in proof.command
    assert "no solution for Python 3.8" in proof.note
    assert proof.gives


@pytest.mark.slow
def test_a_command_for_the_card_of_somebody_elses_machine_is_not_tried() -> None:
    proof = prove(matrix(), ProposedSolve(packages=("flash-attn",), gpu=AUTO, python="3.12"))
    assert proof is not None
    assert "--gpu auto" in proof.command
    assert proof.gives is None
    assert "for example, it gives" in proof.note
    windows = ProposedSolve(packages=("flash-attn",), gpu=AUTO, options=("--platform=win_amd64",))
    assert prove(matrix(), windows) is None


def test_what_has_no_solution_is_no_command() -> None:
    """No torch of the facts has code for a Fermi card, whatever is given up."""
    assert prove(matrix(), ProposedSolve(packages=("mmcv==9.9.9",), gpu="sm_20")) is None


def test_names_are_unique() -> None:
    names = [case["name"] for case in cases()]
    assert sorted(set(names)) == sorted(names)


HIDDEN = {
    "compile-job-failed",  # not told beside a graver symptom, and not without one
    "undefined-symbol",  # always told as one of the symptoms of a symbol
}


@pytest.mark.parametrize("row", matrix().symptoms, ids=lambda row: row.id)
def test_the_example_of_a_symptom_shows_it(ask: Ask, row: Symptom) -> None:
    shown = row.id in ask(row.example.encode()).ids
    assert shown is (row.id not in HIDDEN)


def test_every_examiner_that_is_named_is_there_and_the_other_way_round() -> None:
    assert {row.examine for row in matrix().symptoms} - {None} == set(EXAMINERS)


def test_every_breakage_that_is_named_is_there() -> None:
    known = {row.id for row in matrix().breaks}
    assert {row.breakage for row in matrix().symptoms} - {None} <= known


@pytest.mark.slow
def test_every_symptom_is_found_in_the_middle_of_a_huge_text(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is quiet is passed over after the first part: no symptom may hide in it."""
    monkeypatch.setattr(log, "HEAD_BYTES", 1)
    monkeypatch.setattr(log, "CHUNK", 1 << 12)
    monkeypatch.setattr(log, "TAIL_LINES", 10)
    quiet = b"cc -c a.c -o a.o\n" * 1000
    text = b"\n".join(case["text"].encode() for case in cases())
    assert sorted(ask(quiet + text + b"\n" + quiet).ids) == sorted(ask(text).ids)
