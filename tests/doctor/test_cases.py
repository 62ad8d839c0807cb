"""Every case of `cases/`: a text as people see it, and what the doctor must say of it."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mmlock.app.proving import prove
from mmlock.core.arguments import AUTO
from mmlock.doctor.model import Diagnosis

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
def test_its_commands_hold(ask: Ask, case: Table) -> None:
    proposals = [prove(matrix(), wish) for wish in ask(case["text"].encode()).cause.wishes]
    assert [one.command.removesuffix(" --out lock") for one in proposals] == case["commands"]
    given = "\n".join(one.gives or "" for one in proposals)
    assert [text for text in case.get("gives", []) if text not in given] == [], given
    assert all(one.gives or f"--gpu {AUTO}" in one.command for one in proposals)


def test_names_are_unique() -> None:
    names = [case["name"] for case in cases()]
    assert sorted(set(names)) == sorted(names)
