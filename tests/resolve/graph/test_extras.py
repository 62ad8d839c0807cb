"""Extras that are requested of a release, against those that its metadata names."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from solved import facts, solved

from mmlock.core.names import Platform
from mmlock.resolve.graph.extras import lacking


@pytest.mark.slow
def test_what_a_release_does_not_name_is_lacking_and_what_it_names_is_not() -> None:
    graph = solved("mmdet[all]==3.3.0", gpu="cpu")
    (requested,) = (one for one in graph.asked.core_requirements if one.name == "mmdet")
    option = next(one for one in graph.rows.options if (one.package, one.version) == ("mmdet", "3.3.0"))
    asked = replace(requested, extras=("all", "nowhere"))
    assert lacking(facts(), asked, option, Platform.LINUX_X86_64) == ("nowhere",)
    assert lacking(facts(), requested, option, Platform.LINUX_X86_64) == ()


@pytest.mark.slow
def test_of_a_release_that_nobody_recorded_nothing_is_said() -> None:
    graph = solved("mmdet[all]==3.3.0", gpu="cpu")
    (requested,) = (one for one in graph.asked.core_requirements if one.name == "mmdet")
    option = next(one for one in graph.rows.options if one.package == "mmdet")
    assert lacking(facts(), requested, replace(option, version="9999"), Platform.LINUX_X86_64) is None
