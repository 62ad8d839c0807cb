"""A fact by its name: what it says, who says so, how sure it is, and which committed locks rest on it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mmlock.core.errors import UsageError
from mmlock.core.report import Page
from mmlock.facts.matrix.concerned import LockContents
from mmlock.facts.matrix.model import Document
from mmlock.report.comparing import documents, why_fact
from mmlock.report.why_fact import find_facts, why_page
from mmlock.upkeep.committed import held_locks

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "lockfiles" / "openmmlab"


@cache
def everything() -> Mapping[str, Document[Any]]:
    return documents(ROOT / "matrices")


@cache
def held() -> tuple[LockContents, ...]:
    return tuple(held_locks(LOCKS, named=True))


def asked(text: str) -> Page:
    return why_page(find_facts(everything(), text), held())


def facts(page: Page) -> list[dict[str, Any]]:
    assert isinstance(page.data, dict)
    found: list[dict[str, Any]] = page.data["facts"]
    return found


def torches() -> dict[str, str]:
    return {lock.name: str(lock.torch) for lock in held()}


@pytest.mark.slow
def test_a_build_of_torch_names_the_locks_that_hold_that_very_build() -> None:
    page = asked("torch/builds.json 2.11.0 cu130 linux_x86_64")
    (one,) = facts(page)
    assert (one["file"], one["key"]) == ("torch/builds.json", "2.11.0 cu130 linux_x86_64")
    assert set(one["locks"]) == {name for name, torch in torches().items() if torch == "2.11.0+cu130"}
    assert f"  confidence: {one['confidence']}" in page.text
    for text in one["sources"].values():
        assert f"  source: {text}" in page.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "file", "lock"),
    [
        ("CVE-2025-3000", "advisories/torch.json", "rtx5090"),
        ("GHSA-rrmf-rvhw-rf47", "advisories/torch.json", "rtx5090"),
        ("mmengine-pkg-resources", "curated/breaks.toml", "cpu"),
        ("T4", "gpus.json", "t4"),
        ("toolkits.json 13.0", "toolkits.json", "rtx5090"),
    ],
)
def test_a_fact_is_found_by_its_name_alone(text: str, file: str, lock: str) -> None:
    (one,) = facts(asked(text))
    assert one["file"] == file
    assert lock in one["locks"]
    assert one["sources"]


@pytest.mark.slow
def test_a_lock_does_not_rest_on_what_another_holds() -> None:
    (one,) = facts(asked("CVE-2025-3000"))
    safe = {name for name, torch in torches().items() if torch.startswith("2.13")}
    assert safe
    assert set(one["locks"]) == torches().keys() - safe


@pytest.mark.slow
def test_of_many_facts_it_says_where_they_stand() -> None:
    page = asked("builds")
    assert len(facts(page)) > 100
    assert f"{len(facts(page))} facts have that name; name one of them:" in page.text
    assert "torch/builds.json " in page.text
    assert len(page.text.splitlines()) < 30


@pytest.mark.slow
def test_the_verb_reads_the_facts_and_the_locks() -> None:
    page = why_fact("T4", matrices=ROOT / "matrices", locks=LOCKS)
    assert "locks that rest on it: t4" in page.text


@pytest.mark.parametrize("text", ["nothing of that name", "   ", "", "torch 99.0 cu130"])
def test_what_is_no_fact_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as error:
        asked(text)
    assert "matrix diff" in "\n".join(error.value.lines())
