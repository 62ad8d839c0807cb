"""The table of mmcv's eras against what every release checks at import and requires."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from solved import facts

from mmlock.core.names import PackageName, normalize
from mmlock.core.versions import version
from mmlock.facts.matrix.eras import builds_on_mmcv_2, modules_of_mmcv_2
from mmlock.facts.matrix.model import Release

SECOND = version("2.0.0rc0")


def told(release: Release) -> bool | None:
    """What a release itself says: a check of mmengine or of an mmcv from 2.0 on; None: it says nothing."""
    if any(check.module == "mmengine" for check in release.asserts):
        return True
    least = [
        version(check.version)
        for check in release.asserts
        if check.module == "mmcv" and check.op in {">=", ">"}
    ]
    if least:
        return max(least) >= SECOND
    names = [normalize(Requirement(text).name) for text in (*release.requires, *release.mim)]
    return True if "mmengine" in names else False if "mmcv-full" in names else None


@pytest.mark.parametrize("package", [row.package for row in facts().mmcv_eras if row.package != "mmengine"])
def test_every_release_that_tells_its_era_agrees_with_the_table(package: PackageName) -> None:
    rows = facts().releases(package)
    wrong = [
        row.version
        for row in rows
        if (said := told(row)) is not None
        and said is not builds_on_mmcv_2(facts().mmcv_eras, package, row.version)
    ]
    assert not wrong
    assert any(told(row) for row in rows)


def test_every_framework_that_checks_mmcv_is_in_the_table() -> None:
    listed = {row.package for row in facts().mmcv_eras}
    checking = {
        package
        for package in facts().release_packages
        if any(told(row) for row in facts().releases(package)) and package not in PROVIDERS
    }
    assert checking <= listed


PROVIDERS = {name for row in facts().modules if row.module == "mmcv" for name in row.packages} | {"mmdeploy"}
"""mmdeploy works with both."""


def test_modules_of_which_every_release_is_for_mmcv_2() -> None:
    names = modules_of_mmcv_2(facts().mmcv_eras, facts().modules)
    assert {"mmengine", "mmpretrain"} <= names
    assert not names & {"mmcv", "mmdet", "mmseg"}


def test_a_version_that_is_none_and_a_package_that_is_not_listed_are_unknown() -> None:
    assert builds_on_mmcv_2(facts().mmcv_eras, "mmdet", "junk") is None
    assert builds_on_mmcv_2(facts().mmcv_eras, "torch", "2.0") is None
