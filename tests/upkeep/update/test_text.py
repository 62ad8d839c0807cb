"""Descriptions, the dashboard and hidden states: values in, Markdown out."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lock_repository import World, small_lock
from msgspec.structs import replace
from solved import facts

from mmlock.lock.model import LockedEnv
from mmlock.lock.read import read_lock
from mmlock.upkeep.lock_diff import LockChange, LockChangeKind, diff_locks
from mmlock.upkeep.update import markdown
from mmlock.upkeep.update.body import PullText, body, title
from mmlock.upkeep.update.causes import Cause, CauseKind, Knob, cause_of
from mmlock.upkeep.update.policy import Group
from mmlock.upkeep.update.state import (
    PullState,
    fingerprint,
    is_fingerprint,
    read_state,
    ticked,
    trailer,
    with_state,
    without_state,
)
from mmlock.upkeep.update.view import AdvisoryLine, LockView, view

ROOT = Path(__file__).parents[3] / "lockfiles"
STATE = PullState(key="k", branch="mmlock/torch-2.11.0", head="a" * 40, pairs=("openmmlab/cpu",))
LIMIT = 65536


@pytest.fixture(scope="module")
def old() -> LockedEnv:
    return read_lock(ROOT / "openmmlab" / "rtx4090")


@pytest.fixture(scope="module")
def new() -> LockedEnv:
    return read_lock(ROOT / "openmmlab" / "rtx5090")


@pytest.fixture(scope="module")
def seen(old: LockedEnv, new: LockedEnv) -> LockView:
    return view("openmmlab/x", "lockfiles/openmmlab/x", old, new, facts())


def text_of(*locks: LockView, limit: int = LIMIT, **more: Any) -> str:
    cause = Cause(kind=CauseKind.CORE, knob=Knob.FACTS, name="torch", version="2.11.0")
    return body(PullText(cause=cause, locks=locks, **more), STATE, limit)


# ---------------------------------------------------------------- what a description tells


@pytest.mark.slow
def test_it_tells_what_the_environment_is_built_on_before_and_after(seen: LockView) -> None:
    row = next(line for line in text_of(seen).splitlines() if line.startswith("| `openmmlab/x` |"))
    assert "`2.1.2+cu121` → **`2.11.0+cu130`**" in row
    assert "`12.1` → **`13.0`**" in row
    assert "`cxx11=0` → **`cxx11=1`**" in row
    assert "sm_120" in row
    assert "`525.60.13` → **`580.65.06`**" in row


def test_a_wheel_that_becomes_a_build_is_one_change(seen: LockView) -> None:
    [change] = [one for one in seen.changes if one.name == "mmcv"]
    assert (change.kind, change.old, change.new) == (LockChangeKind.CHANGED, "2.1.0", "2.1.0 (build)")


def test_it_tells_what_did_not_move_and_why(seen: LockView) -> None:
    told = text_of(seen).partition("## Not updated, because")[2].partition("\n## ")[0]
    assert "`mmcv" not in told  # it moved
    assert "mmdet" not in told  # there is no newer one


def test_what_has_a_newer_release_and_stays_is_told_with_the_reason() -> None:
    moved = World._with(small_lock("openmmlab/rtx4090"), "filelock", "4.1.0")
    told = text_of(view("a/b", "f", small_lock("openmmlab/rtx4090"), moved, facts()))
    told = told.partition("## Not updated, because")[2].partition("\n## ")[0]
    assert "- `torch 2.1.2` (`a/b`): newest torch with sm" in told


def test_what_nobody_looked_up_or_ran_is_said_plainly(seen: LockView) -> None:
    told = text_of(seen)
    assert "Known vulnerabilities: *not looked up*." in told
    assert "None for `openmmlab/x`: nothing of these locks was run." in told


def test_vulnerabilities_that_stay_are_told_with_those_that_are_closed(seen: LockView) -> None:
    one = AdvisoryLine(
        id="GHSA-1", package="torch", version="2.1.2", fixed_in=("2.13.0",), url="https://osv.dev/1"
    )
    other = AdvisoryLine(id="GHSA-2", package="pillow", version="9", fixed_in=())
    told = text_of(replace(seen, closed=(one,), left=(other,), advisories_read=True))
    assert "1 closed, 1 left" in told
    assert "- closes 1 of `torch 2.1.2`: [`GHSA-1`](https://osv.dev/1)" in told
    assert "<details><summary>1 left, in pillow 9</summary>" in told
    assert "- `pillow 9`, no fixed release is known: `GHSA-2`" in told


def test_what_one_version_leaves_is_one_line_with_the_release_that_mends_it(seen: LockView) -> None:
    def one(name: str, *fixed: str) -> AdvisoryLine:
        return AdvisoryLine(id=name, package="torch", version="2.1.2", fixed_in=fixed)

    left = (one("CVE-1", "2.13.0", "2.9.1"), one("CVE-2", "2.2.0"), one("CVE-3"))
    told = text_of(replace(seen, left=left, advisories_read=True))
    assert (
        "- `torch 2.1.2`, fixed in `2.9.1` but for 1 without a known fix: `CVE-1`, `CVE-2`, `CVE-3`" in told
    )


def test_an_unknown_build_of_torch_is_unknown_not_empty(old: LockedEnv, new: LockedEnv) -> None:
    strange = replace(new, torch="99.0+cu999")
    told = text_of(view("a/b", "f", old, strange, facts()))
    assert "**`99.0+cu999`**" in told
    assert "→ ***unknown***" in told


def test_a_change_is_one_row_with_its_locks_and_the_core_goes_first(seen: LockView) -> None:
    other = replace(seen, pair="openmmlab/y", changes=seen.changes[1:])
    told = text_of(seen, other)
    assert told.count("| package | change | in | why |") == 1
    table = told.partition("| package | change | in | why |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(table) == len(seen.changes)
    assert sum("| all 2 |" in row for row in table) == len(seen.changes) - 1
    assert sum("| `openmmlab/x` |" in row for row in table) == 1
    core = ["[`mmcv`]" in row or "[`torch" in row or "[`mm" in row for row in table]
    assert core == sorted(core, reverse=True)


def test_what_stays_on_the_same_torch_is_folded() -> None:
    old = small_lock("openmmlab/cpu")
    told = text_of(view("a/b", "f", old, World._with(old, "filelock", "4.1.0"), facts()))
    assert "<details><summary>1 lock stays on the same Python, torch, CUDA and driver</summary>" in told


def test_a_date_is_told_with_both_ends(seen: LockView) -> None:
    cause = Cause(kind=CauseKind.PACKAGES, knob=Knob.DATE)
    pull = PullText(cause=cause, locks=(seen,), date_before="2026-01-01", date_after="2026-11-25T00:00:00Z")
    told = body(pull, STATE, LIMIT)
    assert "`exclude-newer` moves from `2026-01-01` to `2026-11-25T00:00:00Z`" in told


# ---------------------------------------------------------------- the forge's limit


@pytest.mark.slow
@pytest.mark.parametrize("limit", [65536, 20000, 6000, 3000])
def test_a_description_keeps_to_the_limit_and_says_that_it_is_cut(seen: LockView, limit: int) -> None:
    locks = [
        replace(
            seen, pair=f"openmmlab/t{n}", changes=tuple(replace(c, why=f"{c.why} {n}") for c in seen.changes)
        )
        for n in range(60 if limit < LIMIT else 120)
    ]
    told = text_of(*locks, limit=limit)
    assert len(told) <= limit
    assert "cut" in told or limit == LIMIT
    assert read_state(told) == STATE
    assert "<!-- mmlock:rebase -->" in told


# ---------------------------------------------------------------- text from outside


@pytest.mark.parametrize(
    "evil",
    ["@everyone", "#1", "<img src=x>", "a|b", "[x](javascript:1)", "https://evil.example", "`; rm", "-->"],
)
def test_reasons_from_outside_are_shown_and_do_nothing(seen: LockView, evil: str) -> None:
    change = LockChange(kind=LockChangeKind.ADDED, name="x", new="1", why=evil)
    told = text_of(replace(seen, changes=(change,)))
    row = next(line for line in told.splitlines() if line.startswith("| [`x`]"))
    assert row.count(" | ") == 2
    why = row.rpartition(" | ")[2]
    assert not re.search(r"(?<!\\)[`\[\]<>]|https?://|-->", why), why
    assert not re.search(r"@\w|#\d", html.unescape(why)), why  # forges look at what is shown


@pytest.mark.slow
@given(st.text())
def test_any_text_stays_on_one_line_and_mentions_nobody(value: str) -> None:
    shown = markdown.text(value)
    assert "\n" not in shown
    prose = re.sub(r"(?<!\\)`[^`]*`", "", shown.replace("\\\\", ""))
    assert not re.search(r"@\w", html.unescape(prose))
    assert "<" not in prose
    assert not re.search(r"(?<!\\)\|", prose)


@given(st.text())
def test_any_name_as_code_closes_its_ticks(value: str) -> None:
    shown = markdown.code(value)
    assert shown == "" or (shown[0] == shown[-1] == "`" and "`" not in shown[1:-1] and "|" not in shown)


def test_a_link_that_runs_something_leads_nowhere() -> None:
    assert markdown.link("x", "javascript:alert(1)") == "`x`"
    assert markdown.link("x", "https://a/b c)") == "[`x`](https://a/b%20c%29)"


# ---------------------------------------------------------------- hidden states


@given(
    st.builds(
        PullState,
        key=st.text(),
        branch=st.text(),
        head=st.text(),
        pairs=st.lists(st.text(), max_size=5).map(tuple),
    )
)
def test_a_state_is_read_as_it_was_written(state: PullState) -> None:
    assert read_state(with_state("text", state)) == state
    assert read_state(without_state(with_state("text", state))) is None


@given(st.text())
def test_any_other_text_is_no_state(text: str) -> None:
    assert read_state(text) is None
    assert read_state(f"<!-- mmlock-update:1 {text} -->") is None or "--" not in text


@pytest.mark.parametrize(
    "comment",
    ["<!-- mmlock-update:2 e30= -->", "<!-- mmlock-update:1 e30= -->", "<!-- mmlock-update:1 AAAA -->"],
)
def test_a_state_of_another_version_or_shape_is_none(comment: str) -> None:
    assert read_state(comment) is None


def test_boxes_that_people_tick_are_read_and_no_others() -> None:
    told = """
- [x] <!-- mmlock:rebase -->
* [X] <!-- mmlock:open mmlock/a.b-c -->
- [ ] <!-- mmlock:recreate x -->
`- [x] <!-- mmlock:no -->`
"""
    assert ticked(told) == {("rebase", ""), ("open", "mmlock/a.b-c")}


def test_a_commit_is_ours_only_with_its_own_tree_and_branch() -> None:
    message = f"title\n\n{trailer('t' * 40, 'mmlock/a')}\n"
    assert is_fingerprint(message, "t" * 40, "mmlock/a")
    assert not is_fingerprint(message, "u" * 40, "mmlock/a")
    assert not is_fingerprint(message, "t" * 40, "mmlock/b")
    assert fingerprint("t", "a") != fingerprint("t", "b")


# ---------------------------------------------------------------- causes


def test_torch_leads_what_follows_it(old: LockedEnv, new: LockedEnv) -> None:
    found = cause_of(old, new, diff_locks(old, new), knob=Knob.FACTS)
    assert (found.slug, found.title) == ("torch-2.11.0", "torch 2.11.0")


def test_a_group_of_the_policy_goes_before_packages(old: LockedEnv, new: LockedEnv) -> None:
    group = Group(name="openmmlab", packages=frozenset({"mmcv"}))  # type: ignore[arg-type]
    found = cause_of(old, new, diff_locks(old, new), knob=Knob.FACTS, groups=[group])
    assert found.slug == "group-openmmlab"


def test_what_only_follows_is_ordinary_packages_by_the_date_and_facts_by_facts(old: LockedEnv) -> None:
    ordinary = next(p for p in old.packages if not p.core)
    moved = replace(
        old, packages=tuple(replace(p, version="999") if p is ordinary else p for p in old.packages)
    )
    diff = diff_locks(old, moved)
    assert cause_of(old, moved, diff, knob=Knob.DATE).slug == "packages"
    assert cause_of(old, moved, diff, knob=Knob.FACTS).slug == "facts"


def test_a_title_says_where() -> None:
    cause = Cause(kind=CauseKind.CORE, knob=Knob.FACTS, name="torch", version="2.12.0")
    assert title(cause, ["a/b"]) == "Update torch to 2.12.0 in a/b"
    assert title(cause, ["a/b", "a/c"]) == "Update torch to 2.12.0 in 2 locks"
    assert title(cause, ["a/b", "a/c"], apart="a") == "Update torch to 2.12.0 in a"
