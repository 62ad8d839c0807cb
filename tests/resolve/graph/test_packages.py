"""Releases from before the checks at import: on offer only to those whose words admit no later one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from solved import facts, solved

from mmlock.core.names import PackageName
from mmlock.resolve.graph.packages import generation

MMCLS = PackageName("mmcls")
FIRST = "0.11.0"
"""The first mmcls that checks the mmcv it is imported with."""


def offered(*words: str) -> set[str]:
    one = solved(*words, gpu="cpu")
    options = one.rows.slots["mmcls"]
    return {str(one.rows.options[i].version) for i in options if one.rows.options[i].version is not None}


def unchecked() -> set[str]:
    rows = [row for row in facts().releases(MMCLS) if row.has_wheel and not row.yanked]
    found = {row.version for row in rows if not row.asserts}
    assert "0.10.0" in found
    assert any(row.version == FIRST and row.asserts for row in rows)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("words", ["mmcls", "mmcls<=0.11.0", "mmcls>=0.9.0rc0", "mmcls>=0.9.0rc0,<=0.11.0"])
def test_who_can_have_a_release_with_checks_is_offered_none_without(words: str) -> None:
    assert offered(words) & unchecked() == set()
    assert FIRST in offered(words)


@pytest.mark.slow
@pytest.mark.parametrize("words", ["mmcls==0.10.0", "mmcls<0.11.0", "mmcls>=0.9.0rc0,<0.11.0"])
def test_who_asks_for_nothing_later_is_offered_the_old_ones(words: str) -> None:
    assert offered(words) >= unchecked()


@pytest.mark.slow
def test_it_takes_one_word_that_admits_no_later_one() -> None:
    assert offered("mmcls>=0.9.0rc0", "mmcls<0.11.0") >= unchecked()


def test_a_release_that_checks_mmengine_and_one_that_declares_it_are_of_one_generation() -> None:
    release = next(row for row in facts().releases(PackageName("mmdet")) if row.version == "3.3.0")
    assert any(check.module == "mmengine" for check in release.asserts)
    assert generation(replace(release, requires=(), mim=())) == 0
    assert generation(replace(release, asserts=(), requires=("mmengine>=0.7",), mim=())) == 0
    assert generation(replace(release, asserts=(), requires=("mmcv>=1.3",), mim=())) == 1
