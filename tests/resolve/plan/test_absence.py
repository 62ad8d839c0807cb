"""Absence: never called measured, and only sure where a list was read whole, with its day."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from solved import facts, solved

from mmlock.core.names import Confidence
from mmlock.facts.matrix.whole import listed_whole
from mmlock.lock.formats import why_md
from mmlock.lock.json_twins import lock_data
from mmlock.lock.model import Finding, FindingKind, Level, LockedEnv, Reason, ReasonKind
from mmlock.lock.read import read_lock
from mmlock.lock.view import newest_known, unsure
from mmlock.resolve.core_solver.alternatives import not_newer
from mmlock.resolve.core_solver.engine import ClingoEngine
from mmlock.resolve.plan.reasons import reasons_for

COMMITTED = Path(__file__).parents[3] / "lockfiles" / "openmmlab" / "cpu"
DAY = re.compile(r"20\d\d-\d\d-\d\d")


def reasons(**more: object) -> dict[str, tuple[Reason, ...]]:
    one = solved("mmcv", "mmdet", **more)
    newer = not_newer(one.rows, one.solution, ClingoEngine(), one.asked.objectives)
    return {
        str(option.package): reasons_for(facts(), one.rows, one.solution, option, one.asked.target, newer)
        for option in one.solution.packages()
    }


@pytest.mark.slow
@pytest.mark.parametrize("more", [{"gpu": "rtx5090"}, {"gpu": "t4", "torch": ">=2"}, {"gpu": "cpu"}])
def test_nothing_newer_is_as_sure_as_the_list_that_was_read(more: dict[str, object]) -> None:
    told = [
        (package, reason)
        for package, found in reasons(**more).items()
        for reason in found
        if reason.text.startswith(("newest ", "no known "))
    ]
    assert told
    for package, reason in told:
        if listed_whole(facts(), (package,)) and "no known Python" not in reason.text:
            assert reason.confidence is Confidence.CAPTURED
            assert any(DAY.search(text) for text in reason.source), "a list says when it was read"
        else:
            assert reason.confidence is Confidence.INFERRED, (package, reason.text)


def test_what_the_user_pins_is_no_absence() -> None:
    (first, *_) = reasons(gpu="rtx5090", torch="==2.11.0")["torch"]
    assert (first.kind, first.confidence) == (ReasonKind.CHOICE, Confidence.MEASURED)


def test_torch_and_what_openmmlab_s_index_has_are_listed_whole_nowhere() -> None:
    assert listed_whole(facts(), ("torch",)) == ()
    assert listed_whole(facts(), ("mmcv",)) == ()
    assert listed_whole(facts(), ("torchvision",)) == (), "built by variant, on another index"
    assert listed_whole(facts(), ("mmdet", "torch")) == ()
    assert {name for name, _ in listed_whole(facts(), ("mmdet", "mmengine"))} == {"mmdet", "mmengine"}


def doubtful() -> LockedEnv:
    env = read_lock(COMMITTED)
    torch = next(one for one in env.packages if one.name == "torch")
    reason = Reason(
        text="is built for sm_1", source=("a guess",), confidence=Confidence.INFERRED, kind=ReasonKind.GPU
    )
    finding = Finding(
        level=Level.NOTE,
        kind=FindingKind.INFERRED,
        subject="mmcv 2.1.0",
        text="this file name is inferred",
        source=("another guess",),
        confidence=Confidence.INFERRED,
    )
    packages = tuple(replace(one, reasons=(reason,)) if one is torch else one for one in env.packages)
    return replace(env, packages=packages, findings=(finding,))


def test_an_answer_that_rests_on_inferred_rows_says_which_in_both_forms() -> None:
    env = doubtful()
    said = {(one.subject, one.text) for one in unsure(env)}
    assert {("torch", "is built for sm_1"), ("mmcv 2.1.0", "this file name is inferred")} <= said
    text = why_md.render(env)
    part = text[text.index("## What was not checked") :]
    (cited,) = re.findall(r"  - torch: is built for sm_1\. \[(\d+)\]", part)
    assert f"\n{cited}. a guess" in part
    data = lock_data(env)
    assert {"subject": "torch", "text": "is built for sm_1", "source": ("a guess",)} in data["inferred"]


def test_that_there_is_nothing_newer_is_nothing_that_a_lock_rests_on() -> None:
    env = doubtful()
    newest = Reason(text="newest torch", source=(), confidence=Confidence.INFERRED, kind=ReasonKind.CHOICE)
    packages = tuple(replace(one, reasons=(newest,)) if one.name == "torch" else one for one in env.packages)
    env = replace(env, packages=packages)
    assert "torch" not in {one.subject for one in unsure(env)}
    assert newest_known(env)[0] == "torch"
    assert "the newest that are known; no list of all versions was read" in why_md.render(env)
