"""PEP 508 markers on a target, and the extras that they name."""

from __future__ import annotations

import pytest

from mmlock.core.markers import active, holds, named_extras
from mmlock.core.names import PackageName, Platform


@pytest.mark.parametrize(
    ("marker", "extras"),
    [
        ("extra == 'gpu'", {"gpu"}),
        ("'gpu' == extra", {"gpu"}),
        ('python_version >= "3.9" and "GPU_all" == extra', {"gpu-all"}),
        ("extra == 'a' or (extra == 'b' and sys_platform == 'linux')", {"a", "b"}),
        ("platform_release == 'extra == 1'", set()),
        ("sys_platform == 'extra'", set()),
        ("extra != 'gpu'", set()),
        ("python_version < '3.9'", set()),
    ],
)
def test_extras_are_named_on_either_side_and_nowhere_else(marker: str, extras: set[str]) -> None:
    assert named_extras((f"numpy; {marker}",)) == extras


def test_an_extra_brings_those_of_the_package_itself() -> None:
    requirements = ("mmdet[more]; 'all' == extra", "scipy; extra == 'more'")
    assert active(PackageName("mmdet"), requirements, ("all",)) == ("all", "more")


def test_a_marker_with_an_extra_on_the_right_holds_for_that_extra() -> None:
    assert holds("'gpu' == extra", Platform.LINUX_X86_64, "3.12", ("gpu",))
    assert not holds("'gpu' == extra", Platform.LINUX_X86_64, "3.12", ("cpu",))
